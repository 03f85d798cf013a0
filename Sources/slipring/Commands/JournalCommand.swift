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
      let journals = try RunJournals(RunFolder(path: runFolder)), entries = try journals.examine(depth: .tail)
      if json {
        try Console.json(entries)
      } else {
        for entry in entries { Console.result(JournalCommand.line(entry)) }
      }
      guard journals.missing.isEmpty else {
        throw ScanFailure(
          .noInput, "not there: \(journals.missing.joined(separator: ", ")); \(JournalCommand.whatHelps(journals))")
      }
    }
  }

  /// Writes damaged copies again.
  struct Mend: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Reads each journal, and writes again from its other copy or its shards what it lacks.",
      discussion: "For a run with --mirror or --parity that is not running. Resume does the same where much is lost.")

    @Argument(help: ArgumentHelp("The run's folder.", valueName: "run"), completion: .directory) var runFolder: String
    @Option(help: "The run's mirror, where its own folder is gone: it is made anew.", completion: .directory)
    var mirror: String?
    @Option(
      help: "A folder of the run's shards, where its own folder is gone: it is made anew.", completion: .directory)
    var parity: String?
    @Flag(help: "Fill an empty folder also where the disk is not mounted on which it lay.") var anyDisk = false
    @Flag(help: "Print as JSON.") var json = false

    func run() throws {
      let folder = RunFolder(path: runFolder)
      if let place = mirror ?? parity { try folder.restore(from: RunMirror(path: place), anyDisk: anyDisk) }
      let journals = try RunJournals(folder), lines = try journals.mend(anyDisk: anyDisk)
      if json {
        try Console.json(lines)
      } else {
        for line in lines {
          Console.result("\(line.topic): \(Self.words(line.report, line.shards))")
          for foreign in line.shards?.foreignWords ?? [] { Console.result("  \(foreign)") }
        }
      }
      let lacking = JournalCommand.once(
        lines.flatMap { line in line.shards.map { JournalCommand.faults(line.topic, $0) } ?? [] })
      let damaged = lines.filter { !$0.report.damages.isEmpty }
      guard damaged.isEmpty else {
        let what = damaged.map { "\($0.topic): \($0.report.damages.map(\.description).joined(separator: "; "))" }
        throw ScanFailure(
          .data,
          (lines.contains { $0.shards != nil } ? "neither journals nor shards have " : "both copies are damaged: ")
            + (what + lacking).joined(separator: "; ") + "; 'slipring journal salvage' gives that up")
      }
      let gone = journals.missingMirror.map { ["the mirror \($0) is not there"] } ?? []
      let left = (gone + lacking + journals.unmounted).joined(separator: "; ")
      guard left.isEmpty else {
        let advice = gone.isEmpty ? "" : "; put it back, or make an empty folder of that name"
        throw ScanFailure(.data, "not all could be written again: \(left)\(advice)")
      }
    }

    private static func words(_ report: MendReport, _ shards: CodingReport?) -> String {
      let healed = shards?.faults.count(where: \.isHealed) ?? 0
      let coded = [
        healed > 0 ? "wrote \(counted(healed, "shard")) again" : nil,
        shards.map { $0.coded > 0 ? "coded \(counted($0.coded, "segment"))" : nil } ?? nil,
      ].compactMap(\.self)
      let left =
        report.damages.isEmpty ? [] : ["left damaged \(report.damages.map(\.description).joined(separator: "; "))"]
      if report.wasWhole {
        if !left.isEmpty { return (left + coded).joined(separator: "; ") }
        let whole = report.copies.count > 1 ? "both copies are whole" : "it is whole"
        return ([whole] + coded).joined(separator: "; ")
      }
      let copies = report.copies.filter { $0.wasBehind || !$0.segments.isEmpty || !$0.removed.isEmpty }.map { copy in
        "wrote \(counted(copy.segments.count, "segment")) of \(copy.folder) again, "
          + "\(counted(copy.records, "record")) that it lacked"
      }
      return (copies + left + coded).joined(separator: "; ")
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
      let journals = try RunJournals(RunFolder(path: runFolder))
      // Before a scrub of a run that is over makes its folders again.
      let gone = journals.missing
      let scrubs = try journals.scrub(bytesPerSecond: rate * 1_000_000)
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
      guard gone.isEmpty || journals.canMend else {
        throw ScanFailure(
          .noInput, "not there: \(Self.few(gone)); \(JournalCommand.whatHelps(journals))")
      }
      let mended = Set(scrubs.flatMap { $0.report.findings.map(\.folder) })
      var unread = scrubs.flatMap(\.report.unread)
      // Of journals without any copy nobody knows what they held.
      unread += gone.filter { folder in !(unread + mended).contains { ($0 + "/").hasPrefix(folder + "/") } }
      unread += journals.missingDevices
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

  /// What to do where folders of journals are not there.
  static func whatHelps(_ journals: RunJournals) -> String {
    journals.canMend
      ? "'slipring journal mend' writes again what copies or shards have"
      : "put them back, or reconstruct the scan anew"
  }

  /// What the shards of a topic are.
  static func line(_ coding: RunJournals.Coding) -> String {
    let report = coding.report, bad = report.faults.count { !$0.isHealed }
    return "\(coding.topic): shards give back \(counted(report.segments, "segment"))"
      + (bad == 0 ? "" : ", \(counted(bad, "shard")) missing or damaged")
      + (report.lost.isEmpty ? "" : ", \(counted(report.lost.count, "segment")) not to be made from shards")
  }

  /// Each line once: a device that is gone is so for all topics.
  static func once(_ lines: [String]) -> [String] {
    var told: Set<String> = []
    return lines.filter { told.insert($0).inserted }
  }

  /// What is wrong with them, one line each.
  static func faults(_ topic: String, _ report: CodingReport) -> [String] {
    let failures = report.failures.map(\.reason)
    let gone = Dictionary(grouping: report.faults.filter { !$0.isHealed }, by: \.folder).sorted { $0.key < $1.key }
    return failures
      + gone.filter { folder, _ in !report.failures.contains { $0.folder == folder } }.map { folder, faults in
        "\(folder): \(faults.map { "shard \($0.shard) of \($0.segment)" }.joined(separator: ", ")) missing or damaged"
      } + report.lost.map { "\(topic), \($0.segment), cannot be made from shards: \($0.reason)" }
  }

  static func line(_ entry: RunJournals.Entry) -> String {
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
