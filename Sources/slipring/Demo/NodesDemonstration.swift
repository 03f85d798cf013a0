import Foundation
import Glibc
import Host
import Run
import ScanPlan
import Simulation

/// A scan on one machine, and then the same on an edge and several nodes, all of them processes of this machine, of
/// which some are killed, and which lose their servers for moments: whether the volume is the same.
///
/// ```
/// FOLDER/foam.h5      the scan                       FOLDER/alone/     one machine's run
/// FOLDER/server/      nats-server, on loopback       FOLDER/edge/      the edge's volume, put together
/// FOLDER/node-1/ …    what each node has             FOLDER/*.log      what each of them printed
/// ```
struct NodesDemonstration {
  private let folder: String
  private let signals: SignalDescriptor
  private let nodes: Int
  private let cuts: Int
  private let kills: Int
  private let notice: (String) -> Void

  /// What came of it.
  struct NodesOutcome {
    /// The checksum of one machine's volume, and that of the volume of all.
    let (alone, together): (String, String)
    /// The edge's result.
    let result: RunResult
  }

  private static let (rows, columns, projections) = (64, 128, 180)
  private static let seed: UInt64 = 1
  private static let photons = 20_000.0
  private static let rotationAxis = 65.5
  private static let granule = 8
  /// Projections a second: so slow that there is time for what goes wrong.
  private static let rate = 15
  private static let limit: Duration = .seconds(300)
  private static let serverLimit: Duration = .seconds(10)
  private static let cutDuration: Duration = .seconds(2)
  private static let tick: UInt32 = 50_000

  /// Everything goes into `folder`; `notice` hears what happens.
  init(
    folder: String, nodes: Int, cuts: Int, kills: Int, signals: SignalDescriptor, notice: @escaping (String) -> Void
  ) {
    (self.folder, self.nodes, self.cuts, self.kills) = (absolutePath(folder), nodes, cuts, kills)
    (self.signals, self.notice) = (signals, notice)
  }

  /// Runs it. `simulated` hears of every simulated projection.
  func run(simulated: (Int, Int) -> Void) throws -> NodesOutcome {
    try RunFolder.makeFolder(folder, for: .usual)
    for name in try Folder(folder).names() where name == "edge" || name == "alone" || name.hasPrefix("node-") {
      throw ScanFailure(
        .cannotCreate, "\(folder) has \(name) of an earlier demonstration; remove it, or choose another --output-folder"
      )
    }
    let scan = folder + "/foam.h5"
    try simulate(scan, simulated)
    notice("one machine reconstructs the scan")
    let alone = try result(of: start("alone", recon(scan, "alone", [])))
    var processes: [String: ChildProcess] = [:]
    defer { for process in processes.values { end(process) } }
    let (server, address) = try startServer()
    processes["server"] = server
    notice("an edge and \(nodes) nodes do the same, at \(Self.rate) projections a second")
    let edge = try start(
      "edge",
      recon(
        scan, "edge",
        [
          "--fabric", address, "--nodes", "\(nodes)", "--granule", "\(Self.granule)", "--rate", "\(Self.rate)",
          "--parts-patience", "120",
        ]))
    processes["edge"] = edge.process
    for number in 1...nodes { processes["node-\(number)"] = try startNode(number, address) }
    try disturb(&processes, address, while: edge.process)
    let whole = try result(of: edge)
    guard let one = alone.volumeSHA256, let together = whole.volumeSHA256 else {
      throw ScanFailure(.software, "a run of the demonstration has no volume; look at \(folder)/edge.log")
    }
    return NodesOutcome(alone: one, together: together, result: whole)
  }

  private func simulate(_ path: String, _ simulated: (Int, Int) -> Void) throws {
    let foam = Foam(rows: Self.rows, columns: Self.columns, seed: Self.seed, voidValue: 0)
    let simulation = Simulation(
      sample: .phantom(foam), rows: Self.rows, columns: Self.columns,
      thetas: Simulation.evenThetas(count: Self.projections, range: 180), rotationAxis: Self.rotationAxis,
      signal: .counts(photons: Self.photons, darkLevel: 100, flats: 10, darks: 10, seed: Self.seed))
    try Simulator(simulation).write(to: path) { count in
      try signals.stopOnSignal()
      simulated(count, Self.projections)
    }
  }

  private func recon(_ scan: String, _ name: String, _ options: [String]) -> [String] {
    [
      "recon", scan, "--output-folder", "\(folder)/\(name)", "--rotation-axis", "\(Self.rotationAxis)", "--format",
      "hdf5", "--quiet", "--json",
    ] + options
  }
}

// Processes.
extension NodesDemonstration {
  private typealias Started = (process: ChildProcess, output: String)

  /// Starts this program; what it prints goes to files.
  private func start(_ name: String, _ arguments: [String]) throws -> Started {
    let output = "\(folder)/\(name).json"
    return (try launch(OwnProgram.executable, arguments, name, output: output), output)
  }

  private func launch(_ executable: String, _ arguments: [String], _ name: String, output: String? = nil) throws
    -> ChildProcess
  {
    let log = try create("\(folder)/\(name).log"), out = try output.map(create)
    defer {
      close(log)
      if let out { close(out) }
    }
    return try ChildProcess(
      executable: executable, arguments: arguments, standardOutput: out ?? log, standardError: log)
  }

