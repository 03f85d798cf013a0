import Glibc
import Host
import ScanFiles
import Tomography

/// Brings a live source's images into the form of a slot: cropped, binned, and where lost projections are interpolated,
/// mixed with their predecessors. Without binning and interpolation an image goes straight from its message to its
/// slot.
final class FramePixels {
  private let configuration: LiveSource.Configuration
  private let unpacker: FrameUnpacker
  private let unbinned: UnsafeMutableRawBufferPointer?
  /// With interpolation: the last projection, and the one behind a gap.
  private let neighbours: (last: UnsafeMutableRawBufferPointer, next: UnsafeMutableRawBufferPointer)?
  private var hasNext = false

  init(_ configuration: LiveSource.Configuration) {
    self.configuration = configuration
    unpacker = FrameUnpacker(format: configuration.format, rows: configuration.rows)
    let (format, rows, binning) = (configuration.format, configuration.rows.count, configuration.binning)
    unbinned = binning == 1 ? nil : .allocate(byteCount: rows * format.columns * format.pixel.byteCount, alignment: 64)
    let byteCount = (rows / binning) * (format.columns / binning) * (binning == 1 ? format.pixel.byteCount : 4)
    func buffer() -> UnsafeMutableRawBufferPointer { .allocate(byteCount: byteCount, alignment: 64) }
    neighbours = configuration.onGap == .interpolate ? (buffer(), buffer()) : nil
  }

  deinit {
    unbinned?.deallocate()
    neighbours?.last.deallocate()
    neighbours?.next.deallocate()
  }

  /// Writes an image into `target`, or with a weight below 1 what lies so far between the last projection and it.
  func write(_ image: SourceFrame.StreamImage, into target: UnsafeMutableRawBufferPointer) throws(MessageFault) {
    guard let (last, next) = neighbours else { return try unpack(image, into: target) }
    if image.weight < 1, !hasNext {
      try unpack(image, into: next)
      hasNext = true
    }
    if image.weight < 1 { return mix(last, next, image.weight, into: target) }
    if hasNext {
      target.copyMemory(from: UnsafeRawBufferPointer(next))
      hasNext = false
    } else {
      try unpack(image, into: target)
    }
    last.copyMemory(from: UnsafeRawBufferPointer(target))
  }

  private func unpack(_ image: SourceFrame.StreamImage, into target: UnsafeMutableRawBufferPointer) throws(MessageFault)
  {
    guard let unbinned else { return try unpacker.unpack(image.bytes, image.header, into: target) }
    try unpacker.unpack(image.bytes, image.header, into: unbinned)
    bin(
      UnsafeRawPointer(unbinned.baseAddress!), type: configuration.format.pixel, rows: configuration.rows.count,
      columns: configuration.format.columns, by: configuration.binning,
      into: target.baseAddress!.assumingMemoryBound(to: Float.self))
  }

  private func mix(
    _ last: UnsafeMutableRawBufferPointer, _ next: UnsafeMutableRawBufferPointer, _ weight: Float,
    into target: UnsafeMutableRawBufferPointer
  ) {
    switch configuration.binning == 1 ? configuration.format.pixel : .float32 {
    case .uint8: mix(last, next, weight, into: target, as: UInt8.self)
    case .uint16: mix(last, next, weight, into: target, as: UInt16.self)
    case .uint32: mix(last, next, weight, into: target, as: UInt32.self)
    case .float32:
      let (a, b, sum) = (
        last.assumingMemoryBound(to: Float.self), next.assumingMemoryBound(to: Float.self),
        target.assumingMemoryBound(to: Float.self)
      )
      for pixel in sum.indices { sum[pixel] = a[pixel] + (b[pixel] - a[pixel]) * weight }
    }
  }

  /// Counts, rounded to the nearest.
  private func mix<Count: FixedWidthInteger & UnsignedInteger>(
    _ last: UnsafeMutableRawBufferPointer, _ next: UnsafeMutableRawBufferPointer, _ weight: Float,
    into target: UnsafeMutableRawBufferPointer, as type: Count.Type
  ) {
    let (a, b, sum) = (
      last.assumingMemoryBound(to: type), next.assumingMemoryBound(to: type), target.assumingMemoryBound(to: type)
    )
    // Doubles hold every count exactly, and what lies between two counts rounds to a count.
    for pixel in sum.indices {
      sum[pixel] = Count((Double(a[pixel]) + (Double(b[pixel]) - Double(a[pixel])) * Double(weight)).rounded())
    }
  }
}
