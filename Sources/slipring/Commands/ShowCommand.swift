import ArgumentParser
import Host
import ScanPlan
import Serve

/// One scan of a server.
struct ShowCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Shows everything that is known of one scan of a server.")

  @OptionGroup var server: ServerFolder
  @Argument(help: "The scan's number.") var number: Int
  @Flag(help: "Print it as one JSON object.") var json = false

  private static let outputsMax = 10

  func run() throws {
    let queue = try server.queue()
    guard let details = try Catalogue(queue).details(number) else {
      throw ScanFailure(.noInput, "there is no scan \(number) in \(queue.folder); slipring list shows all")
    }
    if json { return try Console.json(details) }
    Self.lines(details).forEach(Console.result)
  }

  private static func lines(_ details: ScanDetails) -> [String] {
    let scan = details.scan
    let facts: [(String, String?)] = [
      ("state", scan.activity.rawValue + (scan.progress.map { ", \(Int($0.fraction * 100)) %" } ?? "")),
      ("cleared", scan.cleared.map { "removed by \($0.by.rawValue), \(ScanWords.time($0.time))" }),
      ("reason", scan.reason), ("sample", scan.sample), ("source", scan.source), ("scan file", scan.file),
      ("priority", scan.priority == 0 ? nil : "\(scan.priority)"), ("added", ScanWords.time(scan.added)),
      ("begun", scan.begun.map(ScanWords.time)), ("ended", scan.ended.map(ScanWords.time)),
      ("duration", scan.duration.map(ScanWords.duration)),
      ("attempts", scan.attempts > 1 ? "\(scan.attempts)" : nil), ("projections", ScanWords.counts(scan)),
      ("rotation axis", details.rotationAxis.map { "\(ProgressLine.oneDecimal($0)) pixels" }),
      ("ended by", details.stoppedBy), ("volume", scan.output),
      ("files", details.outputCount > 0 ? "\(details.outputCount), \(ScanWords.bytes(details.byteCount))" : nil),
      ("SHA-256", details.volumeSHA256), ("run", details.run), ("log", details.log),
    ]
    let outputs = details.outputs.prefix(outputsMax).map { output in
      "  \(output.path)  \(output.byteCount.map(ScanWords.bytes) ?? "is not there any more")"
    }
    let left = details.left.map { ("left of it", Optional($0)) }
    return ["scan \(scan.number)"]
      + (facts + left).compactMap { name, value in
        value.map { "\(name):" + String(repeating: " ", count: max(1, 14 - name.count)) + $0 }
      } + outputs + (details.outputCount > outputsMax ? ["  …"] : []) + details.notices.map { "notice: \($0)" }
  }
}
