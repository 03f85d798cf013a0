package import KernelTypes

/// Turns a projected row into b / (A x) with b = max(0, data), and 0 where A x is zero; gives Σ (b − A x)² and Σ b² for
/// each lane in `sums[0..<lanes]` and `sums[lanes..<2 · lanes]`.
///
/// `projected` and `data` are bin 0 of a row.
package func ratioRow(
  _ projected: UnsafeMutableRawPointer, data: UnsafeRawPointer, shape: KernelShape, sums: UnsafeMutablePointer<Double>
) {
  switch shape.lanes {
  case 2: ratioRow(projected, data, shape, sums, SIMD2<Float>.self)
  case 4: ratioRow(projected, data, shape, sums, SIMD4<Float>.self)
  default: ratioRow(projected, data, shape, sums, SIMD16<Float>.self)
  }
}

/// Gives Σ max(0, data) and Σ data² of a row for each lane in `sums[0..<lanes]` and `sums[lanes..<2 · lanes]`.
package func dataSums(_ data: UnsafeRawPointer, shape: KernelShape, sums: UnsafeMutablePointer<Double>) {
  switch shape.lanes {
  case 2: dataSums(data, shape, sums, SIMD2<Float>.self)
  case 4: dataSums(data, shape, sums, SIMD4<Float>.self)
  default: dataSums(data, shape, sums, SIMD16<Float>.self)
  }
}

/// Float sums over a few bins, then Double: exact enough, and the same order for every lane width.
private let binsPerSum = 32

@inline(__always) private func ratioRow<V: LaneVector>(
  _ projected: UnsafeMutableRawPointer, _ data: UnsafeRawPointer, _ shape: KernelShape,
  _ sums: UnsafeMutablePointer<Double>, _: V.Type
) {
  let pixel = shape.pixelByteCount
  addUp(shape, sums, V.self) { bin, lane in
    let address = projected + bin * pixel + lane
    let measured = vector(data + bin * pixel + lane, V.self).positive, expected = vector(address, V.self)
    address.storeBytes(of: (measured / expected).whereNegative(expected - smallest, V()), as: V.self)
    let difference = measured - expected
    return (difference * difference, measured * measured)
  }
}

@inline(__always) private func dataSums<V: LaneVector>(
  _ data: UnsafeRawPointer, _ shape: KernelShape, _ sums: UnsafeMutablePointer<Double>, _: V.Type
) {
  let pixel = shape.pixelByteCount
  addUp(shape, sums, V.self) { bin, lane in
    let measured = vector(data + bin * pixel + lane, V.self)
    return (measured.positive, measured * measured)
  }
}

/// Adds up two quantities over all bins of a row.
@inline(__always) private func addUp<V: LaneVector>(
  _ shape: KernelShape, _ sums: UnsafeMutablePointer<Double>, _: V.Type, _ terms: (_ bin: Int, _ lane: Int) -> (V, V)
) {
  for lane in 0..<2 * shape.lanes { sums[lane] = 0 }
  let size = MemoryLayout<V>.size
  var first = 0
  while first < shape.columns {
    let end = min(first + binsPerSum, shape.columns)
    var lane = 0
    while lane < shape.pixelByteCount {
      var a = V(), b = V()
      for bin in first..<end {
        let (termA, termB) = terms(bin, lane)
        a += termA
        b += termB
      }
      let target = sums + lane / 4
      for index in 0..<size / 4 {
        target[index] += Double(a[index])
        target[shape.lanes + index] += Double(b[index])
      }
      lane += size
    }
    first = end
  }
}
