import ArgumentParser
import Glibc
import Host
import Rehearsal
import ScanPlan

/// Tries a live scan with faults before there is beam.
struct RehearseCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rehearse",
    abstract: "Runs a live scan against a virtual detector while link, disk and processes fail as a plan says.",
    discussion: """
      The run is that of the scan file; images come from a simulated foam, and files go to a folder of the rehearsal \
      beside the output. The plan has faults with their times, counted from the first frame, and what must hold all \
      the same:

        memory: 200
        faults:
          - at 2s: link down 3s
          - at 8s: kill any
        expect:
          - lost <= 0

      Faults: \(RehearsalHelp.faults). Expectations: \(RehearsalHelp.expectations). Exit codes: 0 where all hold, 65 \
      where one does not or cannot be known, 69 where a disk of its own may not be mounted, 78 for mistakes.
      """)

  @Argument(
    help: ArgumentHelp("The scan file of a live scan.", valueName: "scan.yaml"),
    completion: .file(extensions: ["yaml", "yml"])) var scanFile: String
  @Option(
    help: ArgumentHelp("What goes wrong, and what must hold.", valueName: "faults.yaml"),
    completion: .file(extensions: ["yaml", "yml"])) var plan: String
  @Option(
    help: ArgumentHelp(
      "The detector: rows and columns, by default the scan's, and frames a second. (default: as the plan says)",
      valueName: "rows,columns@rate"))
  var detector: RehearsedDetector?
  @Option(help: "Seed of the phantom, and of the stages that are killed.") var seed: UInt64 = 1
  @Flag(help: "Leave the folder of the rehearsal, with logs, for looking at.") var keep = false
  @Flag(help: "Print the result as one JSON object.") var json = false
  @Flag(help: "Print the result and errors only.") var quiet = false

  func run() throws {
    let file = try ScanFile(path: scanFile)
    try file.validate()
    let plan = try RehearsalPlan(path: plan)
    // Before any thread, so that every thread leaves the signals to the descriptor.
    let signals = try SignalDescriptor(signals: [SIGINT, SIGTERM])
    let rehearsal = try Rehearsal(
      file.scan, plan, detector: detector, seed: seed, keeps: keep, executable: Console.executable, signals: signals
    ) { if !quiet { Console.notice($0) } }
    let report = try rehearsal.run()
    if json { try Console.json(report) } else { report.lines.forEach(Console.result) }
    if let problem = report.problem { throw ScanFailure(.data, "the rehearsal failed: \(problem)") }
  }
}

extension RehearsedDetector: ExpressibleByArgument {
  init?(argument: String) { self.init(argument) }
}
