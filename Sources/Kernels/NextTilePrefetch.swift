import CVector
import KernelTypes

/// The tile right of the present one, brought into the cache a few lines at a time: what its last pass will read or
/// write.
struct NextTilePrefetch {
  private let read: UnsafeRawPointer
  /// Nil where nothing else than what is read will be written, or that past the caches.
  private let written: UnsafeMutableRawPointer?
  private let rowByteCount: Int
  private let pitch: Int
  private let linesPerCall: Int
  /// Where the next line is.
  private var offset = 0
  private var column = 0
  private var rows: Int

  /// Spreads the tile over the calls of `fetch` in `passes` over the present tile, one for each pair of pixels.
  init(after tile: Tile, target: TileTarget, passes: Int, shape: KernelShape) {
    let column = tile.column + Tile.edge, pixel = shape.pixelByteCount
    let width = min(Tile.edge, shape.columns - column)
    pitch = shape.volumePitch * pixel
    rowByteCount = max(0, width) * pixel
    rows = width > 0 ? tile.height : 0
    let start = (tile.row * shape.volumePitch + column) * pixel
    if let update = target.update, update.x != UnsafeRawPointer(target.next) {
      read = update.x + start
      written = update.streams ? nil : target.next + start
    } else {
      read = UnsafeRawPointer(target.next + start)
      written = nil
    }
    let calls = passes * (tile.width * tile.height + 1) / 2
    linesPerCall = (Tile.edge * rowByteCount / 64 + calls - 1) / max(1, calls)
  }

  @inline(__always) mutating func fetch() {
    guard rows > 0 else { return }
    for line in 0..<linesPerCall {
      cvector_prefetch(read + offset + line * 64)
      if let written { cvector_prefetch_write(written + offset + line * 64) }
    }
    offset += linesPerCall * 64
    column += linesPerCall * 64
    if column >= rowByteCount {
      rows -= 1
      offset += pitch - column
      column = 0
    }
  }
}
