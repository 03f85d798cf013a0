import KernelTypes

// Looking at a slice of a volume that is being updated.
extension VolumeRegion {
  /// Copies slice `row` of the newest generation, columns × columns pixels in 1/pixel, and gives the update that made
  /// that generation. Nil where there is none yet, or where the worker made new ones each time before the slice was
  /// read: then look again later.
  package func snapshot(row: Int, into slice: UnsafeMutableBufferPointer<Float>) throws(EventError) -> UpdateEvent? {
    let read = withNewest { generation in
      layout.copySlice(row: row, from: generation.base, into: slice)
      // Only one that did not change meanwhile is looked into.
      return Result { () throws(EventError) in try newestUpdate() }
    }
    return try read?.result.get()
  }
}
