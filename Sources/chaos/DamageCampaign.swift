import Foundation
import Host
import Run
import ScanPlan

/// Damages the journals of projections of runs in ways that are drawn from a seed, salvages and resumes them, and looks
/// whether every projection is accounted for: used or lost, and the volume that of a scan of those that were used.
struct DamageCampaign {
  private(set) var report = DamageReport()
  private let program: String
  private let beds: [DamageBed]
  private var random: SplitMix64
  /// Checksums of volumes, by bed and by what is left of its scan.
  private var references: [String: [ScanExcerpt: String?]] = [:]
  /// Kinds that come next, so that each comes as often as the others.
  private var kinds: [DamageKind] = []

  /// Makes the runs: one whose images are in one segment, one with three, and one that was cut off.
  init(program: String, folder: String, seed: UInt64) throws {
    self.program = program
    random = SplitMix64(seed: seed)
    beds = try [("one", 50, false), ("three", 600, false), ("cut-off", 600, true)].map {
      try DamageBed($0.0, projections: $0.1, isCutOff: $0.2, program: program, folder: folder)
    }
  }

  /// One damage, of one to three kinds, and what becomes of it.
  mutating func damageOnce() throws {
    let bed = beds[report.damages % beds.count]
    let drawn = (0..<[1, 1, 1, 2, 3].randomElement(using: &random)!).map { _ in drawKind() }
    report.damages += 1
    let story = "\(bed.name), \(drawn.map(\.rawValue).joined(separator: " + "))"
    do {
      let journal = try bed.restore()
      for kind in drawn { try kind.apply(to: journal, using: &random) }
      try judge(bed, story)
    } catch {
      report.failed.append("\(story): \(error)")
    }
    for kind in drawn { report.kinds[kind.rawValue, default: 0] += 1 }
  }

  private mutating func drawKind() -> DamageKind {
    if kinds.isEmpty { kinds = DamageKind.allCases.shuffled(using: &random) }
    return kinds.removeLast()
  }

  private mutating func judge(_ bed: DamageBed, _ story: String) throws {
    let run = Campaign.run(bed.output), log = bed.output + ".log"
    _ = try end(["journal", "salvage", run], log, story, accepting: [0])
    let code = try end(["resume", run, "--quiet", "--json"], log, story, accepting: [0, 65])
    let left = try bed.left()
    let lost = bed.projections - left.projections.count
    report.lost += lost
    guard code == 0 else {
      report.refused += 1
      guard !left.suffices, Campaign.complaints(log).contains("is left") else {
        return report.failed.append("\(story): refused with \(lost) lost: \(Campaign.complaints(log))")
      }
      return
    }
    let result = try JSONDecoder().decode(RunResult.self, from: Data(Campaign.text(log).utf8))
    let fieldsLost = bed.fields.darks + bed.fields.flats - left.darks.count - left.flats.count
    guard result.projections == left.projections.count, result.lost == lost, result.lostFields == fieldsLost,
      result.duplicates == 0
    else {
      return report.failed.append(
        "\(story): \(result.projections) projections, \(result.lost) and \(result.lostFields) fields lost, "
          + "\(result.duplicates) twice; \(left.projections.count) of \(bed.projections) are left, "
          + "\(fieldsLost) fields are lost")
    }
    guard result.stoppedBy == "end of scan", result.outputs.allSatisfy(FileManager.default.fileExists) else {
      return report.failed.append("\(story): ended by \(result.stoppedBy), \(result.outputs)")
    }
    guard try result.volumeSHA256 == reference(bed, left) else {
      report.differing += 1
      return report.failed.append("\(story): other bits")
    }
  }

  /// Runs the program to its end; gives its code.
  private func end(_ arguments: [String], _ log: String, _ story: String, accepting codes: [Int32]) throws -> Int32 {
    let process = try Campaign.start(program, arguments, faults: nil, output: log)
    guard let status = try process.waitForExit(timeout: Campaign.timeLimit) else {
      try process.signal(SIGKILL)
      _ = try process.waitForExit(timeout: Campaign.timeLimit)
      throw ScanFailure(.software, "\(arguments[0]) hung")
    }
    guard case .exited(let code) = status, codes.contains(code) else {
      throw ScanFailure(.software, "\(arguments[0]) ended with \(status): \(Campaign.complaints(log))")
    }
    return code
  }

  private mutating func reference(_ bed: DamageBed, _ left: ScanExcerpt) throws -> String? {
    if let known = references[bed.name]?[left] { return known }
    let digest = try bed.reference(left)
    references[bed.name, default: [:]][left] = digest
    return digest
  }
}

/// What a campaign of damages found.
struct DamageReport: Codable {
  var damages = 0
  /// How often each kind was done, alone or with others.
  var kinds: [String: Int] = [:]
  /// Projections that were lost, in all.
  var lost = 0
  /// Runs of which too little was left.
  var refused = 0
  /// Volumes with other bits than that of a scan of what was left.
  var differing = 0
  /// What went wrong.
  var failed: [String] = []

  /// A table for people.
  func table(seed: UInt64) -> String {
    let lines = kinds.sorted { $0.key < $1.key }.map { "\($0.value)  \($0.key)" }
    let sum =
      "seed \(seed): \(damages) damages, \(lost) projections lost, \(refused) runs of which too little was left, "
      + "\(differing) differing volumes, \(failed.count) failed"
    return (lines + ["", sum] + failed.prefix(20)).joined(separator: "\n")
  }
}
