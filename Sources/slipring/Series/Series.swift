import Foundation
import Glibc
import Host
import Run
import ScanFiles
import ScanPlan

/// Reconstructs a scan file part by part, each into a folder of its own, and joins the volumes.
///
/// ```
/// series.json                what is to be made, and what is there of it; replaced after each volume
/// volume_00000/              the output of the first volume's run, and its run folder
/// <name>_series.h5, .zarr    all volumes, with time as the first axis
/// ```
/// The same command goes on where it ended: volumes that are there stay, one whose files were removed is made again,
/// and a run that was killed is resumed.
struct Series {
  let scan: ScanDescription
  let interval: VolumeInterval
  let signals: SignalDescriptor
  let executable: String

  /// What came of one part.
  struct Volume: Codable {
    /// Its projections, as the scan file numbers them.
    let firstProjection: Int
    let projections: Int
    let result: RunResult
    /// Why it is not there, where its projections show nothing; nil where it is.
    var failure: String?
  }

  /// What came of all.
  struct SeriesResult: Codable {
    /// The rotation axis of all volumes, in pixels from the detector's left edge.
    var rotationAxis: Double
    /// Projections at the end that make no volume.
    var left: Int
    var volumes: [Volume] = []
    /// Files with all volumes.
    var outputs: [String] = []
  }

  private struct Manifest: Codable {
    var scan: [String: String]
    /// Size and time of each of its files.
    var input: [[Int]]
    var result: SeriesResult
  }

  private var manifestPath: String { "\(scan.outputFolder)/series.json" }

  /// Runs all that is not there yet. A volume whose projections show nothing is told and left out: the others are made
  /// all the same.
  /// - Throws: what the first run that fails otherwise throws; the volumes before it stay. At the end `.data` where a
  ///   volume is left out.
  func run(command: [String], monitor: any RunMonitor, notice: (String) -> Void) throws -> SeriesResult {
    try scan.validate()
    let info = try scan.openInput().info, parts = try interval.parts(thetas: info.thetas)
    try RunFolder.makeFolder(scan.outputFolder, for: .usual)
    var manifest = try begin(info, parts)
    let count = info.thetas.count
    notice(
      "\(parts.count) volume\(parts.count == 1 ? "" : "s") of \(Self.sizes(parts)) projections"
        + (manifest.result.left > 0 ? "; the last \(manifest.result.left) of \(count) make none and are left out" : ""))
    for (index, part) in parts.enumerated() where try !isThere(index, in: manifest) {
      var one = scan.part(part)
      let numbers = one.subset?.numbers ?? part
      one.rotationAxis = .pixels(manifest.result.rotationAxis)
      one.outputFolder = folder(index)
      if one.durability == .durable { one.runFolder = runFolder(index) }
      func tell(_ line: String) { notice("volume \(index): \(line)") }
      let outcome = try reconstruct(one, command: command, monitor: monitor, notice: tell)
      outcome.notices.forEach(tell)
      if let failure = outcome.failure {
        guard failure.sysExit == .data else { throw failure }
        tell(failure.description)
      }
      let volume = Volume(
        firstProjection: numbers.lowerBound, projections: numbers.count, result: outcome.result,
        failure: outcome.failure?.description)
      let volumes = manifest.result.volumes
      manifest.result.volumes.replaceSubrange(index..<min(index + 1, volumes.count), with: [volume])
      try save(manifest)
    }
    manifest.result.outputs = try join(manifest.result.volumes)
    try save(manifest)
    return manifest.result
  }

  /// Whether nothing is left to do for a volume. One that was made, and whose files somebody has removed since, is made
  /// by a new run.
  private func isThere(_ index: Int, in manifest: Manifest) throws -> Bool {
    guard manifest.result.volumes.indices.contains(index) else { return false }
    let volume = manifest.result.volumes[index]
    guard volume.failure == nil, !outputs(index, of: volume).allSatisfy({ access($0, F_OK) == 0 }) else {
      return true
    }
    let run = runFolder(index)
    guard access(run, F_OK) == 0, !RunFolder(path: run).isUnfinished else { return false }
    do { try FileManager.default.removeItem(atPath: run) } catch {
      throw ScanFailure(.inputOutput, "cannot remove \(run), whose volume is gone: \(error.localizedDescription)")
    }
    return false
  }

  /// What is to be said of volumes that are left out; nil where all are there.
  static func failure(of result: SeriesResult) -> ScanFailure? {
    let lacking = result.volumes.indices.filter { result.volumes[$0].failure != nil }
    guard let first = lacking.first, let why = result.volumes[first].failure else { return nil }
    let numbers = lacking.prefix(8).map(String.init).joined(separator: ", ") + (lacking.count > 8 ? ", …" : "")
    return ScanFailure(
      .data,
      "\(lacking.count) of \(result.volumes.count) volumes are left out (\(numbers)), the first because: \(why)")
  }

