/// Memory for images on their way to disk, where the source cannot wait: what a disk that is slow for a while has not
/// taken yet stands there, and nothing is lost. These are the spill slots of the projections' ring.
enum DiskBuffer {
  /// What is always taken: some batches of the journal, and what `distribute` may be behind.
  static let byteCountMin = 64 << 20
  /// What is taken at most where nobody says more. It is cleared before the scan, which takes about a second a GiB.
  static let byteCountMax = 4 << 30
  /// This part at most of the memory that the run leaves free.
  static let memoryPart = 8
  /// Pauses of a disk last seconds, so what comes in so many is enough where the rate is known.
  static let seconds = 8.0
  /// A writer needs two, and more so that it need not wait for each.
  static let slotsMin = 4

  /// Slots of `stride` bytes for a scan of so many images: for `gibibytes` where those were asked for, otherwise for
  /// what the rate in images a second and `memoryFree` bytes suggest.
  static func slots(stride: Int, images: Int, gibibytes: Double?, rate: Double?, memoryFree: Int) -> Int {
    let wanted =
      gibibytes.map { $0 * 0x1p30 }
      ?? max(
        Double(byteCountMin),
        min(
          Double(byteCountMax), Double(memoryFree / memoryPart), rate.map { $0 * Double(stride) * seconds } ?? .infinity
        ))
    return max(slotsMin, min(Int(wanted / Double(stride)), images + 1))
  }
}
