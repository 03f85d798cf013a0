import ArgumentParser
import Glibc
import Host

/// Simulate, reconstruct, look.
struct Demo: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Simulates a noisy scan of a foam, reconstructs it through the whole pipeline, and leaves a picture.")

  @Option(help: "Folder of everything that the demonstration leaves.", completion: .directory) var outputFolder =
    "slipring-demo"
  @Flag(help: "Print errors only.") var quiet = false

  func run() throws {
    let signals = try SignalDescriptor(signals: [SIGINT, SIGTERM])
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
}