  /// A series that is begun, or the one that was.
  private func begin(_ info: ScanInfo, _ parts: [Range<Int>]) throws -> Manifest {
    let words = scan.words, input = try scan.inputFiles().map(Self.sizeAndTime)
    if access(manifestPath, F_OK) == 0 {
      let manifest = try readManifest()
      guard manifest.scan == words, manifest.input == input else {
        throw ScanFailure(
          .cannotCreate,
          "\(scan.outputFolder) holds another series, or one of a file that has changed; choose another "
            + "--output-folder")
      }
      return manifest
    }
    for index in parts.indices where access(folder(index), F_OK) == 0 {
      throw ScanFailure(
        .cannotCreate, "\(folder(index)) is there, and no series is; choose another --output-folder")
    }
    let axis = try axis(info)
    let manifest = Manifest(
      scan: words, input: input,
      result: SeriesResult(rotationAxis: axis, left: info.thetas.count - (parts.last?.upperBound ?? 0)))
    try save(manifest)
    return manifest
  }

  /// One axis for all volumes, so that they lie on each other: from the first half turn where that is one.
  private func axis(_ info: ScanInfo) throws -> Double {
    if case .pixels(let axis) = scan.rotationAxis { return axis }
    let turn = (try? VolumeInterval.halfTurn.parts(thetas: info.thetas))?.first
    return try Planner(scan.part(turn ?? info.thetas.indices), topology: .current()).detectorAxis()
  }

  private func reconstruct(
    _ one: ScanDescription, command: [String], monitor: any RunMonitor, notice: (String) -> Void
  ) throws -> Reconstruction.ReconstructionOutcome {
    if let path = one.runFolder, RunFolder(path: path).isBegun {
      return try Reconstruction.resume(
        RunFolder(path: path), overwrites: true, executable: executable, signals: signals, monitor: monitor,
        finishes: false, notice: notice)
    }
    return try Reconstruction(one, command: command, signals: signals, overwrites: true, abandon: {})
      .run(executable: executable, monitor: monitor, notice: notice)
  }

  /// Joins what the volumes have in common: for each of their HDF5 files and Zarr folders one of the series.
  private func join(_ volumes: [Volume]) throws -> [String] {
    let whole = volumes.indices.filter { volumes[$0].failure == nil }
    guard let first = whole.first else { return [] }
    let names = volumes[first].result.outputs.map { String($0.split(separator: "/").last ?? "") }
    var outputs: [String] = []
    for name in names where name.hasSuffix(".h5") || name.hasSuffix(".zarr") {
      let halves = name.split(separator: ".", maxSplits: .max).map(String.init)
      let path = "\(scan.outputFolder)/\(halves.dropLast().joined(separator: "."))_series.\(halves[halves.count - 1])"
      outputs.append(absolutePath(path))
      let series = VolumeSeries(
        volumes: whole.map { "\(folder($0))/\(name)" },
        times: whole.map { Double(volumes[$0].firstProjection) + Double(volumes[$0].projections - 1) / 2 })
      if name.hasSuffix(".h5") {
        try series.writeHDF5(to: path)
      } else if access(path, F_OK) != 0 {
        try series.writeZarr(to: path)
      }
    }
    return outputs
  }

  private func name(_ index: Int) -> String {
    let digits = "\(index)"
    return "volume_" + String(repeating: "0", count: max(0, 5 - digits.count)) + digits
  }

  private func folder(_ index: Int) -> String { "\(scan.outputFolder)/\(name(index))" }

  /// The files of a volume, also where all of it was moved.
  private func outputs(_ index: Int, of volume: Volume) -> [String] {
    volume.result.outputs.map { "\(folder(index))/\($0.split(separator: "/").last ?? "")" }
  }

  private func runFolder(_ index: Int) -> String { "\(scan.runFolder ?? scan.outputFolder)/\(name(index))/run" }

  private static func sizes(_ parts: [Range<Int>]) -> String {
    let counts = parts.map(\.count), (least, most) = (counts.min() ?? 0, counts.max() ?? 0)
    return least == most ? "\(most)" : "\(least) to \(most)"
  }

  // MARK: The manifest

  private static let manifestByteCountMax = 64 << 20

  private func save(_ manifest: Manifest) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try writeFileAtomically(path: manifestPath, bytes: Array(encoder.encode(manifest)))
  }

  private func readManifest() throws(ScanFailure) -> Manifest {
    let failure = ScanFailure(
      .cannotCreate, "\(manifestPath) does not hold what a series writes there; choose another --output-folder")
    var status = stat()
    guard lstat(manifestPath, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
      status.st_size <= Self.manifestByteCountMax, let data = FileManager.default.contents(atPath: manifestPath)
    else { throw failure }
    do { return try JSONDecoder().decode(Manifest.self, from: data) } catch { throw failure }
  }

  private static func sizeAndTime(_ path: String) throws(ScanFailure) -> [Int] {
    var status = stat()
    guard stat(path, &status) == 0 else { throw ScanFailure(.noInput, "cannot open \(path): \(Errno.current)") }
    return [Int(status.st_size), status.st_mtim.tv_sec, status.st_mtim.tv_nsec]
  }
}
