/// The values that the least and the greatest integer of a sample stand for, the same for all slices.
package enum SampleRange: Equatable, Sendable {
  /// Values in the unit of the output.
  case values(Float, Float)
  /// Values that so many per cent of the voxels inside the disk do not exceed.
  case percentiles(Double, Double)

  /// What leaves out few voxels and is not widened by a few.
  package static let standard = SampleRange.percentiles(0.1, 99.9)
}

extension VolumeExport {
  /// What counts voxels where the range depends on them; nil where it does not.
  func makeHistogram() -> VoxelHistogram? {
    guard let tiff = configuration.tiff, tiff != .float32, case .percentiles = configuration.range else { return nil }
    return VoxelHistogram(columns: source.columns)
  }

  /// The range of integers, in the unit of the output, once all voxels are counted; nil where there are no integers.
  func range(_ histogram: VoxelHistogram?) -> ClosedRange<Float>? {
    guard let tiff = configuration.tiff, tiff != .float32 else { return nil }
    switch (configuration.range, histogram) {
    case (.values(let low, let high), _): return low...high
    case (.percentiles(let low, let high), let histogram?):
      let (low, high) = (histogram.value(atPercent: low), histogram.value(atPercent: high))
      return low * configuration.scale...max(low, high) * configuration.scale
    case (.percentiles, nil): preconditionFailure("voxels were not counted")
    }
  }

  /// The same of a volume that was written before.
  func range() throws -> ClosedRange<Float>? {
    var histogram = makeHistogram()
    if histogram != nil {
      _ = try forEachGroup { _, voxels in
        histogram?.add(UnsafeBufferPointer(voxels))
        return true
      }
    }
    return range(histogram)
  }
}
