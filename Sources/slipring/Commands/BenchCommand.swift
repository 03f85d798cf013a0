import ArgumentParser

/// What this machine reaches.
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measures what Slipring reaches on this machine.",
    subcommands: [
      BenchKernel.self, BenchEvent.self, BenchStream.self, BenchQuality.self, BenchWindows.self, BenchAxis.self,
      BenchAlarms.self,
    ])
}
