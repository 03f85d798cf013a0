import ArgumentParser
import Glibc
import Serve

/// All scans of a server.
struct ListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "Lists the scans of a server: state, sample, when, how long, projections, lost, volume.",
    discussion: """
      It reads the server's folder, whether a server runs or not. Times are UTC. Of the folder of a series it lists \
      the volumes.
      """)

  @OptionGroup var server: ServerFolder
  @Option(help: ArgumentHelp("Only those in this state: \(states).", valueName: "state"), completion: .list(stateNames))
  var state: String?
  @Flag(help: "Print them as JSON.") var json = false

  private static let stateNames = QueueEntry.EntryState.allCases.map(\.rawValue)
  private static let states = stateNames.joined(separator: ", ")

  func validate() throws {
    guard let state, QueueEntry.EntryState(rawValue: state) == nil else { return }
    throw ValidationError("there is no state \(state); there are \(Self.states)")
  }

  func run() throws {
    if SeriesManifest.isThere(server.folder) {
      let series = try SeriesStatus(server.folder)
      return json ? try Console.json(series) : Console.result((series.lines + series.table).joined(separator: "\n"))
    }
    let records = try Catalogue(server.queue()).records().filter { state == nil || $0.state.rawValue == state }
    if json { return try Console.json(records) }
    guard !records.isEmpty else { return Console.notice("no scan yet") }
    Console.result(Self.row("scan", "state", "sample", "source", "added", "time", "projections", "volume"))
    for record in records { Console.result(Self.line(record)) }
  }

  static func line(_ record: ScanRecord) -> String {
    let isOver = record.state == .failed || record.state == .removed
    return row(
      "\(record.number)", record.activity.rawValue, record.sample ?? "-", record.source, ScanWords.time(record.added),
      record.duration.map(ScanWords.duration) ?? "-", ScanWords.counts(record),
      isOver ? record.reason ?? "" : record.output ?? record.file ?? "")
  }

  private static func row(_ cells: String...) -> String {
    let widths = [7, 18, 20, 12, 21, 9, 24]
    return zip(cells, widths + [0]).map { cell, width in
      cell + String(repeating: " ", count: width == 0 ? 0 : max(1, width - cell.count))
    }.joined()
  }
}

/// Figures of a scan as people read them.
enum ScanWords {
  /// A time as 2026-11-30 21:14:05, UTC.
  static func time(_ seconds: Double) -> String {
    var time = time_t(seconds.rounded(.down)), parts = tm()
    guard gmtime_r(&time, &parts) != nil else { return "-" }
    func two(_ number: Int32) -> String { (number < 10 ? "0" : "") + "\(number)" }
    return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday)) "
      + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
  }

  /// Minutes and seconds, hours where there are any.
  static func duration(_ seconds: Double) -> String {
    let whole = Int(min(max(0, seconds), 1e9)), minutes = whole / 60 % 60
    func two(_ number: Int) -> String { (number < 10 ? "0" : "") + "\(number)" }
    return (whole >= 3600 ? "\(whole / 3600):\(two(minutes))" : "\(minutes)") + ":\(two(whole % 60))"
  }

  /// Projections, as far as it is, and what was lost of them.
  static func counts(_ record: ScanRecord) -> String {
    let count =
      record.progress.map { "\($0.acquired)/\($0.projections)" } ?? record.projections.map { "\($0)" } ?? "-"
    return count + (record.lost.map { $0 > 0 ? ", \($0) lost" : "" } ?? "")
  }

  /// Bytes in a unit in which they are few digits.
  static func bytes(_ count: Int) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"]
    var value = Double(count), unit = 0
    while value >= 999.5, unit < units.count - 1 { (value, unit) = (value / 1000, unit + 1) }
    return (unit == 0 ? "\(count)" : ProgressLine.oneDecimal(value)) + " " + units[unit]
  }
}
