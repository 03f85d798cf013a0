import Foundation
import Glibc
import Host
import Run
import ScanFiles
import ScanPlan
import Tomography

/// Reconstructs one row of a scan once for each value of a key, and puts the slices beside each other.
struct Sweep {
  /// One value's slice.
  struct Trial: Encodable {
    let value: String
    /// A TIFF, float32.
    let slice: String
    let seconds: Double
    /// Entropy of the grey values in the disc that all rays cross, in nats: small for sharp slices of few materials.
    let entropy: Double
  }

  /// What it found.
  struct SweepReport: Encodable {
    let key: String
    /// Detector row, from the top.
    let row: Int
    let trials: [Trial]
    /// For the rotation axis: the value with the sharpest slice.
    let best: String?
    /// An SVG file.
    let picture: String
    /// The same as a PNG file.
    let strip: String
  }

  let scan: ScanDescription
  let values: SweepValues
  /// Nil for the middle one.
  let row: Int?
  let folder: String
  let signals: SignalDescriptor
  let executable: String

  /// The part of a slice's width that is compared.
  private static let discFraction = 0.45
  private static let outliers = 0.2
  private static let fixed: Set = [
    "input", "output-folder", "run-folder", "start-row", "end-row", "nsino", "format", "bits", "range", "compress",
    "zarr-version", "durability", "mirror", "parity", "retain", "scrub", "volume-every", "fabric", "granule",
    "local-rows",
    "granules", "nodes", "gather", "parts-patience", "uplink", "uplink-preview", "edge-patience",
  ]

  /// Runs all of it. `told` hears of each value before it is tried.
  func run(command: [String], monitor: any RunMonitor, told: (String) -> Void) throws -> SweepReport {
    try Self.refuseFixed(values.name)
    guard !scan.isLive else {
      throw ScanFailure(.usage, "\(scan.input) is a live source: a sweep reconstructs the same scan again and again")
    }
    let info = try scan.openInput().info
    let row = row ?? info.rows / 2
    guard (0..<info.rows).contains(row) else {
      throw ScanFailure(.usage, "--row \(row): the scan has rows 0 to \(info.rows - 1)")
    }
    // All mistakes before the first run.
    let descriptions = try values.words.map { try description($0, row: row, of: info.rows) }
    if let two = Dictionary(grouping: values.words, by: path).values.first(where: { $0.count > 1 }) {
      throw ScanFailure(
        .usage, "\(values.name): \(two.joined(separator: " and ")) make one file name, \(path(of: two[0]))")
    }
    try RunFolder.makeFolder(folder, for: .usual)
    let lock = try takeScratch()
    defer {
      Self.remove(scratch)
      withExtendedLifetime(lock) {}
    }
    var slices: [[Float]] = [], seconds: [Double] = []
    for (word, description) in zip(values.words, descriptions) {
      told(word)
      try signals.stopOnSignal()
      let outcome = try Reconstruction(
        description, command: command, signals: signals, abandon: { [scratch] in Self.remove(scratch) }
      ).run(executable: executable, monitor: monitor, notice: { _ in })
      if let failure = outcome.failure { throw failure }
      // Denoised, where that is what is varied: it is the last.
      guard let volume = outcome.result.outputs.last(where: { $0.hasSuffix(".h5") }) else {
        preconditionFailure("a run that ended well has written its volume: \(outcome.result.outputs)")
      }
      slices.append(try Self.slice(volume))
      seconds.append(outcome.result.seconds)
      try keep(slices[slices.count - 1], of: word)
      Self.remove(description.outputFolder)
    }
    return try report(slices, seconds, row: row)
  }

  /// Where the runs write, one after the other.
  private var scratch: String { "\(folder)/.slipring-sweep" }

  /// Makes the scratch folder, or takes it over from a sweep that was killed, and holds it for as long as this lives.
  private func takeScratch() throws -> LockFile {
    guard mkdir(scratch, 0o700) == 0 || errno == EEXIST else {
      throw ScanFailure(.cannotCreate, "cannot make \(scratch): \(Errno.current)")
    }
    var status = stat()
    guard lstat(scratch, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
      throw ScanFailure(.cannotCreate, "\(scratch) is in the way and is no folder; move it away")
    }
    // Who ended just now may have removed the file in between.
    guard let lock = try LockFile(path: "\(scratch)/lock"), access("\(scratch)/lock", F_OK) == 0 else {
      throw ScanFailure(.cannotCreate, "another sweep works in \(folder); choose another --output-folder")
    }
    Self.remove(runOutput)
    return lock
  }

