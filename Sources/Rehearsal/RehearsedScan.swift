import Host
import ScanPlan

/// A scan file as it is rehearsed: everything as it stands there, but for where images come from, where files go, and
/// whom the run would tell of them.
struct RehearsedScan {
  private(set) var scan: ScanDescription
  private let rows: Int
  private let columns: Int
  private let projections: Int
  /// What was left out, for people.
  let notices: [String]

  /// Refuses what cannot be rehearsed.
  init(_ scan: ScanDescription, _ detector: RehearsedDetector) throws(ScanFailure) {
    guard scan.isLive else {
      throw ScanFailure(.usage, "\(scan.input) is a file, which waits: a rehearsal is of a scan that a detector sends")
    }
    guard scan.volumeEvery == nil, scan.fabric == nil else {
      throw ScanFailure(.usage, "a series, and a run with nodes, cannot be rehearsed: leave volume-every or fabric out")
    }
    guard let shape = detector.shape ?? scan.detectorShape, let projections = scan.projections else {
      throw ScanFailure(.usage, "a rehearsal needs shape and projections: say them in the scan file")
    }
    guard [nil, .uint16, .float32].contains(scan.pixel) else {
      throw ScanFailure(
        .usage, "the virtual detector has pixels of uint16 or float32, not \(scan.pixel?.rawValue ?? "")")
    }
    (self.scan, rows, columns, self.projections) = (scan, shape.rows, shape.columns, projections)
    var left: [String] = []
    if scan.stopHook != nil { left.append("stop-hook") }
    if scan.events != nil { left.append("events") }
    if scan.mirror != nil { left.append("mirror") }
    if scan.parity != nil { left.append("parity") }
    notices = left.isEmpty ? [] : ["left out of the rehearsal: \(left.joined(separator: ", "))"]
    try self.scan.settleRotationAxis()
    self.scan.detectorShape = shape
    (self.scan.stopHook, self.scan.events, self.scan.eventsConfig, self.scan.acceptCommands) = (nil, nil, nil, nil)
    (self.scan.mirror, self.scan.parity) = (nil, nil)
    (self.scan.channel, self.scan.firstFrame) = (nil, nil)
  }

  /// What the run takes images from, and where its files go.
  func placed(_ address: String, output: String, run: String) -> ScanDescription {
    var placed = scan
    (placed.input, placed.outputFolder, placed.runFolder) = (address, output, run)
    return placed
  }

  /// The detector that sends what the scan asks for; one without a memory waits.
  func detector(rate: Double, memory: Int?, seed: UInt64) -> VirtualDetector.Setting {
    var whole = scan
    whole.subset = nil
    var axis = Double(columns) / 2
    if case .pixels(let given) = scan.rotationAxis, given > 0, given < Double(columns) { axis = given }
    return VirtualDetector.Setting(
      rows: rows, columns: columns, rate: rate, memory: memory, projections: projections, flats: scan.sentFlats ?? 0,
      darks: scan.sentDarks ?? 0, lineIntegrals: scan.pixel == .float32,
      thetas: whole.liveThetas.map { $0 * 180 / .pi }, axis: axis, seed: seed)
  }
}
