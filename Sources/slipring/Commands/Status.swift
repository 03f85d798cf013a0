import ArgumentParser
import Glibc
import Run
import RunModel

/// How far a run is.
struct Status: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Shows how far a run is: its stages, their cursors, lag and restarts. On a terminal it refreshes until the run "
      + "ends."
  )

  @Argument(help: ArgumentHelp("The run's folder, or that of a series.", valueName: "run"), completion: .directory)
  var runFolder: String
  @Flag(help: "Print the status as one JSON object.") var json = false
  @Flag(help: "Print once and end, on a terminal too.") var once = false

  private static let period: UInt32 = 1_000_000
  /// Seconds from which on a status, which is written every second, is said to be old.
  private static let ageMax = 3.0

  func run() throws {
    let isSeries = SeriesManifest.isThere(runFolder)
    if json {
      return try isSeries
        ? Console.json(SeriesStatus(runFolder)) : Console.json(RunFolder(path: runFolder).readStatus().status)
    }
    var (lines, isRunning) = try isSeries ? series() : single()
    Console.result(lines.joined(separator: "\n"))
    guard !once, isatty(1) == 1 else { return }
    // It ends with the run, or when the person ends it.
    while isRunning {
      usleep(Self.period)
      let height = lines.count
      (lines, isRunning) = try isSeries ? series() : single()
      Console.result("\u{1B}[\(height)A\u{1B}[J" + lines.joined(separator: "\n"))
    }
  }

  /// What is to be shown of a run, and whether it goes on.
  private func single() throws -> (lines: [String], isRunning: Bool) {
    let folder = RunFolder(path: runFolder)
    let (status, isSupervised) = try folder.readStatus()
    return (Self.table(status, isSupervised: isSupervised, age: folder.statusAge), isSupervised)
  }

  /// The same of a series, with the run that is under way.
  private func series() throws -> (lines: [String], isRunning: Bool) {
    let series = try SeriesStatus(runFolder)
    let run = series.run.map { Self.table($0, isSupervised: true, age: nil) } ?? []
    return (series.lines + run, series.maker != nil)
  }

  private static func table(_ status: RunStatus, isSupervised: Bool, age: Double?) -> [String] {
    let isOver = status.phase == .finished || status.phase == .failed
    let phase = isOver || isSupervised ? status.phase.rawValue : "\(status.phase.rawValue), but its supervisor is dead"
    let residual = status.residual.map { ", residual \(ProgressLine.oneDecimal($0 * 100)) %" } ?? ""
    let spilled = status.spilled > 0 ? ", \(status.spilled) by way of the disk" : ""
    let losses =
      status.losses.map {
        ["source: \($0.lost) lost, \($0.duplicates) twice, \($0.late) late, \($0.malformed) messages dropped"]
          + ($0.interpolated + $0.generated > 0
            ? ["in place of lost ones: \($0.interpolated) interpolated, \($0.generated) made by on-gap's program"] : [])
          + ($0.empty.map { ["left out, as they are empty: \($0) frames"] } ?? [])
      } ?? []
    let clamped = status.clampedPixels.map { ["pixels at or below the dark field: \($0)"] } ?? []
    let room =
      status.secondsWithoutRoom > 0
      ? [
        "no room on disk for \(ProgressLine.oneDecimal(status.secondsWithoutRoom)) s"
          + (status.withoutRoom.isEmpty
            ? "" : "; now: \(status.withoutRoom.joined(separator: ", ")); \(status.buffered) images in memory")
      ] : []
    let scrub = [status.scrub?.words, status.coding?.words].compactMap(\.self)
    let copies = (status.copiesLost ?? []).map { "goes on without a copy of the journal: \($0)" } + scrub
    let late = status.decidedLate.map { ", ended \(ProgressLine.oneDecimal($0)) s late" } ?? ""
    let faults = (status.faults ?? []).map { fault in
      "messages of the source are dropped: \(fault)" + (status.faultDetails?[fault].map { " (\($0))" } ?? "")
    }
    let old =
      isSupervised
      ? age.flatMap { age in
        age < ageMax ? nil : "this is \(ProgressLine.oneDecimal(age)) s old: status.json cannot be written"
      } : nil
    let isGiven = status.rotationAxis != nil && status.rotationAxisError == nil
    let axis = isGiven ? [] : ["rotation axis: \(status.axisWords)"]
    let missing = status.missingRows.map { ["missing in the volume: \(RowRange.list($0))"] } ?? []
    let alarms = (status.alarms ?? []).map { "\($0.severity): \($0.text)" } + (status.unseenTriggers ?? [])
    let views = (status.views ?? []).map(\.words)
    let notices = (status.notices ?? []).map { "notice: \($0)" }
    return [
      "run \(status.run): \(phase)\(late)",
      "projections \(status.acquired)/\(status.projections) (\(ProgressLine.oneDecimal(status.rate))/s, "
        + "lag \(status.lag)\(spilled)), updates \(status.updates)/\(status.updatesExpected), "
        + "step \(status.step)\(residual), \(ProgressLine.oneDecimal(status.seconds)) s",
    ] + [old].compactMap { $0 } + notices + faults + losses + clamped + axis + room + copies + alarms + views + missing
      + status.workerLines + status.uplinkLines
      + [
        row("stage", "pid", "state", "epoch", "cursor", "lag", "restarts", "hung")
      ]
      + status.stages.map { stage in
        row(
          stage.name, "\(stage.pid)",
          isSupervised || !stage.isRunning ? stage.state : "ended",
          stage.epoch.map { "\($0)" } ?? "-",
          "\(stage.cursor)",
          "\(stage.lag)", "\(stage.restarts)", "\(stage.hangs)")
      }
  }

  /// The first column to the left, the others to the right.
  private static func row(_ name: String, _ cells: String...) -> String {
    name + String(repeating: " ", count: max(1, 16 - name.count))
      + cells.map { String(repeating: " ", count: max(1, 9 - $0.count)) + $0 }.joined()
  }
}
