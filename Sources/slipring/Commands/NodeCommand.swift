import ArgumentParser
import Foundation
import Glibc
import Host
import Nodes
import Run
import ScanPlan

/// Makes slices of the runs whose images are on a fabric.
struct NodeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "node",
    abstract: "Makes slices of any scan whose edge hands its images to a fabric, until SIGTERM.",
    discussion: """
      It takes granules that nobody has, as many as are its share and it has room for, and starts a run for them in \
      its folder: RUN/FIRST-LAST/ has the slices of granules FIRST to LAST of run RUN. What a node does not renew for \
      six seconds another one takes over. On SIGTERM it takes no more, and ends when what it has is done; a second one \
      ends it at once. SeveralMachines.md has the whole of it.
      """)

  @Option(help: .key("fabric", "nats://host:port")) var fabric: String
  @Option(
    help: ArgumentHelp("Where all of it lies: slices, journals, logs.", valueName: "folder"), completion: .directory)
  var folder: String
  @Option(help: ArgumentHelp("Its name among all nodes; by default the machine's.", valueName: "name")) var name:
    String?
  @Option(help: ArgumentHelp("The most granules that it has at a time; by default 64 rows a core.", valueName: "n"))
  var mostGranules: Int?
  @Option(help: ArgumentHelp("Cores that it computes with; by default all.", valueName: "n")) var cores: Int?
  @Option(
    help: ArgumentHelp(
      "GiB of memory that its runs may take; by default four fifths of what is free.", valueName: "gib"))
  var memory: Double?
  @Option(
    help: ArgumentHelp("Seconds that it may take on SIGTERM to finish what it has.", valueName: "seconds"))
  var drainLimit = 3600.0
  @Option(
    help: ArgumentHelp(
      "Seconds that runs wait for images of an edge that is away before they are set aside until it is back.",
      valueName: "seconds"))
  var edgePatience = ScanDescription.standard.edgePatience
  @Option(
    help: ArgumentHelp(
      "Seconds that runs wait for room on a full disk before they are left to others.", valueName: "seconds"))
  var roomPatience = 300.0
  @Option(help: .key("fabric-credentials", "file"), completion: .file()) var fabricCredentials: String?
  @Option(help: .key("fabric-authority", "file"), completion: .file()) var fabricAuthority: String?

  @Option(help: .key("format")) var format = OutputFormat.hdf5
  @Option(help: .key("bits")) var bits = ScanDescription.standard.bits
  @OptionGroup var output: OutputOptions
  @Option(help: .key("durability")) var durability = ScanDescription.standard.durability
  @Option(help: .key("retain", "keep|none|days")) var retain = Retention.none

  private static let (memoryMax, secondsMax) = (1e9, ScanKey.edgePatienceMax)

  func run() throws {
    guard memory.map({ $0 > 0 && $0 <= Self.memoryMax }) ?? true else {
      throw ScanFailure(.usage, "--memory \(memory ?? 0) is no amount of memory in GiB")
    }
    for (name, seconds) in [
      ("--drain-limit", drainLimit), ("--edge-patience", edgePatience), ("--room-patience", roomPatience),
    ] where !(0...Self.secondsMax).contains(seconds) {
      throw ScanFailure(.usage, "\(name) \(seconds) is no number of seconds")
    }
    let settings = try NodeSettings(
      scan, folder: folder, name: name, granulesMax: mostGranules, cores: cores,
      memoryByteCount: memory.map { Int($0 * Double(1 << 30)) }, drainLimit: .seconds(drainLimit),
      edgePatience: .seconds(edgePatience), roomPatience: .seconds(roomPatience))
    // Before any thread, so that every thread leaves the signals to the descriptor.
    let signals = try SignalDescriptor(signals: [SIGINT, SIGTERM])
    let manager = ServiceManager(environment: ProcessInfo.processInfo.environment, processID: getpid())
    // It is this process's; its children have nothing to tell.
    for name in ServiceManager.environmentNames { unsetenv(name) }
    try Node(settings, executable: Console.executable, signals: signals, manager: manager, notice: Console.notice)
      .run()
  }

  private var scan: ScanDescription {
    var scan = ScanDescription(input: "", outputFolder: "")
    scan.fabric = fabric
    (scan.fabricCredentials, scan.fabricAuthority) = (fabricCredentials, fabricAuthority)
    (scan.format, scan.bits, scan.durability, scan.retain) = (format, bits, durability, retain)
    output.apply(to: &scan)
    return scan
  }
}

/// Makes some granules; started by a node, not by people.
struct NodeJobCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "node-job", abstract: "Makes some granules of a run. The node starts it.", shouldDisplay: false)

  @Argument(help: "What it is to do.") var file: String
  @OptionGroup var parentOptions: ParentOptions

  func run() throws {
    try parentOptions.begin()
    let signals = try SignalDescriptor(signals: [SIGINT, SIGTERM])
    let file = try ScanFile(path: self.file)
    try file.validate()
    let folder = RunFolder(path: file.scan.runFolder ?? ""), monitor = ProgressLine(isQuiet: true)
    let outcome =
      if folder.isBegun {
        try Reconstruction.resume(
          folder, overwrites: true, executable: Console.executable, signals: signals, monitor: monitor,
          notice: Console.notice)
      } else {
        try Reconstruction(file.scan, command: CommandLine.arguments, signals: signals, overwrites: true)
          .run(executable: Console.executable, monitor: monitor, notice: Console.notice)
      }
    outcome.notices.forEach(Console.notice)
    if let failure = outcome.failure { throw failure }
  }
}
