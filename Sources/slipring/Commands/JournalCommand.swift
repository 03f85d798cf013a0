import ArgumentParser
import Host
import Journal
import Run
import RunModel
import ScanPlan

/// The journals of a run.
struct JournalCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "journal", abstract: "Lists, verifies or salvages the journals of a run.",
    subcommands: [List.self, Verify.self, Salvage.self])

  /// Where each journal begins and ends.
  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Lists each journal's records and segments.")

    @Argument(help: ArgumentHelp("The run's folder.", valueName: "run"), completion: .directory) var runFolder: String
    @Flag(help: "Print as JSON.") var json = false

    func run() throws {
      let entries = try RunJournals(RunFolder(path: runFolder)).examine(depth: .tail)
      if json { return try Console.json(entries) }
      for entry in entries { Console.result(JournalCommand.line(entry)) }
    }
  }

  /// Every record of every journal.
  struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Reads every record: header, chain and payload. Changes nothing.")

    @Argument(help: ArgumentHelp("The run's folder.", valueName: "run"), completion: .directory) var runFolder: String
    @Flag(help: "Print as JSON.") var json = false

    func run() throws {
      let entries = try RunJournals(RunFolder(path: runFolder)).examine(depth: .everything)
      if json {
        try Console.json(entries)
      } else {
        for entry in entries { Console.result(JournalCommand.line(entry) + (entry.report.isIntact ? ", intact" : "")) }
      }
      let damaged = entries.filter { !$0.report.isIntact }
      guard damaged.isEmpty else {
        let what = damaged.map { "\($0.topic): \($0.report.damages.map(\.description).joined(separator: "; "))" }
          .joined(separator: "; ")
        throw ScanFailure(
          .data, "damage of acknowledged records: \(what); 'slipring journal salvage' gives them up, on the record")
      }
    }
  }

  /// Gives up what is damaged, explicitly.
  struct Salvage: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract:
        "Gives up damaged projections with an explicit record of the loss, and sets aside what can be made again.",
      discussion:
        "Changes no byte of a journal. Afterwards the run can be resumed; what was lost is counted in its result.")

    @Argument(help: ArgumentHelp("The run's folder.", valueName: "run"), completion: .directory) var runFolder: String

    func run() throws {
      for (topic, done) in try RunJournals(RunFolder(path: runFolder)).salvage() {
        switch done {
        case .none: Console.result("\(topic): nothing was damaged")
        case .tidied(let files, let folder):
          let moved = files.map { "\($0.name) to \($0.place ?? folder)" }
          Console.result("\(topic): moved \(moved.joined(separator: ", "))")
        case .ended(let end):
          Console.result("\(topic): ended again after \(counted(end.projections, "projection")): \(end.reason.word)")
        case .gaveUp(let damages):
          Console.result("\(topic): gave up \(damages.map(\.description).joined(separator: "; "))")
        case .setAside(let folder, let reason):
          Console.result("\(topic): set aside in \(folder), to be made again: \(reason)")
        }
      }
    }
  }

  private static func line(_ entry: RunJournals.Entry) -> String {
    let report = entry.report
    let losses =
      report.losses.isEmpty
      ? "" : ", given up \(report.losses.map { "\($0.lowerBound)..<\($0.upperBound)" }.joined(separator: ", "))"
    let damages = report.isIntact ? "" : ", damaged: \(report.damages.map(\.description).joined(separator: "; "))"
    return
      "\(entry.topic): records \(report.firstSequence)..<\(report.nextSequence) in \(report.segments.count) segments, "
      + "\(report.decision)\(losses)\(damages)"
  }
}
