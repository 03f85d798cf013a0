import Host
import RunModel

/// Does what a plan says while the run goes on, each thing when it is due, and takes note of what is seen of it.
struct FaultConductor {
  /// What is at hand.
  struct Stand {
    let link: LoopbackLink
    let detector: VirtualDetector
    let run: RehearsedRun
    let disk: MemoryDisk?
  }

  /// What lasts for a while, and when it is over.
  private struct Ending {
    let row: Int
    let time: Double
    let action: RehearsalFault.Action
  }

  /// A stage that is to be killed as soon as it runs, or that is expected to come back; nil for any.
  private struct Wait {
    let row: Int
    let stage: String?
    let since: Double
    /// The process that died; nil where any will do.
    var died: Int32?

    func process(of stages: [String: Int32]) -> Int32? { stage.map { stages[$0] } ?? stages.values.first }
  }

  /// What came of each fault so far.
  private(set) var rows: [RehearsalReport.FaultRow]
  private let faults: [RehearsalFault]
  private let seed: UInt64
  private let stand: Stand
  private var next = 0
  private var (endings, kills, returns): ([Ending], [Wait], [Wait]) = ([], [], [])
  /// What the link does while it is not cut, and how many faults keep it down or closed.
  private var (flow, downs, closings) = (LinkState.free, 0, 0)
  private var lookDue = 0.0

  /// A stage that does not run is waited for so long before a kill is given up, and looked for so often; in seconds.
  private static let (stageLimit, lookPeriod) = (10.0, 0.02)

  /// With equal seeds the same stages are killed.
  init(_ faults: [RehearsalFault], seed: UInt64, _ stand: Stand) {
    (self.faults, self.seed, self.stand) = (faults, seed, stand)
    rows = faults.map {
      RehearsalReport.FaultRow(fault: $0.text, target: nil, done: nil, seen: "the run was over before")
    }
  }

  /// Does what is due at a time, in seconds since the first frame.
  mutating func turn(at time: Double) throws {
    for ending in endings where ending.time <= time { try end(ending, at: time) }
    endings.removeAll { $0.time <= time }
    while next < faults.count, faults[next].time <= time {
      try begin(next, at: time)
      next += 1
    }
    guard !kills.isEmpty || !returns.isEmpty, time >= lookDue else { return }
    lookDue = time + Self.lookPeriod
    look(try stand.run.stages(), at: time)
  }

  /// Lets the link, the disk and the detector go on: the run is over.
  mutating func finish(at time: Double) throws {
    for ending in endings { try end(ending, at: time) }
    for wait in returns { rows[wait.row].seen = "not started again before the run was over" }
    for wait in kills { rows[wait.row].seen = "stage \(wait.stage ?? "") did not run" }
    stand.link.set(.free)
    (endings, kills, returns) = ([], [], [])
  }

  private mutating func begin(_ row: Int, at time: Double) throws {
    switch faults[row].action {
    case .linkDown(let seconds), .linkClosed(let seconds):
      cut(faults[row].action, by: 1)
      endings.append(Ending(row: row, time: time + seconds, action: faults[row].action))
    case .linkRate(let rate):
      flow = .limited(bytesPerSecond: rate)
      setLink()
    case .linkFree:
      flow = .free
      setLink()
    case .diskFull(let seconds):
      try stand.disk?.fill()
      endings.append(Ending(row: row, time: time + seconds, action: faults[row].action))
    case .detectorPause(let seconds):
      try stand.detector.pause(true)
      endings.append(Ending(row: row, time: time + seconds, action: faults[row].action))
    case .kill(let stage):
      if stage == nil { rows[row].target = try drawStage(row) }
      kills.append(Wait(row: row, stage: stage?.description ?? rows[row].target ?? "", since: time))
      return
    case .machine:
      guard try stand.run.killMachine() else { return }
      try stand.run.resume()
      returns.append(Wait(row: row, stage: nil, since: time))
    }
    rows[row].done = time
    rows[row].seen = "holds on"
  }

  private mutating func cut(_ action: RehearsalFault.Action, by count: Int) {
    if case .linkClosed = action { closings += count } else { downs += count }
    setLink()
  }

  private func setLink() { stand.link.set(closings > 0 ? .closed : downs > 0 ? .down : flow) }

  /// The stage that is killed where the plan leaves it open.
  private func drawStage(_ row: Int) throws -> String? {
    var random = SplitMix64(seed: seed, row)
    return try stand.run.stageNames().randomElement(using: &random)
  }

  private mutating func end(_ ending: Ending, at time: Double) throws {
    let length = PlanWords.text(time - (rows[ending.row].done ?? time))
    switch ending.action {
    case .linkDown, .linkClosed:
      cut(ending.action, by: -1)
      rows[ending.row].seen = "up again after \(length)"
    case .diskFull:
      try stand.disk?.free()
      rows[ending.row].seen = "room again after \(length)"
    case .detectorPause:
      try stand.detector.pause(false)
      rows[ending.row].seen = "went on after \(length)"
    case .linkRate, .linkFree, .kill, .machine: break
    }
  }

  /// Kills stages that are to be killed, and takes note of those that are back.
  private mutating func look(_ stages: [String: Int32], at time: Double) {
    returns.removeAll { wait in
      guard let pid = wait.process(of: stages), pid != wait.died else { return false }
      rows[wait.row].seen = "started again after \(PlanWords.text(time - wait.since))"
      return true
    }
    kills.removeAll { wait in
      guard let stage = wait.stage, let pid = stages[stage], stand.run.kill(pid, of: stage) else {
        guard time - wait.since > Self.stageLimit else { return false }
        rows[wait.row].seen = "stage \(wait.stage ?? "") does not run"
        return true
      }
      rows[wait.row].done = time
      returns.append(Wait(row: wait.row, stage: wait.stage, since: time, died: pid))
      return true
    }
  }
}
