public import KernelTypes

/// Turns a projected row into R (b − A x), and gives Σ (b − A x)² and Σ b² for each lane in `sums[0..<lanes]` and `sums[lanes..<2 · lanes]`.
///
/// `projected` and `data` are bin 0 of a row; `weights` hold one value of R for each bin.
public func residualRow(
  _ projected: UnsafeMutableRawPointer, data: UnsafeRawPointer, weights: UnsafePointer<Float>, shape: KernelShape,
  sums: UnsafeMutablePointer<Double>
) {
  for lane in 0..<2 * shape.lanes { sums[lane] = 0 }
  if shape.lanes % 16 == 0 {
    residualRow(projected, data, weights, shape, sums, SIMD16<Float>.self)
  } else {
    residualRow(projected, data, weights, shape, sums, SIMD4<Float>.self)
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

/// Writes `next = x + scale · buffer` for a tile, cut at zero if `isNonNegative`; a pixel with scale 0 is copied.
///
/// `x`, `next` and `scales` (one value a pixel, rows `scalesPitch` apart) point at pixel (0, 0) of the block.
public func updateTile(
  _ tile: Tile, buffer: UnsafeRawPointer, x: UnsafeRawPointer, next: UnsafeMutableRawPointer, scales: UnsafePointer<Float>,
  scalesPitch: Int, isNonNegative: Bool, shape: KernelShape
) {
  let pixel = shape.pixelByteCount
  for row in 0..<tile.height {
    let start = ((tile.row + row) * shape.volumePitch + tile.column) * pixel
    let sums = buffer + row * Tile.pitch * pixel
    let rowScales = scales + ((tile.row + row) * scalesPitch + tile.column)
    for column in 0..<tile.width {
      let offset = column * pixel
      let scale = rowScales[column]
      if shape.lanes % 16 == 0 {
        updatePixel(sums + offset, x + start + offset, next + start + offset, scale, isNonNegative, pixel, Lanes16.self)
      } else {
        updatePixel(sums + offset, x + start + offset, next + start + offset, scale, isNonNegative, pixel, Lanes4.self)
      }
    }
  }
}

@inline(__always) private func updatePixel<Group: LaneGroup>(
  _ sums: UnsafeRawPointer, _ x: UnsafeRawPointer, _ next: UnsafeMutableRawPointer, _ scale: Float, _ isNonNegative: Bool,
  _ pixel: Int, _: Group.Type
) {
  var lane = 0
  while lane < pixel {
    var value = Group(x + lane)
    if scale != 0 {
      value.add(scale, Group(sums + lane))
      if isNonNegative { value.cutAtZero() }
    }
    value.store(next + lane)
    lane += Group.byteCount
  }
}
