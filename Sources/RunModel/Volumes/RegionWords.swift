import CLinux
import Rings

/// The words that a region of a run begins with, and that never change:
///
/// ```
///    0  magic u32, layout u32      8  runID 16 B      24  words of the region's own      …  CRC32C of all before
/// ```
///
/// There are as many words as the caller takes; `own` are all but seven of these.
func regionWords<let count: Int>(
  magic: UInt32, layout: UInt32, _ runID: RunID, _ own: UInt32...
) -> InlineArray<count, UInt32> {
  precondition(own.count == count - 7, "\(own.count) words of a region's own in \(count)")
  var words = InlineArray<count, UInt32>(repeating: 0)
  withUnsafeMutableBytes(of: &words) { bytes in
    bytes.store(magic, at: 0)
    bytes.store(layout, at: 4)
    bytes.store(runID.low, at: 8)
    bytes.store(runID.high, at: 16)
    for (index, word) in own.enumerated() { bytes.store(word, at: 24 + 4 * index) }
    let checked = bytes.count - 4
    bytes.store(clinux_crc32c(0, bytes.baseAddress, checked), at: checked)
  }
  return words
}
