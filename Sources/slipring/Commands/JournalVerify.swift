import ArgumentParser
import Host
import Journal
import Run
import ScanPlan

extension JournalCommand {
  /// Every record of every journal.
  struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Reads every record: header, chain and payload. Changes nothing.")

    @Argument(help: ArgumentHelp("The run's folder.", valueName: "run"), completion: .directory) var runFolder: String
    @Flag(help: "Print as JSON.") var json = false

    /// What `--json` prints of a run whose segments are coded.
    private struct Coded: Encodable {
      let journals: [RunJournals.Entry]
      let shards: [RunJournals.Coding]
    }

    func run() throws {
      let journals = try RunJournals(RunFolder(path: runFolder))
      let shards = try journals.examineShards(), copies = try journals.examineCopies()
      let entries = try copies ?? journals.examine(depth: .everything), behind = journals.lostCopies
      if json {
        if let shards { try Console.json(Coded(journals: entries, shards: shards)) } else { try Console.json(entries) }
      } else {
        for entry in entries {
          let state = behind.contains(entry.folder) ? ", behind" : entry.report.isIntact ? ", intact" : ""
          Console.result(JournalCommand.line(entry) + state + (copies == nil ? "" : ", in \(entry.folder)"))
        }
        for coding in shards ?? [] {
          Console.result(JournalCommand.line(coding))
          for line in coding.report.foreignWords { Console.result("  \(line)") }
        }
      }
      let damaged = entries.filter { !$0.report.isIntact }
      let folders = journals.missing
      let seen = damaged.filter { entry in !folders.contains { (entry.folder + "/").hasPrefix($0 + "/") } }
      let damages = seen.map { entry in
        let place = copies == nil && shards == nil ? entry.topic : entry.folder
        return "\(place): \(Self.words(entry.report.damages))"
      }
      let faults = JournalCommand.once((shards ?? []).flatMap { JournalCommand.faults($0.topic, $0.report) })
      var bad: [String] = folders.map { "\($0) is not there" }
      bad += damages
      bad += behind.map { "\($0) is behind" }
      bad += faults
      guard !bad.isEmpty else { return }
      let lost = try damaged.isEmpty ? [] : journals.lostRecords()
      let what =
        !journals.canMend && folders.isEmpty
        ? "damage of acknowledged records" : shards == nil && copies != nil ? "damaged copies" : "not whole"
      let advice = whatHelps(journals, damaged, lost, shards ?? [], isBehind: !behind.isEmpty)
      throw ScanFailure(.data, "\(what): \(bad.joined(separator: "; ")); \(advice)")
    }

    private static func words(_ damages: [JournalDamage]) -> String {
      damages.map(\.description).joined(separator: "; ")
    }

    /// What helps: mending where something has what is damaged or missing, salvage where nothing has.
    private func whatHelps(
      _ journals: RunJournals, _ damaged: [RunJournals.Entry], _ lost: [(topic: String, damages: [JournalDamage])],
      _ shards: [RunJournals.Coding], isBehind: Bool
    ) -> String {
      guard journals.canMend else {
        return damaged.isEmpty
          ? JournalCommand.whatHelps(journals) : "'slipring journal salvage' gives them up, on the record"
      }
      var advice: [String] = []
      let gone = shards.contains { !$0.report.failures.isEmpty } || journals.missingMirror != nil
      if gone { advice.append("put back folders that are gone, or make empty ones of their names") }
      let isMendable = damaged.contains { entry in
        entry.report.damages.contains { damage in
          !lost.contains { $0.topic == entry.topic && $0.damages.contains { $0.covers(damage) } }
        }
      }
      // Shards of what is lost are not made by anybody.
      let isCodable = shards.contains { coding in
        coding.report.faults.contains { !$0.isHealed }
          || !coding.report.lost.isEmpty && !lost.contains { $0.topic == coding.topic }
      }
      if isMendable || isBehind || isCodable || gone || !journals.missing.isEmpty {
        advice.append("'slipring journal mend' writes again what can be made")
      }
      if !lost.isEmpty {
        let all = lost.map { "\($0.topic): \(Self.words($0.damages))" }.joined(separator: "; ")
        advice.append("nothing has \(all): 'slipring journal salvage' gives that up, on the record")
      }
      return advice.joined(separator: "; ")
    }
  }
}
