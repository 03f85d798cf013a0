import ArgumentParser
import Glibc
import Host
import Run
import ScanPlan

/// Adds workers to a running run and takes some away, and shows who makes what.
struct Workers: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows the workers of a run, and adds some or takes some away while it runs.",
    discussion: """
      A worker is a set of cores and the bands of rows that are made on them. Bands change hands between two updates, \
      and the volume has the same bits. There are never more workers than bands: recon --bands auto cuts the rows of a \
      run into several for each core.
      """)

  @Argument(help: ArgumentHelp("The run's folder.", valueName: "run"), completion: .directory) var runFolder: String
  @Option(help: ArgumentHelp("Have so many workers in all.", valueName: "n")) var set: Int?
  @Option(help: ArgumentHelp("Add so many workers, on free cores.", valueName: "n")) var add: Int?
  @Option(help: ArgumentHelp("Cores of those that are added, as in 8-15.", valueName: "list")) var cores: String?
  @Option(help: ArgumentHelp("Take the worker of this number away.", valueName: "number")) var drain: Int?
  @Flag(help: "Print the workers as one JSON object.") var json = false
  @OptionGroup var requester: Requester

  private struct Report: Encodable {
    let workers: [WorkerStatus]
    let moves: Int
  }

  /// The run answers ten times a second, unless its machine is very busy.
  private static let (answerLimit, lookPeriod) = (Duration.seconds(20), UInt32(20_000))

  func run() throws {
    let folder = RunFolder(path: runFolder)
    if let change = try change() { try ask(change, folder) }
    let status = try folder.readStatus().status
    guard let workers = status.workers else {
      throw ScanFailure(.data, "the run in \(runFolder) was made by an earlier build, which does not say its workers")
    }
    if json { return try Console.json(Report(workers: workers, moves: status.bandMoves ?? 0)) }
    Console.result(Self.table(workers).joined(separator: "\n"))
  }

  /// What is asked for; nil for nothing.
  private func change() throws(ScanFailure) -> BandDeal.Change? {
    guard [set, add, drain].compactMap(\.self).count <= 1 else {
      throw ScanFailure(.usage, "--set, --add and --drain exclude each other")
    }
    guard let cores else { return set.map { .set($0) } ?? add.map { .add($0, cores: nil) } ?? drain.map { .drain($0) } }
    guard let add else { throw ScanFailure(.usage, "--cores \(cores) goes with --add") }
    guard let list = CoreList(parsing: cores) else {
      throw ScanFailure(.usage, "--cores \(cores) is no list of cores from 0 to \(CoreList.most), as in 0-3,8")
    }
    return .add(add, cores: list.cores)
  }

  private func ask(_ change: BandDeal.Change, _ folder: RunFolder) throws {
    let requests = RunRequests(runFolder: folder), deadline = Deadline(after: Self.answerLimit)
    try requests.changeWorkers(change, by: requester.name)
    while !requests.isWorkersAnswered {
      guard try folder.readStatus().isSupervised else {
        throw ScanFailure(.unavailable, "the run in \(runFolder) ended before it answered")
      }
      guard !deadline.hasPassed else {
        throw ScanFailure(
          .temporary, "the run in \(runFolder) has not answered yet; slipring workers shows when it has")
      }
      usleep(Self.lookPeriod)
    }
    if let refusal = try folder.readStatus().status.workersAnswer?.refusal { throw ScanFailure(.usage, refusal) }
  }

  private static func table(_ workers: [WorkerStatus]) -> [String] {
    let rows =
      [["worker", "cores", "s/update", "bands"]]
      + workers.map { worker in
        let rows = zip(worker.bands, worker.rows).map { "\($0): \($1)" }
        return [
          "\(worker.number)", "\(CoreList(worker.cores))",
          worker.updateSeconds.map { "\(($0 * 1000).rounded() / 1000)" } ?? "-", rows.joined(separator: "; "),
        ]
      }
    let widths = (0..<3).map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      let cells = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count + 2) }
      return cells.joined() + row[3]
    }
  }
}
