import Host

/// What the beam was in each frame, by NXtomo's `ENTRY/control/data`: "total integral monitor counts for each measured
/// frame".
struct BeamMonitor {
  /// What the frames of one kind are multiplied with, above the dark field, to have the same beam.
  let projections, flats: [Float]
  let notice: String

  /// Where a frame has no such count, or hardly any, the beam was not there: it stays as it is, to be told as empty.
  private static let partMin = 1e-3
  /// Counts that differ less than this say nothing.
  private static let changeMin = 1e-6

  /// From the counts of the frames with keys 0 (projections) and 1 (flats); nil where they are all the same. Throws
  /// nothing: what cannot be used is told in `notices`.
  init?(_ counts: [Double], of name: String, keys: [Double], notices: inout [String]) {
    func beam(_ key: Double) -> [Double] { zip(counts, keys).filter { $0.1 == key }.map { $0.0 } }
    let (projections, flats) = (beam(0), beam(1))
    let known = (flats.isEmpty ? projections : flats).filter { $0.isFinite && $0 > 0 }
    let mean = known.reduce(0, +) / Double(max(known.count, 1))
    func isUsable(_ count: Double) -> Bool { count.isFinite && count > mean * Self.partMin }
    let usable = (projections + flats).filter(isUsable)
    guard !known.isEmpty, 2 * usable.count >= projections.count + flats.count,
      let least = usable.min(), let most = usable.max()
    else {
      notices.append("\(name) has no beam in most of the frames and is not used")
      return nil
    }
    guard most - least > Self.changeMin * most else { return nil }
    func scales(_ counts: [Double]) -> [Float] { counts.map { isUsable($0) ? Float(mean / $0) : 1 } }
    (self.projections, self.flats) = (scales(projections), scales(flats))
    let without = projections.count + flats.count - usable.count
    let range = "\((least / mean * 1000).rounded() / 10) to \((most / mean * 1000).rounded() / 10) %"
    notice =
      "projections and flats are normalised by the beam monitor, \(name), which has \(range) of its mean"
      + (without == 0 ? "" : "; \(without) of the frames without such a count stay as they are")
  }
}

/// A scan whose frames are brought to the same beam: dark + (counts − dark) × scale, in single precision.
final class MonitoredReader: ScanReader {
  let info: ScanInfo
  private let scan: HDF5ScanReader
  private let monitor: BeamMonitor
  /// The mean dark field, rows × columns; nil before it is needed.
  private var dark: [Float]?

  /// Of a scan whose frames are all of one dataset.
  init(_ scan: HDF5ScanReader, _ monitor: BeamMonitor) {
    (self.scan, self.monitor) = (scan, monitor)
    var info = scan.info
    (info.pixel, info.flatPixel, info.darkPixel) = (.float32, .float32, .float32)
    info.notices.append(monitor.notice)
    self.info = info
  }

  func readProjection(_ index: Int, rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    try read(scan.projections, index, rows, monitor.projections[index], into: buffer)
  }

  func readFlat(_ index: Int, rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    try read(scan.flats, index, rows, monitor.flats[index], into: buffer)
  }

  func readDark(_ index: Int, rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    try scan.darks.read(index, rows: rows, into: floats(buffer))
  }

  private func read(
    _ stack: FrameStack, _ index: Int, _ rows: Range<Int>, _ scale: Float, into buffer: UnsafeMutableRawBufferPointer
  ) throws(FileError) {
    let pixels = floats(buffer), first = rows.lowerBound * info.columns
    try stack.read(index, rows: rows, into: pixels)
    guard scale != 1 else { return }
    let dark = try meanDark()
    for pixel in pixels.indices { pixels[pixel] = dark[first + pixel] + (pixels[pixel] - dark[first + pixel]) * scale }
  }

  /// Zeros without dark fields.
  private func meanDark() throws(FileError) -> [Float] {
    if let dark { return dark }
    var sums = [Double](repeating: 0, count: info.rows * info.columns)
    let frame = UnsafeMutableBufferPointer<Float>.allocate(capacity: sums.count)
    defer { frame.deallocate() }
    for index in 0..<info.darkCount {
      try scan.darks.read(index, rows: 0..<info.rows, into: frame)
      for pixel in sums.indices { sums[pixel] += Double(frame[pixel]) }
    }
    let mean = sums.map { Float($0 / Double(max(1, info.darkCount))) }
    dark = mean
    return mean
  }

  private func floats(_ buffer: UnsafeMutableRawBufferPointer) -> UnsafeMutableBufferPointer<Float> {
    // Sound: a buffer of this reader's pixels, which are floats.
    buffer.bindMemory(to: Float.self)
  }
}

/// Where NXtomo has the counts of a beam monitor.
func monitorName(_ entry: String) -> String { "\(entry)/control/data" }

/// The monitor of an NXtomo entry; nil where there is none that can be used, which `notices` tell. `reason` is why none
/// is to be used. A scan that ended early has `keys` for the first of its `frames`.
func readMonitor(
  _ file: HDF5File, entry: String?, unless reason: String?, keys: [Double], frames: Int, notices: inout [String]
) throws(FileError) -> BeamMonitor? {
  guard let name = entry.map(monitorName) else { return nil }
  let counts: [Double]
  do throws(FileError) {
    guard try file.hasDataset(name) else { return nil }
    if let reason {
      notices.append("the beam monitor, \(name), is not used: \(reason)")
      return nil
    }
    counts = try file.numbers(name)
  } catch {
    // The scan is whole without it.
    guard case .badData(_, let reason) = error else { throw error }
    notices.append("the beam monitor is not used: \(reason)")
    return nil
  }
  guard counts.count == keys.count || counts.count == frames else {
    notices.append("\(name) has \(counts.count) values for \(keys.count) frames and is not used")
    return nil
  }
  return BeamMonitor(Array(counts.prefix(keys.count)), of: name, keys: keys, notices: &notices)
}
