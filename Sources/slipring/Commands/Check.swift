import ArgumentParser
import Host
import ScanPlan

/// What would come of a scan file.
struct Check: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Looks for mistakes in a scan file, all of them, and says what the run would need, without running it.",
    discussion: """
      Each mistake is one line, with the line of the file. Without one, the input is opened, the memory, \
      disk and time of the run are estimated, and compared with what this machine has. Exit codes: \
      78 for a mistake in the file, 65 or 66 for the input, 73 where the machine has no room.
      """)

  @Argument(
    help: ArgumentHelp("The scan file.", valueName: "scan.yaml"), completion: .file(extensions: ["yaml", "yml"]))
  var scanFile: String
  @Argument(
    help: ArgumentHelp("An input to check it with, in place of its own.", valueName: "input"), completion: .file())
  var input: String?
  @Flag(help: "Print problems and estimate as one JSON object.") var json = false

  private struct CheckReport: Encodable {
    let problems: [ScanFile.Problem]
    let estimate: RunEstimate?
  }

  func run() throws {
    let file = try ScanFile(path: scanFile, input: input)
    guard file.problems.isEmpty else {
      let count = file.problems.count == 1 ? "a mistake" : "\(file.problems.count) mistakes"
      return try refuse(file, file.problems, ScanFailure(.configuration, "\(scanFile) has \(count)"))
    }
    let estimate: RunEstimate
    do {
      estimate = try RunEstimate(file.scan, topology: .current())
    } catch {
      let failure = ScanFailure(error), problem = file.problem(failure)
      guard problem.line != nil else {
        if json { try Console.json(CheckReport(problems: [problem], estimate: nil)) }
        throw failure
      }
      return try refuse(file, [problem], failure.with("\(scanFile) does not fit its input"))
    }
    if json {
      try Console.json(CheckReport(problems: [], estimate: estimate))
    } else {
      Self.lines(estimate).forEach(Console.result)
    }
    guard estimate.shortfalls.isEmpty else {
      throw ScanFailure(.cannotCreate, estimate.shortfalls.joined(separator: "; and "))
    }
  }

  private func refuse(_ file: ScanFile, _ problems: [ScanFile.Problem], _ failure: ScanFailure) throws {
    if json { try Console.json(CheckReport(problems: problems, estimate: nil)) }
    for problem in problems { Console.write(file.located(problem) + "\n") }
    throw failure
  }

  private static func lines(_ estimate: RunEstimate) -> [String] {
    func line(_ name: String, _ need: RunEstimate.Need) -> String {
      "\(name): \(bytes(need.bytes))" + (need.free.map { " of \(bytes($0)) free" } ?? "")
    }
    var lines =
      estimate.notices + [
        "\(counted(estimate.projections, "projection")) of \(estimate.rows) × \(estimate.columns), "
          + "slices of \(estimate.sliceColumns)²",
        line("memory", estimate.memory),
        line("  of it in /dev/shm", estimate.shared), line("output", estimate.output),
        line("journal and checkpoints", estimate.journal),
        "open files: \(estimate.descriptors.needed) a process of \(estimate.descriptors.limit) allowed",
      ]
    for (number, worker) in estimate.workers.enumerated() {
      lines.append(
        (worker.worker.map { "band \(number), of worker \($0)" } ?? "worker \(number)")
          + ": \(counted(worker.rows, "row")) on \(counted(worker.threads, "thread")), "
          + "\(bytes(worker.bytes)) at most"
      )
    }
    if let updates = estimate.updatesPerSecond, let projections = estimate.projectionsPerSecond {
      let rates = [updates, projections].map(ProgressLine.oneDecimal)
      lines.append(
        "at most \(rates[0]) updates a second while they run, which keep up with \(rates[1]) projections a second; "
          + "processes start before and volumes are written after")
    }
    let seconds = ProgressLine.oneDecimal(estimate.finalSeconds)
    return lines + ["at least \(seconds) s of final iterations; all if nothing else needs cores, caches and memory"]
  }
}
