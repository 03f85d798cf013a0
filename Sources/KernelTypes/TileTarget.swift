/// What becomes of the sums of a tile: `next = x + scale · sum`, or `next = sum`, or they stay in the tile's buffer.
package struct TileTarget: Sendable {
  /// What an update starts from, and how far it goes.
  package struct Update: @unchecked Sendable {
    /// Pixel (0, 0) of the block that is read; may be the memory that is written.
    package let x: UnsafeRawPointer
    /// One value a pixel; a pixel with scale 0 is copied.
    package let scales: UnsafePointer<Float>
    /// Values between two rows of `scales`.
    package let scalesPitch: Int
    /// Cut pixels that are updated at zero.
    package let isNonNegative: Bool
    /// Write past the caches; `x` must be other memory, and pixels whole cache lines.
    package let streams: Bool

    /// Describes an update; the pointers must outlive the kernel's call.
    package init(
      x: UnsafeRawPointer, scales: UnsafePointer<Float>, scalesPitch: Int, isNonNegative: Bool, streams: Bool
    ) {
      self.x = x
      self.scales = scales
      self.scalesPitch = scalesPitch
      self.isNonNegative = isNonNegative
      self.streams = streams
    }
  }

  // Sound to send: the kernels' callers give each thread its own tiles.
  /// Pixel (0, 0) of the block that is written.
  package nonisolated(unsafe) let next: UnsafeMutableRawPointer
  /// Nil to store the sums as they are.
  package let update: Update?
  /// The sums stay in the buffer, and `next` is what the caller will read or write with them.
  package let keepsSums: Bool

  /// Writes to `next`, unless the sums are kept.
  package init(next: UnsafeMutableRawPointer, update: Update? = nil, keepsSums: Bool = false) {
    self.next = next
    self.update = update
    self.keepsSums = keepsSums
  }
}