  /// Where a run writes.
  private var runOutput: String { "\(scratch)/out" }

  private static func remove(_ folder: String) { try? FileManager.default.removeItem(atPath: folder) }

  /// Refuses a key whose value the sweep itself decides.
  static func refuseFixed(_ name: String) throws(ScanFailure) {
    guard fixed.contains(name) else { return }
    throw ScanFailure(
      .usage, "\(name) cannot be chosen here: a sweep makes one row (--row) of one input into TIFF files")
  }

  private func description(_ word: String, row: Int, of rows: Int) throws -> ScanDescription {
    var one = scan
    try one.set(values.name, to: word)
    (one.format, one.bits, one.durability, one.retain) = (.hdf5, .thirtyTwo, .memory, .none)
    (one.runFolder, one.outputFolder) = (nil, runOutput)
    try one.validate()
    // As many as make one row.
    let count = 1 << one.binning, first = max(0, min(row / count * count, rows - count))
    (one.startRow, one.endRow) = (first, first + count)
    return one
  }

  private static func slice(_ path: String) throws -> [Float] {
    let volume = try VolumeReader(path: path)
    var slice = [Float](repeating: 0, count: volume.columns * volume.columns)
    try slice.withUnsafeMutableBufferPointer { try volume.readSlice(0, into: $0) }
    return slice
  }

  /// A value as part of a file's name.
  private static func fileName(_ word: String) -> String {
    String(word.map { $0.isLetter || $0.isNumber || "+-.,".contains($0) ? $0 : "_" })
  }

  private func path(of word: String) -> String { "\(folder)/\(values.name)=\(Self.fileName(word)).tif" }

  private func keep(_ slice: [Float], of word: String) throws {
    let columns = Self.columns(slice)
    try slice.withUnsafeBufferPointer { values in
      try writeTIFF(
        path: path(of: word), columns: columns, rows: columns, values: values,
        description: "\(self.values.name) \(word)")
    }
  }

  private func report(_ slices: [[Float]], _ seconds: [Double], row: Int) throws -> SweepReport {
    let discs = slices.map { Self.disc($0, Self.columns($0)) }
    // One range for all, so that what differs is seen and not how it is shown.
    let ranges = discs.map { disc in disc.withUnsafeBufferPointer { greyRange($0, percentile: Self.outliers) } }
    let low = ranges.map(\.lowerBound).sorted()[ranges.count / 2]
    let high = max(ranges.map(\.upperBound).sorted()[ranges.count / 2], low.nextUp)
    let entropies = discs.map { greyEntropy($0, range: low...high) }
    let best =
      values.name == "rotation-axis" ? entropies.indices.min { entropies[$0] < entropies[$1] } : nil
    let shown = zip(values.words, slices).map { word, slice in
      (word, Self.columns(slice), slice.withUnsafeBufferPointer { greyLevels($0, low: low, high: high) })
    }
    let title = "\(values.name), row \(row) of \(URL(filePath: scan.input).lastPathComponent)"
    let picture = "\(folder)/sweep.svg", strip = "\(folder)/sweep.png"
    try writeFileAtomically(
      path: picture, text: SweepFigure(title: title, slices: shown, best: best).draw().document)
    try writeFileAtomically(path: strip, bytes: SweepStrip(slices: shown, best: best).draw(name: strip))
    return SweepReport(
      key: values.name, row: row,
      trials: values.words.indices.map {
        Trial(
          value: values.words[$0], slice: path(of: values.words[$0]), seconds: seconds[$0], entropy: entropies[$0])
      }, best: best.map { values.words[$0] }, picture: picture, strip: strip)
  }

  /// Of a square slice; not the same for each value of `binning`.
  private static func columns(_ slice: [Float]) -> Int { Int(Double(slice.count).squareRoot()) }

  /// Pixels that all rays cross.
  private static func disc(_ slice: [Float], _ columns: Int) -> [Float] {
    let middle = Double(columns - 1) / 2, radius = discFraction * Double(columns)
    return slice.indices.compactMap { index in
      let x = Double(index % columns) - middle, y = Double(index / columns) - middle
      return x * x + y * y <= radius * radius ? slice[index] : nil
    }
  }
}
