import ArgumentParser
import Glibc
import Host
import Run
import ScanPlan

/// The volume that a run saved.
struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes the volume of a finished or stopped run again, from the newest whole one that it saved.",
    discussion: "Every file is read back and compared with the volume, and is complete or not there.")

  @Argument(help: ArgumentHelp("The run's folder.", valueName: "run"), completion: .directory) var runFolder: String
  @Option(help: .key("format")) var format: OutputFormat
  @Option(help: .key("bits")) var bits = ScanDescription.standard.bits
  @OptionGroup var options: OutputOptions
  @Option(help: "Folder of the files. (default: exported in the run's folder)", completion: .directory)
  var outputFolder: String?
  @Flag(help: .overwrite) var overwrite = false
  @Flag(help: "Print the result as one JSON object.") var json = false
  @Flag(help: "Print errors only.") var quiet = false

  func run() throws {
    let signals = try SignalDescriptor(signals: [SIGINT, SIGTERM])
    let result = try SavedExport(RunFolder(path: runFolder)).write(
      to: outputFolder, overwrites: overwrite, signals: signals
    ) { scan in
      (scan.format, scan.bits) = (format, bits)
      options.apply(to: &scan)
    }
    if json { return try Console.json(result) }
    guard !quiet else { return }
    if !result.isFinal {
      let projections = counted(result.projections, "projection")
      Console.notice("the run did not come to its end; this is its volume after \(projections)")
    }
    Console.result("\(counted(result.outputs.count, "file")), the last is \(result.outputs.last ?? "none")")
  }
}
