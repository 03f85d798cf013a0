import Host
import RunModel
import ScanPlan

// What the events of a run say, topic by topic: `body` of what is sent. Readers of others rely on every name.

/// In `runs`: its beginning and its end.
package struct RunsBody: Codable, Sendable {
  /// What happened.
  enum Change: String, CaseIterable, Codable {
    case started, ended
  }

  /// `started`, also where it goes on after its supervisor died; `ended`.
  let event: Change
  /// Of a run that started, what was planned.
  var plan: PlanFacts?
  /// Of one that ended, what `--json` prints, of long lists the beginning; nil where there is no result.
  var result: RunResult?
  /// Why it is no success; nil where it is one.
  var failure: String?
  /// What the command ends with; of one that ended.
  var exitCode: Int32?
}

/// What a run was planned with, for those who know nothing of it.
struct PlanFacts: Codable {
  let input: String
  let outputFolder: String
  let runFolder: String
  let host: String
  let version: String
  let isLive: Bool
  let algorithm: String
  let sample: String?
  let projections: Int
  let flatsAndDarks: Int
  /// Slices, and columns of each.
  let slices: Int
  let columns: Int
  let voxelSizeMillimetres: Double?
  /// In pixels of the detector; nil where it is to be found while the scan goes on.
  let rotationAxis: Double?
  let workers: Int
  let updatesExpected: Int
  /// Whether events of the run are on disk before they are used, so that it can be resumed.
  let isDurable: Bool

  init(_ plan: RunPlan) {
    let scan = plan.scan
    (input, outputFolder, runFolder) = (scan.input, scan.outputFolder, scan.runFolder ?? "")
    (host, version) = (Machine.hostName, programVersion)
    (isLive, algorithm, sample) = (plan.live != nil, scan.algorithm.rawValue, scan.sample)
    (projections, flatsAndDarks) = (plan.shape.projections, plan.shape.flatsAndDarks)
    (slices, columns) = (plan.slices, plan.geometry.columns)
    voxelSizeMillimetres = plan.pixelSizeMillimetres
    rotationAxis = plan.findsAxis ? nil : plan.detectorAxis
    (workers, updatesExpected) = (plan.placement.workers.count, plan.updateCount)
    isDurable = scan.durability == .durable
  }
}

/// In `scores`: what control saw of a worker's slice.
package struct ScoresBody: Codable, Sendable {
  /// Its place in the run's own topic, from which it comes.
  let source: UInt64
  let worker: Int
  let update: Int
  /// Projections behind the volume, and behind the earlier one that it was compared with.
  let projections: Int
  let against: Int?
  /// MS-SSIM with the earlier volume, and with the reference.
  let similarity: Double?
  let truth: Double?
  /// Scores in a row that reached --stop-ssim.
  let streak: Int
  /// Whether the grey range in which slices are compared stays as it is.
  let isSettled: Bool

  init(_ score: ScoreEvent, source: UInt64) {
    self.source = source
    (worker, update, projections, against) = (score.worker, score.update, score.projections, score.against)
    (similarity, truth, streak, isSettled) = (score.similarity, score.truth, score.streak, score.isSettled)
  }
}

/// In `status`: how far the run is, in the words of status.json.
package struct StatusBody: Codable, Sendable {
  struct Stage: Codable {
    let name: String
    let isRunning: Bool
    let restarts: Int
    let hangs: Int
    let lag: UInt64
  }

  let phase: RunStatus.Phase
  let acquired: Int
  let reconstructed: Int
  let projections: Int
  let lag: Int
  let spilled: UInt64
  let buffered: UInt64
  let step: Int
  let updates: Int
  let updatesExpected: Int
  let sweptFraction: Double
  let residual: Double?
  let similarity: Double?
  let rotationAxis: Double?
  let rotationAxisError: Double?
  let finalized: String?
  let withoutRoom: [String]
  let secondsWithoutRoom: Double
  let seconds: Double
  let stages: [Stage]

  init(_ status: RunStatus) {
    (phase, acquired, reconstructed) = (status.phase, status.acquired, status.reconstructed)
    (projections, lag, spilled, buffered) = (status.projections, status.lag, status.spilled, status.buffered)
    (step, updates, updatesExpected) = (status.step, status.updates, status.updatesExpected)
    (sweptFraction, residual, similarity) = (status.sweptFraction, status.residual, status.similarity)
    (rotationAxis, rotationAxisError) = (status.rotationAxis, status.rotationAxisError)
    (finalized, withoutRoom) = (status.finalized, status.withoutRoom)
    (secondsWithoutRoom, seconds) = (status.secondsWithoutRoom, status.seconds)
    stages = status.stages.map {
      Stage(name: $0.name, isRunning: $0.isRunning, restarts: $0.restarts, hangs: $0.hangs, lag: $0.lag)
    }
  }
}

/// In `losses`: what the source has lost so far, whenever that has become another number.
package struct LossesBody: Codable, Equatable, Sendable {
  let losses: Losses
  /// Why messages of a live source were dropped, each reason once.
  let faults: [String]
}

/// In `alarms`: what people are warned of.
package struct AlarmsBody: Codable, Sendable {
  let kind: AlarmKind
  /// A sentence for people, as on standard error.
  let text: String
}

/// What a warning is about.
package enum AlarmKind: String, CaseIterable, Codable, Sendable {
  /// A stage died or hung, and is started again.
  case restart
  /// A worker cannot live: its rows are set aside, moved, or missing.
  case worker
  /// Something has no room on disk, or has it again.
  case disk
  /// A worker does not keep up with the detector.
  case lag
  /// Frames of the source never came, or images were lost.
  case lost
  /// The source sends what no scan can use, or ended the scan.
  case source
  /// The rotation axis is doubtful.
  case axis
  /// A trigger's alarm begins or ends.
  case trigger
}
