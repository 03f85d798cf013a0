import CVector
package import KernelTypes

/// Writes `next = max(x · scale · buffer, factorMin · x)` for a tile; a pixel with scale 0 is copied.
///
/// `x`, `next` and `scales` (one value a pixel, rows `scalesPitch` apart) point at pixel (0, 0) of the block.
/// With `streams`, which needs a `next` that is not `x`, it is written past the caches.
package func scaleTile(
  _ tile: Tile, buffer: UnsafeRawPointer, x: UnsafeRawPointer, next: UnsafeMutableRawPointer,
  scales: UnsafePointer<Float>,
  scalesPitch: Int, factorMin: Float, streams: Bool, shape: KernelShape
) {
  let pixel = shape.pixelByteCount
  for row in 0..<tile.height {
    let start = ((tile.row + row) * shape.volumePitch + tile.column) * pixel
    let sums = buffer + row * Tile.pitch * pixel
    let rowScales = scales + ((tile.row + row) * scalesPitch + tile.column)
    for column in 0..<tile.width {
      let offset = column * pixel
      switch shape.lanes {
      case 2:
        scalePixel(
          sums + offset, x + start + offset, next + start + offset, rowScales[column], factorMin, streams, pixel,
          SIMD2<Float>.self)
      case 4:
        scalePixel(
          sums + offset, x + start + offset, next + start + offset, rowScales[column], factorMin, streams, pixel,
          SIMD4<Float>.self)
      default:
        scalePixel(
          sums + offset, x + start + offset, next + start + offset, rowScales[column], factorMin, streams, pixel,
          SIMD16<Float>.self)
      }
    }
  }
  if streams { cvector_stream_end() }
}

@inline(__always) private func scalePixel<V: LaneVector>(
  _ sums: UnsafeRawPointer, _ x: UnsafeRawPointer, _ next: UnsafeMutableRawPointer, _ scale: Float, _ factorMin: Float,
  _ streams: Bool,
  _ pixel: Int, _: V.Type
) {
  var lane = 0
  while lane < pixel {
    var value = vector(x + lane, V.self)
    if scale != 0 {
      value = (value * (vector(sums + lane, V.self) * scale)).raised(to: factorMin * value)
    }
    value.store(next + lane, streams: streams)
    lane += MemoryLayout<V>.size
  }
}
