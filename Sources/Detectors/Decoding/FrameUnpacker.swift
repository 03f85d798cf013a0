internal import Glibc
import Host
internal import Packing

/// Puts an image's rows where they belong, as pixels of this machine.
package final class FrameUnpacker {
  private let format: FrameFormat
  /// Detector rows that are wanted.
  private let rows: Range<Int>
  /// A whole image, unpacked; made with the first one that needs it.
  private var whole: UnsafeMutableRawBufferPointer?

  /// Of images of `format`, the detector rows `rows`.
  package init(format: FrameFormat, rows: Range<Int>) {
    precondition(
      rows.lowerBound >= 0 && rows.upperBound <= format.rows && !rows.isEmpty, "rows \(rows) of \(format.rows)")
    (self.format, self.rows) = (format, rows)
  }

  deinit { whole?.deallocate() }

  private var rowByteCount: Int { format.columns * format.pixel.byteCount }

  /// Bytes of the rows that are wanted.
  var byteCount: Int { rows.count * rowByteCount }

  /// Writes the wanted rows into `target`, which holds `byteCount` bytes. Throws `.compression` where the image does
  /// not unpack to its format; then `target` may hold anything.
  package func unpack(
    _ image: UnsafeRawBufferPointer, _ header: FrameHeader, into target: UnsafeMutableRawBufferPointer
  )
    throws(MessageFault)
  {
    precondition(target.count == byteCount, "room for \(target.count) B of \(byteCount)")
    switch header.encoding {
    case .none:
      precondition(image.count == format.byteCount, "an image of \(image.count) B, \(format.byteCount) were checked")
      memcpy(target.baseAddress!, image.baseAddress! + rows.lowerBound * rowByteCount, byteCount)
    case .lz4, .lz4Blocks, .bitshuffleLZ4, .bitshuffleBlocks:
      // Where all rows are wanted they go straight to their place.
      if rows.count == format.rows {
        try decompress(image, header.encoding, into: target)
      } else {
        let whole = self.whole ?? .allocate(byteCount: format.byteCount, alignment: 64)
        self.whole = whole
        try decompress(image, header.encoding, into: whole)
        memcpy(target.baseAddress!, whole.baseAddress! + rows.lowerBound * rowByteCount, byteCount)
      }
    }
    if header.isBigEndian { swapBytes(target) }
  }

  private func decompress(
    _ image: UnsafeRawBufferPointer, _ encoding: FrameEncoding, into target: UnsafeMutableRawBufferPointer
  ) throws(MessageFault) {
    do throws(PackingFault) {
      if encoding == .lz4 { return try decompressBlock(image, into: target) }
      if encoding == .lz4Blocks { return try decompressBlocks(image, into: target) }
      try unshuffleImage(
        image, hasSizes: encoding == .bitshuffleLZ4, elementByteCount: format.pixel.byteCount, into: target)
    } catch { throw .compression }
  }

  private func swapBytes(_ target: UnsafeMutableRawBufferPointer) {
    switch format.pixel.byteCount {
    case 2:
      for pixel in target.assumingMemoryBound(to: UInt16.self).indices {
        target.assumingMemoryBound(to: UInt16.self)[pixel].swapBytes()
      }
    case 4:
      for pixel in target.assumingMemoryBound(to: UInt32.self).indices {
        target.assumingMemoryBound(to: UInt32.self)[pixel].swapBytes()
      }
    default: break
    }
  }
}

extension FixedWidthInteger {
  fileprivate mutating func swapBytes() { self = byteSwapped }
}
