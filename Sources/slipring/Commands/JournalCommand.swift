import ArgumentParser
import Host
import Journal
import Run
import RunModel
import ScanPlan

/// The journals of a run.
struct JournalCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "journal", abstract: "Lists, verifies, scrubs, mends or salvages the journals of a run.",
    subcommands: [List.self, Verify.self, Scrub.self, Mend.self, Salvage.self])

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
      let journals = try RunJournals(RunFolder(path: runFolder))
      if let copies = try journals.examineCopies() { return try verify(copies, lost: journals.lostCopies) }
      let entries = try journals.examine(depth: .everything)
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

    /// Says what each copy is.
    private func verify(_ copies: [RunJournals.Entry], lost: [String]) throws {
      if json {
        try Console.json(copies)
      } else {
        for entry in copies {
          let state = lost.contains(entry.folder) ? ", behind" : entry.report.isIntact ? ", intact" : ""
          Console.result("\(JournalCommand.line(entry))\(state), in \(entry.folder)")
        }
      }
      let bad = copies.filter { !$0.report.isIntact }.map {
        "\($0.folder): \($0.report.damages.map(\.description).joined(separator: "; "))"
      }
      let behind = lost.map { "\($0) is behind" }
      guard bad.isEmpty, behind.isEmpty else {
        throw ScanFailure(
          .data,
          "damaged copies: \((bad + behind).joined(separator: "; ")); 'slipring journal mend' writes them again from "
            + "the others")
      }
    }
  }

  /// Writes damaged copies again.
  struct Mend: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Reads both copies of each journal, and writes again from the other what one lacks.",
      discussion: "For a run with --mirror that is not running. Resume does the same where a copy was lost.")

    @Argument(help: ArgumentHelp("The run's folder.", valueName: "run"), completion: .directory) var runFolder: String
    @Option(help: "The run's mirror, where its own folder is gone: it is made anew.", completion: .directory)
    var mirror: String?
    @Flag(help: "Print as JSON.") var json = false

    /// What was done about one topic.
    private struct Line: Encodable {
      let topic: String
      let report: MendReport
    }

    func run() throws {
      let folder = RunFolder(path: runFolder)
      if let mirror { try folder.restore(from: RunMirror(path: mirror)) }
      let lines = try RunJournals(folder).mend().map { Line(topic: $0.topic, report: $0.report) }
      if json {
        try Console.json(lines)
      } else {
        for line in lines { Console.result("\(line.topic): \(Self.words(line.report))") }
      }
      let damaged = lines.filter { !$0.report.damages.isEmpty }
      guard damaged.isEmpty else {
        let what = damaged.map { "\($0.topic): \($0.report.damages.map(\.description).joined(separator: "; "))" }
        throw ScanFailure(
          .data, "both copies are damaged: \(what.joined(separator: "; ")); 'slipring journal salvage' gives that up")
      }
    }

    private static func words(_ report: MendReport) -> String {
      if report.wasWhole { return "both copies are whole" }
      return report.copies.filter { $0.wasBehind || !$0.segments.isEmpty || !$0.removed.isEmpty }.map { copy in
        "wrote \(counted(copy.segments.count, "segment")) of \(copy.folder) again, "
          + "\(counted(copy.records, "record")) that it lacked"
      }.joined(separator: "; ")
    }
  }

  /// What is settled in every journal, read again while others go on.
  struct Scrub: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Reads what is settled in each copy again, after everybody else, and mends it from the other copy.",
      discussion: "Also while the run goes on, which does the same by itself (--scrub).")

    @Argument(help: ArgumentHelp("The run's folder.", valueName: "run"), completion: .directory) var runFolder: String
    @Option(help: "Read at most so many megabytes a second.") var rate = 200
    @Flag(help: "Print as JSON.") var json = false

    func validate() throws {
      guard (1...100_000).contains(rate) else { throw ValidationError("--rate \(rate) is not within 1...100000") }
    }

    func run() throws {
      let scrubs = try RunJournals(RunFolder(path: runFolder)).scrub(bytesPerSecond: rate * 1_000_000)
      if json {
        try Console.json(scrubs)
      } else {
        for scrub in scrubs {
          let mended = scrub.report.findings.count { $0.outcome == .mended }
          Console.result(
            "\(scrub.topic): read \(counted(scrub.report.segments, "segment")), \(scrub.report.byteCount) bytes"
              + (scrub.report.findings.isEmpty
                ? "" : ", \(scrub.report.findings.count) damaged, \(mended) of them mended"))
          for finding in scrub.report.findings { Console.result("  \(finding)") }
          for folder in scrub.report.unread { Console.result("  \(folder) was not read") }
        }
      }
      let left = scrubs.flatMap { scrub in
        scrub.report.findings.filter { $0.outcome != .mended }.map { "\(scrub.topic): \($0)" }
      }
      guard left.isEmpty else {
        throw ScanFailure(.data, "damage of journals that is not mended: \(Self.few(left))")
      }
      let unread = scrubs.flatMap(\.report.unread)
      guard unread.isEmpty else {
        throw ScanFailure(
          .data,
          "copies that are not there, or that journals went on without, were not read: \(Self.few(unread)); 'slipring "
            + "journal mend' makes them whole again when the run is over")
      }
    }

    /// The first ones, and how many there are besides: a line stays one that can be read.
    private static func few(_ words: [String]) -> String {
      let rest = words.count - wordsMax
      return words.prefix(wordsMax).joined(separator: "; ") + (rest > 0 ? "; and \(rest) more" : "")
    }

    private static let wordsMax = 4
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