  private func create(_ path: String) throws(FileError) -> Int32 {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw .cannotCreate(path: path, reason: errnoText(errno)) }
    return descriptor
  }

  private func startNode(_ number: Int, _ address: String) throws -> ChildProcess {
    try launch(
      OwnProgram.executable,
      [
        "node", "--fabric", address, "--folder", "\(folder)/node-\(number)", "--name", "node-\(number)", "--cores", "1",
        "--retain", "keep",
      ], "node-\(number)")
  }

  /// Starts a server on a free port of this machine, and waits until it takes connections.
  private func startServer() throws -> (ChildProcess, String) {
    guard let program = Self.server else {
      throw ScanFailure(
        .unavailable, "nats-server is neither in PATH nor in .build/fabric: Tools/fabric gets it, or Debian's package")
    }
    let port = try LoopbackPort.free(), home = "\(folder)/server"
    try RunFolder.makeFolder(home, for: .owner)
    try writeFileAtomically(
      path: "\(home)/server.conf",
      text: """
        listen: "127.0.0.1:\(port)"
        jetstream { store_dir: "\(home)", max_mem: 64MB, max_file: 4GB }
        ping_interval: "1s", ping_max: 3

        """)
    let process = try launch(program, ["-c", "\(home)/server.conf"], "server")
    let deadline = Deadline(after: Self.serverLimit)
    while try !LoopbackPort.isServed(port) {
      try signals.stopOnSignal()
      guard !deadline.hasPassed, try process.reap() == nil else {
        end(process)
        throw ScanFailure(.unavailable, "nats-server does not begin; look at \(folder)/server.log")
      }
      usleep(Self.tick)
    }
    return (process, "nats://127.0.0.1:\(port)")
  }

  /// Kills nodes, and stops the server for moments, while the edge's run goes on; then waits for its end.
  private func disturb(
    _ processes: inout [String: ChildProcess], _ address: String, while edge: ChildProcess
  ) throws {
    let total = Double(Self.projections + 20) / Double(Self.rate), start = ContinuousClock.now
    var events: [(at: Double, what: (inout [String: ChildProcess]) throws -> Void)] = []
    for kill in 0..<kills {
      let number = kill % nodes + 1
      events.append(
        (
          total * (0.3 + 0.5 * Double(kill) / Double(max(1, kills))),
          { processes in
            notice("node-\(number) is killed, and started again")
            if let process = processes["node-\(number)"] { end(process) }
            processes["node-\(number)"] = try startNode(number, address)
          }
        ))
    }
    for cut in 0..<cuts {
      events.append(
        (
          total * (0.2 + 0.6 * Double(cut) / Double(max(1, cuts))),
          { processes in
            notice("the servers say nothing for \(Self.cutDuration)")
            try processes["server"]?.signal(SIGSTOP)
            usleep(UInt32(Self.cutDuration / .microseconds(1)))
            try processes["server"]?.signal(SIGCONT)
          }
        ))
    }
    var waiting = events.sorted { $0.at < $1.at }[...]
    while try edge.reap() == nil {
      try signals.stopOnSignal()
      let seconds = (ContinuousClock.now - start) / .seconds(1)
      guard ContinuousClock.now - start < Self.limit else {
        throw ScanFailure(.software, "the edge's run does not end; look at \(folder)/edge.log")
      }
      if let next = waiting.first, seconds >= next.at {
        waiting.removeFirst()
        try next.what(&processes)
      }
      usleep(Self.tick)
    }
  }

  /// What a run came to, once it ends.
  private func result(of started: Started) throws -> RunResult {
    let deadline = Deadline(after: Self.limit)
    var end: ExitStatus?
    while end == nil {
      try signals.stopOnSignal()
      guard !deadline.hasPassed else { break }
      end = try started.process.waitForExit(timeout: .milliseconds(100))
    }
    let data = FileManager.default.contents(atPath: started.output) ?? Data()
    let log = started.output.dropLast(".json".count) + ".log"
    guard end == .exited(0) else {
      self.end(started.process)
      throw ScanFailure(.software, "a run of the demonstration \(end?.words ?? "did not end"); look at \(log)")
    }
    do { return try JSONDecoder().decode(RunResult.self, from: data) } catch {
      throw ScanFailure(.software, "\(started.output) holds no result; look at \(log)")
    }
  }

  /// Kills a process with all that it has started.
  private func end(_ process: ChildProcess) {
    guard (try? process.reap()) ?? nil == nil else { return }
    // It leads its own group, whose number is its own until it is reaped.
    kill(-process.pid, SIGKILL)
    _ = try? process.waitForExit(timeout: .seconds(5))
  }

  /// Where nats-server is: in PATH, or where Tools/fabric puts it.
  private static var server: String? {
    let path = ProcessInfo.processInfo.environment["PATH", default: ""].split(separator: ":").map {
      "\($0)/nats-server"
    }
    let build = URL(filePath: OwnProgram.file).deletingLastPathComponent()
    let own = [build, build.deletingLastPathComponent(), build.deletingLastPathComponent().deletingLastPathComponent()]
      .map { $0.appending(path: "fabric/nats-server").path }
    return (own + path).first { access($0, X_OK) == 0 }
  }
}
