import ArgumentParser
import Host
import Run
import RunModel
import ScanPlan
import Stages

/// One stage of a run; started by the supervisor, not by people.
struct StageCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stage", abstract: "Runs one stage of a run. The supervisor starts it.", shouldDisplay: false)

  @Argument(help: "The stage, as in the log: acquire, distribute, reconstruct …") var name: String
  @Option(help: "The worker's number, for reconstruct.") var partition: Int?
  @Option(help: "The run's folder.") var runFolder: String
  @Option(help: "The run's folder in /dev/shm, without a slash.") var regions: String
  @Option(help: "Cores in place of the planned ones, as in 0,2.") var movedTo: String?
  @OptionGroup var parentOptions: ParentOptions

  func run() throws {
    guard RunWiring.isStage(name), partition ?? 0 >= 0 else {
      throw ScanFailure(.usage, "there is no stage \(name)\(partition.map { " with partition \($0)" } ?? "")")
    }
    let stage = StageName(name, partition: partition)
    let cores = try movedTo.map { text in
      let cores = text.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
      guard !cores.contains(nil) else {
        throw ScanFailure(.usage, "--moved-to \(text): cores are numbers with commas between them")
      }
      return cores.compactMap { $0 }
    }
    guard !regions.contains("/") else { throw ScanFailure(.usage, "--regions \(regions): it has no slash") }
    try parentOptions.begin()
    try StageRunner(stage: stage, folder: RunFolder(path: runFolder), regions: regions, movedTo: cores).run()
  }
}
