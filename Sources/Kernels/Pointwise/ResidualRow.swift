package import KernelTypes

/// Turns a projected row into R (b − A x), and gives Σ (b − A x)² and Σ b² for each lane in `sums[0..<lanes]` and
/// `sums[lanes..<2 · lanes]`.
///
/// `projected` and `data` are bin 0 of a row; `weights` hold one value of R for each bin.
package func residualRow(
  _ projected: UnsafeMutableRawPointer, data: UnsafeRawPointer, weights: UnsafePointer<Float>, shape: KernelShape,
  sums: UnsafeMutablePointer<Double>
) {
  for lane in 0..<2 * shape.lanes { sums[lane] = 0 }
  switch shape.lanes {
  case 2: residualRow(projected, data, weights, shape, sums, SIMD2<Float>.self)
  case 4: residualRow(projected, data, weights, shape, sums, SIMD4<Float>.self)
  default: residualRow(projected, data, weights, shape, sums, SIMD16<Float>.self)
  }
}

/// Float sums over a few bins, then Double: exact enough, and the same order for every lane width.
private let binsPerSum = 32

@inline(__always) private func residualRow<V: SIMD>(
  _ projected: UnsafeMutableRawPointer, _ data: UnsafeRawPointer, _ weights: UnsafePointer<Float>, _ shape: KernelShape,
  _ sums: UnsafeMutablePointer<Double>, _: V.Type
) where V.Scalar == Float {
  let pixel = shape.pixelByteCount, size = MemoryLayout<V>.size
  var first = 0
  while first < shape.columns {
    let end = min(first + binsPerSum, shape.columns)
    var lane = 0
    while lane < pixel {
      var residualSum = V(), dataSum = V()
      for bin in first..<end {
        let address = projected + bin * pixel + lane
        let measured = vector(data + bin * pixel + lane, V.self)
        let difference = measured - vector(address, V.self)
        residualSum += difference * difference
        dataSum += measured * measured
        address.storeBytes(of: weights[bin] * difference, as: V.self)
      }
      let target = sums + lane / 4
      for index in 0..<size / 4 {
        target[index] += Double(residualSum[index])
        target[shape.lanes + index] += Double(dataSum[index])
      }
      lane += size
    }
    first = end
  }
}
