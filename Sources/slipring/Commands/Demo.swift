import ArgumentParser
import Glibc
import Host
import Run
import ScanPlan

/// Simulate, reconstruct, look.
struct Demo: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Simulates a noisy scan of a foam, reconstructs it through the whole pipeline, and leaves a picture.",
    discussion: """
      With --nodes an edge and nodes reconstruct it as well, all on this machine, while some are killed: the volume is \
      that of one machine, bit by bit.
      """)

  @Option(help: "Folder of everything that the demonstration leaves.", completion: .directory) var outputFolder =
    "slipring-demo"
  @Option(help: ArgumentHelp("Nodes that make the slices, beside one machine alone.", valueName: "n")) var nodes: Int?
  @Option(help: ArgumentHelp("With nodes: how often the servers say nothing for 2 s.", valueName: "n")) var cut = 0
  @Option(help: ArgumentHelp("With nodes: how often one of them is killed.", valueName: "n")) var kill = 1
  @Flag(help: "Print errors only.") var quiet = false

  private static let (nodesMax, faultsMax) = (16, 20)

  func run() throws {
    let signals = try SignalDescriptor(signals: [SIGINT, SIGTERM])
    if let nodes { return try run(nodes, signals) }
    let progress = ProgressLine(isQuiet: quiet)
    var counter = Counter(isQuiet: quiet)
    defer { progress.end() }
    let outcome = try Demonstration(folder: outputFolder, signals: signals).run(
      command: CommandLine.arguments, executable: Console.executable, monitor: progress,
      notice: { text in
        counter.end()
        if !quiet { Console.notice(text) }
      }, simulated: { counter.show($0, of: $1) })
    progress.end()
    guard let outcome else { return Console.notice("stopped before the first projection: there is nothing to show") }
    guard !quiet else { return }
    Console.result(RunOptions.summary(outcome.result))
    Console.result("the middle slice has a PSNR of \(ProgressLine.oneDecimal(outcome.psnr)) dB against the true foam")
    Console.result("look at \(outcome.picture)")
  }

  private func run(_ nodes: Int, _ signals: SignalDescriptor) throws {
    guard (1...Self.nodesMax).contains(nodes), (0...Self.faultsMax).contains(cut), (0...Self.faultsMax).contains(kill)
    else {
      throw ScanFailure(
        .usage, "--nodes is from 1 to \(Self.nodesMax), and --cut and --kill are from 0 to \(Self.faultsMax)")
    }
    var counter = Counter(isQuiet: quiet)
    let demonstration = NodesDemonstration(
      folder: outputFolder, nodes: nodes, cuts: cut, kills: kill, signals: signals
    ) { text in if !quiet { Console.notice(text) } }
    let outcome = try demonstration.run { count, total in
      counter.show(count, of: total)
      if count == total { counter.end() }
    }
    guard outcome.alone == outcome.together else {
      throw ScanFailure(
        .software,
        "the volumes differ: SHA-256 \(outcome.alone) of one machine, \(outcome.together) of \(nodes) nodes")
    }
    guard !quiet else { return }
    for piece in outcome.result.parts ?? [] { Console.result("\(piece.slices): \(piece.node ?? "the edge")") }
    Console.result("the volume of \(nodes) nodes is that of one machine: SHA-256 \(outcome.together)")
    Console.result("look at \(outputFolder)/edge/foam_rec.h5")
  }
}
