import Host
import RunModel
package import ScanPlan
import Yams

/// What goes wrong in a rehearsal, and what must hold all the same: the content of `faults.yaml`.
///
/// ```
/// detector: 2048,2448@100     # rows, columns, frames a second; --detector says it otherwise
/// memory: 200                 # frames that the detector holds back; by default those of a second
/// disk: 2G                    # run folder and output are on a disk of this size; by default on the scan's own
/// cores: 4                    # cores of the run; by default all that there are
/// faults:
///   - at 2s: link down 3s
///   - at 8s: kill any
/// expect:
///   - lost <= 0
///   - latency-p99 <= 2s
/// ```
package struct RehearsalPlan: Sendable {
  /// The keys of the file.
  enum PlanKey: String, CaseIterable {
    case detector
    case memory
    case disk
    case cores
    case faults
    case expect
  }

  private let path: String
  private let file: KeyedFile
  /// The detector; nil where it is said elsewhere.
  private(set) var detector: RehearsedDetector?
  /// Frames that the detector can hold back; nil for those of a second.
  private(set) var memory: Int?
  /// Bytes of the run's disk; nil where the run is on the scan's own.
  private(set) var disk: Int?
  /// Cores of the run; nil for all.
  private(set) var cores: Int?
  /// In the order of their times.
  private(set) var faults: [RehearsalFault] = []
  /// In the order of the file.
  private(set) var expectations: [Expectation] = []

  static let (faultsMax, expectationsMax, memoryMax, coresMax) = (256, 64, 1_000_000, 4096)

  /// Reads and checks the file at `path`.
  /// - Throws: `.noInput` where it cannot be read, `.configuration` with the line of the first mistake.
  package init(path: String) throws(ScanFailure) {
    try self.init(path: path, bytes: ScanFile.read(path, as: "the plan"))
  }

  /// Reads the content of a file.
  init(path: String, bytes: [UInt8]) throws(ScanFailure) {
    self.path = path
    file = KeyedFile(path: path)
    let entries = try file.entries(bytes, needs: "expect:, and faults: where something goes wrong")
    for (key, value) in entries { try read(key, value) }
    guard !expectations.isEmpty else {
      throw ScanFailure(.configuration, "\(path): expect is missing: what must hold, as in - lost <= 0")
    }
    guard disk != nil || !fillsDisk else {
      throw ScanFailure(.configuration, "\(path): disk full fills a disk of the rehearsal's own: say disk: SIZE, as 2G")
    }
  }

  private mutating func read(_ key: Node, _ value: Node) throws(ScanFailure) {
    switch key.string.flatMap(PlanKey.init) {
    case .detector:
      guard let detector = RehearsedDetector(try file.word(key, value)) else {
        throw file.mistake(key, "detector is \(RehearsedDetector.form)")
      }
      self.detector = detector
    case .memory:
      guard let count = Int(written: try file.word(key, value)), (1...Self.memoryMax).contains(count) else {
        throw file.mistake(key, "memory is a whole number of frames from 1 to \(Self.memoryMax)")
      }
      memory = count
    case .disk:
      guard let size = PlanWords.size(try file.word(key, value)) else {
        throw file.mistake(key, "disk is a size in MiB or GiB: 512M, 2G")
      }
      disk = size
    case .cores:
      guard let count = Int(written: try file.word(key, value)), (1...Self.coresMax).contains(count) else {
        throw file.mistake(key, "cores is a whole number from 1 to \(Self.coresMax)")
      }
      cores = count
    case .faults: try readFaults(key, value)
    case .expect: try readExpectations(key, value)
    case nil:
      let known = PlanKey.allCases.map(\.rawValue).joined(separator: ", ")
      throw file.mistake(key, "there is no key \(key.string ?? "?"); known are \(known)")
    }
  }

  private mutating func readFaults(_ key: Node, _ value: Node) throws(ScanFailure) {
    guard case .sequence(let nodes) = value, nodes.count <= Self.faultsMax else {
      throw file.mistake(key, "faults is a list of at most \(Self.faultsMax) lines: - at 2s: link down 3s")
    }
    for node in nodes {
      guard case .mapping(let mapping) = node, mapping.count == 1, let (moment, action) = mapping.first,
        let fault = RehearsalFault(moment: moment.string ?? "", action: action.string ?? "")
      else { throw file.mistake(node, "a fault is \"at TIME: FAULT\", where FAULT is \(RehearsalFault.forms)") }
      faults.append(fault)
    }
    // Those of one moment in the order of the file.
    faults = faults.enumerated().sorted { ($0.element.time, $0.offset) < ($1.element.time, $1.offset) }.map(\.element)
  }

  private mutating func readExpectations(_ key: Node, _ value: Node) throws(ScanFailure) {
    guard case .sequence(let nodes) = value, nodes.count <= Self.expectationsMax else {
      throw file.mistake(key, "expect is a list of at most \(Self.expectationsMax) lines: - lost <= 0")
    }
    for node in nodes {
      guard let text = node.string, let expectation = Expectation(text) else {
        throw file.mistake(node, "an expectation is one of \(Expectation.forms)")
      }
      expectations.append(expectation)
    }
  }

  /// Throws where a stage is to be killed that the run does not have. Workers that come to it later host bands of those
  /// there are, and add none.
  func checkStages(_ stages: [StageName]) throws(ScanFailure) {
    for fault in faults {
      guard case .kill(let stage?) = fault.action, !stages.contains(stage) else { continue }
      let known = stages.map(\.description).joined(separator: ", ")
      throw ScanFailure(
        .configuration, "\(path): \(fault.text): the run has no stage \(stage); it has \(known), and kill any takes one"
      )
    }
  }

  /// Whether something is to happen to the disk, which takes one of the rehearsal's own.
  private var fillsDisk: Bool { faults.contains { if case .diskFull = $0.action { true } else { false } } }
}
