import ArgumentParser
import Host
import ScanPlan

/// Looks at what the servers of a fabric keep, and removes it.
struct FabricCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fabric", abstract: "Shows the runs that NATS servers keep for nodes, verifies and removes them.",
    discussion: "Streams stay on the servers, with the room that they reserved, until somebody removes them.",
    subcommands: [FabricList.self, FabricVerify.self, FabricRemove.self])
}

/// The servers.
struct FabricServers: ParsableArguments {
  @Argument(help: ArgumentHelp("The servers, as nats://host:4222.", valueName: "servers")) var servers: String
  @Option(help: .key("fabric-credentials", "file"), completion: .file()) var fabricCredentials: String?
  @Option(help: .key("fabric-authority", "file"), completion: .file()) var fabricAuthority: String?

  /// The runs there.
  func runs() throws -> FabricRuns {
    try FabricRuns(servers: servers, credentials: fabricCredentials, authority: fabricAuthority)
  }
}

/// Runs that the servers keep.
struct FabricList: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Lists the runs that the servers keep: how much of each is there, and its bytes.")

  @OptionGroup var fabric: FabricServers
  @Flag(help: "Print them as JSON.") var json = false

  func run() throws {
    let runs = try fabric.runs().all()
    if json { return try Console.json(runs) }
    for run in runs { Console.result(Self.line(run)) }
    if runs.isEmpty { Console.notice("the servers keep no run") }
  }

  static func line(_ run: FabricRuns.Held) -> String {
    let events = run.planned.map { "\(run.events) of \($0) events" } ?? "\(run.events) events"
    let made = run.parts.map { $0 > 0 ? ", \($0) of them made" : "" } ?? ""
    let lost = run.lost == 0 ? "" : ", \(run.lost) messages lost"
    let megabytes = run.byteCount / 1_000_000
    return
      "\(run.run) \(run.name ?? "without a plan"): \(events) of \(run.granules) granules\(lost)\(made), \(megabytes) MB"
  }
}

/// A run that the servers need not keep any more.
struct FabricRemove: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "remove",
    abstract: "Removes what the servers keep of a run, for good.",
    discussion: """
      Nodes that still read it end with an error. An edge whose run still goes on sends all of it again: end that first.
      With --granules only what nodes told of their parts is removed, as of one that is damaged, so that another makes \
      it.
      """)

  @OptionGroup var fabric: FabricServers
  @Argument(help: ArgumentHelp("The run, by its 32 digits.", valueName: "run")) var number: String
  @Option(help: ArgumentHelp("Only the parts of these granules.", valueName: "first:end")) var granules: GranuleRange?

  func run() throws {
    if let granules {
      let count = try fabric.runs().remove(parts: granules, of: number)
      return Console.notice("removed \(counted(count, "part")) of run \(number): nodes may make them again")
    }
    let streams = try fabric.runs().remove(number)
    Console.notice("removed \(streams) streams and the plan of run \(number)")
  }
}
