import ArgumentParser
import Foundation
import Host
import Run
import ScanPlan
import Simulation

/// Programs of people for `--stage`.
struct PluginsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plugins", abstract: "Tries programs of your own for --stage.", subcommands: [PluginsTest.self])
}

/// Runs a program beside the reconstruction of a phantom, and says what it did.
struct PluginsTest: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "test",
    abstract: "Runs a program as a stage beside the reconstruction of a foam, and says what it did.",
    discussion: """
      The foam has 16 slices of 64 × 64 voxels, 90 projections that come within three seconds, and empty pores. \
      Nothing is left of it. Exit 0 where the program ended well, was not \
      started again, and wrote what it said it would.
      """)

  @Argument(help: "The program.", completion: .file()) var program: String
  @Option(help: ArgumentHelp("What it reads: the volume, or the volume without noise.", valueName: "volume|denoise"))
  var reads = UserStages.volume
  @Option(help: ArgumentHelp("What it writes.", valueName: "labels:u8|volume:f32")) var writes: String?
  @Option(help: ArgumentHelp("How often it wants to hear of the volume.", valueName: "update|Ns|final")) var every =
    "update"
  @Flag(help: "Print the result as one JSON object.") var json = false

  private static let (rows, columns, projections, rate) = (16, 64, 90, 30.0)
  private static let name = "tried"

  func run() throws {
    let signals = try SignalDescriptor(signals: [SIGINT, SIGTERM])
    let words = [
      "name=\(Self.name)", "program=\(program)", "every=\(every)", "reads=\(reads)", writes.map { "writes=\($0)" },
    ]
    let chain = (reads == UserStages.volume ? "" : "denoise ") + words.compactMap { $0 }.joined(separator: ",")
    guard reads == UserStages.volume || reads == "denoise", let stages = UserStages(scanText: chain) else {
      throw ScanFailure(
        .usage,
        "--reads is volume or denoise, --writes labels:u8 or volume:f32, --every update, final or seconds as in "
          + "10s, and a path has neither blanks nor commas")
    }
    let folder = FileManager.default.temporaryDirectory.appending(path: "slipring-plugins-\(UUID().uuidString)").path
    try RunFolder.makeFolder(folder, for: .owner)
    // What cannot be removed has this command's name on it.
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let result = try reconstruct(stages, in: folder, signals)
    guard let status = result.programs?.first(where: { $0.name == Self.name }) else {
      preconditionFailure("a run tells of each of its stages")
    }
    if json { try Console.json(status) } else { Self.show(status) }
    if let problem = problem(status) { throw ScanFailure(.unavailable, "\(program): \(problem)") }
  }

  private func reconstruct(_ stages: UserStages, in folder: String, _ signals: SignalDescriptor) throws -> RunResult {
    let foam = Foam(rows: Self.rows, columns: Self.columns, seed: 1, voidValue: 0)
    let simulation = Simulation(
      sample: .phantom(foam), rows: Self.rows, columns: Self.columns,
      thetas: Simulation.evenThetas(count: Self.projections, range: 180), rotationAxis: Double(Self.columns) / 2,
      signal: .counts(photons: 20_000, darkLevel: 100, flats: 5, darks: 5, seed: 1))
    try Simulator(simulation).write(to: folder + "/foam.h5") { _ in try signals.stopOnSignal() }
    var scan = ScanDescription(input: folder + "/foam.h5", outputFolder: folder + "/out")
    (scan.rotationAxis, scan.rate, scan.stage) = (.pixels(Double(Self.columns) / 2), Self.rate, stages)
    (scan.windowStep, scan.durability) = (6, .memory)
    let progress = ProgressLine(isQuiet: true)
    defer { progress.end() }
    let outcome = try Reconstruction(scan, command: CommandLine.arguments, signals: signals, overwrites: true)
      .run(executable: Console.executable, monitor: progress) { _ in }
    if let failure = outcome.failure { throw failure }
    return outcome.result
  }

  private static func show(_ status: ProgramStatus) {
    Console.result("state \(status.state.rawValue), started again \(status.restarts)×, said \(status.said) lines")
    for (name, value) in status.figures.sorted(by: { $0.key < $1.key }) { Console.result("\(name) \(value)") }
    if let sum = status.sha256 { Console.result("it wrote a volume, SHA-256 \(sum)") }
  }

  private func problem(_ status: ProgramStatus) -> String? {
    if let reason = status.reason { return "it was done without: \(reason)" }
    if status.restarts > 0 { return "it died and was started again, \(status.restarts)×; its error output says why" }
    if status.figures.isEmpty { return "it said no figures; a line is a JSON object of numbers" }
    if writes != nil, status.sha256 == nil { return "it wrote nothing of the finished volume" }
    return nil
  }
}
