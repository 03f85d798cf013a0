import Host
import RunModel
import ScanPlan

/// The cores that a rehearsed run has, and what it can do on them.
struct RehearsedCores {
  private let cores: [Int]
  /// How many this process may use.
  private let all: Int

  /// So many of those that this process may use, or all of them.
  /// - Throws: `.unavailable` where there are fewer.
  init(_ count: Int?) throws {
    let own = try Affinity.current()
    guard count ?? 1 <= own.count else {
      throw ScanFailure(
        .unavailable, "the plan's cores: \(count ?? 0) are more than the \(own.count) that this process may use")
    }
    (cores, all) = (own.suffix(count ?? own.count), own.count)
  }

  /// Starts a process that has these cores only.
  func start<Process>(_ body: () throws -> Process) throws -> Process {
    guard cores.count < all else { return try body() }
    // A process has those of the thread that starts it.
    let own = try Affinity.current()
    try Affinity.pin(cores: cores)
    defer { try? Affinity.pin(cores: own) }
    return try body()
  }

  private func topology() throws -> Topology {
    var topology = try Topology.current()
    for node in topology.nodes.indices { topology.nodes[node].cores.removeAll { !cores.contains($0) } }
    return topology
  }

  /// The stages that `scan` has on them, in the order in which they are started.
  func stages(of scan: ScanDescription) throws -> [StageName] {
    try Planner(scan, topology: try topology()).stages()
  }

  /// What is known beforehand of `scan` on them, for so many projections at `rate` a second. A core is measured for a
  /// moment.
  func forecast(_ scan: ScanDescription, rate: Double, projections: Int) throws -> [String] {
    let estimate = try RunEstimate(scan, topology: try topology())
    return Self.words(
      cores: cores.count, threads: estimate.workers.reduce(0) { $0 + $1.threads },
      sustained: estimate.projectionsPerSecond, rate: rate, projections: projections, widens: scan.lagMax != 0)
      + [estimate.expectation].compactMap(\.self)
  }

  /// The same, for `threads` of workers that keep up with `sustained` projections a second where each has a core. With
  /// `widens` updates are made less often where that is less than the rate.
  static func words(
    cores: Int, threads: Int, sustained: Double?, rate: Double, projections: Int, widens: Bool
  ) -> [String] {
    let spare = max(0, cores - threads)
    var lines = [
      "cores: \(cores); workers have \(counted(threads, "thread")), "
        + (spare == 0 ? "no core is spare for the other stages" : "\(spare) spare")
    ]
    guard let alone = sustained else { return lines }
    // Threads that share a core share its time.
    let sustained = alone * min(1, Double(cores) / Double(max(threads, 1)))
    func number(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }
    let start = "updates: keep up with \(number(sustained)) projections a second at most"
    guard sustained < rate, sustained > 0 else {
      lines.append(start)
      return lines
    }
    let behind = Int((Double(projections) * (1 - sustained / rate)).rounded())
    lines.append(
      start + ", and \(number(rate)) are measured: "
        + (widens
          ? "they are made less often"
          : "\(behind) of \(projections) are behind at the end, \(PlanWords.text(Double(behind) / sustained))"))
    return lines
  }
}
