import Host
package import Stages

// What is done while updates do not keep up with the projections.
extension ScanKey {
  /// The keys about that.
  static let pace = [
    ScanKey(
      .machine, "latency-max", \.latencyMax,
      "Seconds from acquisition to the volume that has a projection; workers that would take longer are behind too.",
      unset: "no limit", .within(0.01...86_400, "seconds")),
    ScanKey(
      .machine, "when-slow", \.whenSlow,
      """
      What is done, step after step, while a worker is behind (lag-max, latency-max): widen makes updates less \
      often; decimate:K (from 2 to 64, rising) makes them of every K-th projection, and leaves the others to the \
      final iterations; coarse makes them on a grid of half the columns and rows.
      """,
      unset: "widen"),
    ScanKey(
      .machine, "catch-up", \.catchUp,
      """
      Workers that come at most, on cores that nobody has, while a worker is behind (lag-max, latency-max), and go \
      when it has caught up.
      """,
      unset: "none", .within(1...30)),
    ScanKey(
      .machine, "expect-rate", \.expectRate,
      "Projections a second that will come: check says whether updates keep up with them.", unset: "none",
      .within(1e-5...1e9, "projections a second")),
  ]
}

extension SlowLadder: ScanValue {
  /// For people.
  package static var form: String {
    "widen, decimate:K (K from 2 to 64, rising) and coarse in their order, as widen,decimate:4,coarse"
  }
  /// Steps with commas between.
  package init?(scanText: String) {
    var steps: [Step] = []
    for word in scanText.split(separator: ",", omittingEmptySubsequences: false) {
      if word == "widen" {
        steps.append(.widen)
      } else if word == "coarse" {
        steps.append(.coarse)
      } else if word.hasPrefix("decimate:"), let every = Int(digits: word.dropFirst("decimate:".count)) {
        steps.append(.decimate(every))
      } else {
        return nil
      }
    }
    self.init(steps)
  }
  /// As it is written on the command line.
  package var scanText: String { steps.map(\.word).joined(separator: ",") }
}

extension ScanDescription {
  /// What is done while workers are behind.
  package var ladder: SlowLadder { whenSlow ?? .standard }

  /// Whether somebody has said how fast updates have to be.
  package var asksForPace: Bool { whenSlow != nil || latencyMax != nil }

  /// Steps that nothing leads to, or that nodes would not hear of.
  var paceProblem: String? {
    let given = [
      whenSlow.map { "--when-slow \($0.scanText)" }, latencyMax.map { "--latency-max \($0.scanText)" },
    ].compactMap(\.self)
    guard let first = given.first else { return nil }
    if let fabric {
      return "\(first) and --fabric \(fabric) exclude each other: nodes are told how often updates are made, not of "
        + "what"
    }
    if fabricInput != nil { return "\(first) is for a run that reads a scan, and \(input) makes this one a node" }
    if ladder.coarsens, !hasFinalIterations {
      return
        "\(first) is about the volume while the scan runs, and --final-iterations 0 makes no other: leave coarse out"
    }
    return isNeverBehind ? "\(first) \(Self.behindRemedy)" : nil
  }

  /// Workers for which there is nothing to make, or no reason to come.
  var catchUpProblem: String? {
    guard let catchUp else { return nil }
    let start = "--catch-up \(catchUp)"
    if let fabric { return "\(start) and --fabric \(fabric) exclude each other: each node has workers of its own" }
    if fabricInput != nil { return "\(start) is for a run that reads a scan, and \(input) makes this one a node" }
    guard let bands else { return "\(start) goes with --bands, which cuts the rows into what workers hand over" }
    if case .number(let count) = bands, let workers, workers <= count, workers + catchUp > count {
      return "\(start), --workers \(workers) and --bands \(count): "
        + "\(counted(workers + catchUp - count, "worker")) would have no band"
    }
    return isNeverBehind ? "\(start) \(Self.behindRemedy)" : nil
  }

  /// Whether nothing says when a worker is behind.
  private var isNeverBehind: Bool {
    latencyMax == nil && (lagMax == 0 || lagMax == nil && rate == nil && !isLive)
  }

  private static let behindRemedy = "goes with --latency-max or --lag-max, which say when a worker is behind"
}
