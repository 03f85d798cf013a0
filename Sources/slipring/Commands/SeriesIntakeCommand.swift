import ArgumentParser
import Glibc
import Host
import ScanPlan

/// Takes the frames of a live series; started by whoever makes the series, not by people.
struct SeriesIntakeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "series-intake", abstract: "Takes the frames of a live series. Who makes the series starts it.",
    shouldDisplay: false)

  @Argument(help: "The series' folder.") var outputFolder: String
  @OptionGroup var parentOptions: ParentOptions

  func run() throws {
    try parentOptions.begin()
    let signals = try SignalDescriptor(signals: [SIGINT, SIGTERM])
    let scan = try SeriesManifest.read(outputFolder).description
    guard scan.seriesIntake != nil else {
      throw ScanFailure(.data, "\(SeriesManifest.path(in: outputFolder)) is of no live scan")
    }
    try SeriesIntake(scan: scan).run(signals: signals) { Console.notice($0) }
  }
}
