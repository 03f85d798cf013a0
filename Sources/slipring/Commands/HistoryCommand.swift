import ArgumentParser
import Glibc
import Host
import Run

/// What the watch of runs saw, as a table.
struct HistoryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "history",
    abstract: "Prints the figures of runs that were watched, ten lines a second, as CSV.",
    discussion: "The columns are the gauges of Alarms.md; a cell is empty where nothing new was known.")

  @Argument(help: ArgumentHelp("Folders of runs.", valueName: "run"), completion: .directory) var runs: [String]

  func run() throws {
    // Before any thread, so that every thread leaves the signals to the descriptor.
    let signals = try SignalDescriptor(signals: [SIGINT, SIGTERM])
    Console.result(RunGauges.columns.joined(separator: ","))
    for run in runs {
      try RunGauges(RunFolder(path: run)).forEachLook { cells in
        try signals.stopOnSignal()
        Console.result(cells.joined(separator: ","))
      }
    }
  }
}
