import Glibc
import Host
import Run
import RunModel
import ScanPlan

/// Everything that the page shows, as `/api/status` and each event hold it: figures as numbers for programs and as
/// words for people, so that the page with and without its script says the same.
struct RunReport: Codable, Equatable {
  /// A line of a table of figures.
  struct Figure: Codable, Equatable {
    var id: String
    var label: String
    var text: String
  }

  /// One stage, as it is drawn.
  struct Stage: Codable, Equatable {
    var name: String
    /// As in `RunStatus.Stage.state`.
    var state: String
    var pid: Int32
    var epoch: UInt64?
    var cursor: UInt64
    var lag: UInt64
    /// Events a second.
    var rate: Double
    var restarts: Int
    var hangs: Int
  }

  /// The volume behind the pictures.
  struct Volume: Codable, Equatable {
    var columns: Int
    var slices: Int
    /// Of each worker.
    var generations: [UInt64]
    /// Slices that are denoised, from the top; nil where none will be.
    var denoised: Int?
    /// Generation of the volume that a live stage denoises; nil where none does.
    var denoisedGeneration: UInt64?
    /// What is black and white unless the page asks for something else.
    var window: GreyWindow?
  }

  /// How it ended.
  struct ReportedEnding: Codable, Equatable {
    var isSuccess: Bool
    var text: String
    var outputs: [String]
  }

  /// Milliseconds between two events, and between two pictures of one slice: longer while many watch.
  struct RefreshPeriods: Codable, Equatable {
    var events: Int
    var pictures: Int
  }

  var run: String
  /// What the run is doing, in a few words.
  var state: String
  /// Done of the scan or of the final iterations, 0…1.
  var fraction: Double
  /// Where it is, in one line.
  var headline: String
  var status: RunStatus?
  var progress: [Figure]
  var ledger: [Figure]
  var stages: [Stage]
  var rings: [RunView.Level]
  var volume: Volume?
  /// Changes where the curves do.
  var curves: Int
  var notices: [String]
  var ending: ReportedEnding?
  var pace: RefreshPeriods
}

extension RunReport {
  /// The report of what is known now. `rates` are those of the status's counters.
  init(
    _ latest: SupervisorState, curves: Curves?, similarity: SimilarityCurves?, stages: StageCurves = StageCurves(),
    rates: Rates, window: GreyWindow?, pace: RefreshPeriods
  ) {
    let (status, view) = (latest.status, latest.view)
    run = status?.run ?? view?.run ?? ""
    (self.status, self.pace) = (status, pace)
    // A status has what was said before it; what is told again is told once.
    notices = ((status?.notices ?? []) + latest.notices).reduce(into: []) { told, notice in
      if !told.contains(notice) { told.append(notice) }
    }
    self.stages = status?.stages.map { Stage($0, rate: rates.rate("stage " + $0.name)) } ?? []
    rings = view?.levels ?? []
    volume = view.map {
      Volume(
        columns: $0.columns, slices: $0.slices, generations: $0.generations, denoised: $0.denoisedSlices,
        denoisedGeneration: $0.denoisedGeneration, window: window)
    }
    self.curves = (curves?.version ?? 0) + (similarity?.version ?? 0) + stages.version
    ending = latest.ending.map(ReportedEnding.init)
    state = Self.state(latest)
    fraction = status?.phaseFraction ?? 0
    headline =
      status.map {
        Self.room($0)
          + Self.headline($0, rates, waitsAt: view.flatMap { $0.plan.live == nil ? nil : $0.plan.scan.input })
      } ?? ""
    progress =
      status.map {
        Self.progress(
          $0, rates, residual: curves?.latest ?? $0.residual, goal: view?.similarityGoal?.min)
      } ?? []
    ledger =
      status.map {
        Self.ledger($0, latest, curves?.pixels ?? .init(), dropped: view?.levels.reduce(0) { $0 + $1.dropped } ?? 0)
      } ?? []
  }

  private static func state(_ latest: SupervisorState) -> String {
    switch latest.ending {
    case .failure: return "failed"
    case .result(let result): return result.missingRows.isEmpty ? "finished" : "failed"
    case nil: break
    }
    guard let status = latest.status else { return latest.view == nil ? "planning" : "starting" }
    switch status.phase {
    case .scanning where status.acquired == 0: return "waiting"
    case .scanning where status.acquired < status.projections: return "scanning"
    case .scanning where status.lag > 0: return "catching up"
    case .scanning, .finalIterations: return "final iterations"
    case .exporting: return "writing"
    case .finished, .failed: return status.phase.rawValue
    }
  }

  /// What `progress` tells, also before there is anything to tell.
  static let progressLabels = [
    ("acquired", "Projections"), ("rate", "per second"), ("updates", "Updates"), ("update-rate", "per second"),
    ("lag", "Behind the source"),
    ("step", "Step"), ("sweep", "Final iterations"), ("left", "Left, about"), ("residual", "Residual"),
    ("seconds", "Running for"),
    ("similarity", "Similarity"), ("goal", "ends it at"), ("late", "decided, late by"),
  ]

  private static func progress(
    _ status: RunStatus, _ rates: Rates, residual: Double?, goal: Double?
  ) -> [Figure] {
    figures(
      progressLabels,
      [
        "acquired": "\(status.acquired) of \(status.projections)", "rate": Text.decimal(rates.rate("acquired")),
        "updates": "\(status.updates) of \(status.updatesExpected)", "update-rate": Text.decimal(rates.rate("updates")),
        "lag": "\(status.lag)", "step": "\(status.step)", "sweep": Text.percent(status.sweptFraction),
        "left": left(status, rates).map(Text.duration) ?? "–", "residual": residual.map(Text.percent) ?? "–",
        "seconds": Text.duration(status.seconds), "similarity": status.similarity.map { Text.decimal($0, 4) } ?? "–",
        "goal": goal.map { Text.decimal($0, 4) } ?? "–",
        "late": status.decidedLate.map { Text.decimal($0) + " s" } ?? "–",
      ])
  }

  /// Seconds to the end of this part of the run, at the present speed: of its slowest work.
  private static func left(_ status: RunStatus, _ rates: Rates) -> Double? {
    switch status.phase {
    case .scanning:
      let parts = [(status.acquired, "acquired"), (status.reconstructed, "used")]
      let waits = parts.filter { $0.0 < status.projections }.map { done, counter -> Double? in
        let rate = rates.rate(counter)
        return rate > 0 ? Double(status.projections - done) / rate : nil
      }
      return waits.contains(nil) ? nil : waits.compactMap(\.self).max()
    case .finalIterations:
      let rate = rates.rate("swept")
      return rate > 0 ? max(0, 1 - status.sweptFraction) / rate : nil
    case .exporting, .finished, .failed: return nil
    }
  }

  /// What waits for room on disk.
  private static func room(_ status: RunStatus) -> String {
    let copies = status.copiesLost.map { "without a copy of the journal, \($0.joined(separator: ", ")); " } ?? ""
    let told =
      copies + (status.scrub?.words.map { "\($0); " } ?? "")
      + (status.coding?.words.map { "\($0); " } ?? "")
    guard !status.withoutRoom.isEmpty else { return told }
    return told + "no room on disk for \(status.withoutRoom.joined(separator: ", ")), "
      + "\(counted(status.buffered, "image")) in memory; "
  }

  private static func headline(_ status: RunStatus, _ rates: Rates, waitsAt address: String?) -> String {
    let left = left(status, rates).map { ", \(Text.duration($0)) left" } ?? ""
    switch status.phase {
    case .scanning where status.acquired == 0:
      return address.map { "waits for the first frame at \($0)" } ?? "reads the flat and dark fields"
    case .scanning where status.acquired >= status.projections && status.lag == 0:
      return "all \(status.projections) projections are in the volume; iterations over all of them begin"
    case .scanning where status.acquired >= status.projections:
      return "all \(status.projections) projections are there, \(status.lag) wait to be reconstructed\(left)"
    case .scanning:
      return
        "projection \(status.acquired) of \(status.projections), \(Text.decimal(rates.rate("acquired"))) a "
        + "second\(left)"
    case .finalIterations: return "\(Text.percent(status.sweptFraction)) of the final iterations\(left)"
    case .exporting: return "the volume is complete and goes to its files"
    case .finished, .failed:
      return
        "\(counted(status.acquired, "projection")), \(counted(status.updates, "update")) in "
        + Text.duration(status.seconds)
    }
  }

  /// What `ledger` tells.
  static let ledgerLabels = [
    ("field", "Field of view"), ("axis", "Rotation axis"), ("tilt", "Tilt of the axis"), ("used", "In the volume"),
    ("lost", "Lost"),
    ("source-lost", "Lost by the source"), ("source-filled", "interpolated, made by a program"),
    ("source-other", "twice, late, broken"), ("source-empty", "Empty, left out"),
    ("spilled", "By way of the disk"), ("room", "Without room on disk"), ("dropped", "Dropped"),
    ("workers", "Workers"), ("band-moves", "Bands that changed hands"), ("restarts", "Stages restarted"),
    ("hangs", "of these, hung"), ("dead", "Dead pixels"), ("non-finite", "NaN or infinite"),
    ("clamped", "At or below dark"),
    ("negative", "Below zero"),
    ("missing-rows", "Missing in the volume"), ("uplink", "Events that nodes can have"),
    ("preview-skipped", "Not in the preview"), ("nodes", "Nodes"),
    ("granules", "Granules"), ("granule-scores", "Similarity on nodes"),
    ("noise", "Noise of a line integral"),
    ("residual-noise", "Residual over noise"), ("worst-slice", "at most"),
  ]

  private static func ledger(
    _ status: RunStatus, _ latest: SupervisorState, _ pixels: PixelCounts, dropped: UInt64
  ) -> [Figure] {
    var result: RunResult?
    if case .result(let ended) = latest.ending { result = ended }
    let lost = result.map { $0.lostFields > 0 ? "\($0.lost) and \($0.lostFields) fields" : "\($0.lost)" }
    return figures(
      ledgerLabels,
      [
        "field": latest.view?.fieldOfView ?? "–", "axis": status.axisWords,
        "tilt": latest.view.map { $0.axisTilt == 0 ? "–" : Text.decimal($0.axisTilt, 3) + "°" } ?? "–",
        "used": "\(result?.projections ?? status.reconstructed)", "lost": lost ?? "at the end",
        "spilled": "\(status.spilled)", "room": room(status.secondsWithoutRoom),
        "source-lost": status.losses.map { "\($0.lost)" } ?? "–",
        "source-filled": status.losses.map { "\($0.interpolated), \($0.generated)" } ?? "–",
        "source-empty": status.losses.map { "\($0.empty ?? 0)" } ?? "–",
        "source-other": status.losses.map { "\($0.duplicates), \($0.late), \($0.malformed)" } ?? "–",
        "dropped": "\(dropped)",
        "workers": status.workersFigure, "band-moves": status.bandMovesFigure,
        "restarts": "\(status.stages.reduce(0) { $0 + $1.restarts })",
        "hangs": "\(status.stages.reduce(0) { $0 + $1.hangs })", "dead": "\(pixels.dead)",
        "non-finite": "\(pixels.nonFinite)",
        "clamped": "\(pixels.clamped)", "negative": "\(pixels.negative)",
        "uplink": status.uplinkFigure, "preview-skipped": status.previewFigure, "nodes": status.nodesFigure,
        "granules": status.granulesFigure,
        "granule-scores": status.granuleScoresFigure,
        "missing-rows": status.missingRows.map(RowRange.list) ?? "–",
        "noise": result?.fit.map { Text.decimal(Double($0.noise), 4) } ?? "–",
        "residual-noise": result?.fit?.residualOverNoise.map { Text.decimal(Double($0), 2) } ?? "–",
        "worst-slice": worstSlice(result?.fit),
      ])
  }

  private static func worstSlice(_ fit: VolumeFit?) -> String {
    guard let residual = fit?.residualOverNoiseWorst, let slice = fit?.worstRow else { return "–" }
    return "\(Text.decimal(Double(residual), 2)) in slice \(slice)"
  }

  private static func room(_ seconds: Double) -> String { seconds > 0 ? Text.decimal(seconds) + " s" : "–" }

  private static func figures(_ labels: [(String, String)], _ texts: [String: String]) -> [Figure] {
    labels.map { id, label in
      guard let text = texts[id] else { preconditionFailure("no text for \(id)") }
      return Figure(id: id, label: label, text: text)
    }
  }
}

extension RunReport.Stage {
  init(_ stage: RunStatus.Stage, rate: Double) {
    self.init(
      name: stage.name, state: stage.state, pid: stage.pid, epoch: stage.epoch, cursor: stage.cursor, lag: stage.lag,
      rate: (rate * 10).rounded() / 10, restarts: stage.restarts,
      hangs: stage.hangs)
  }
}

extension RunReport.ReportedEnding {
  init(_ ending: SupervisorState.KnownEnding) {
    switch ending {
    case .failure(let reason): self.init(isSuccess: false, text: reason, outputs: [])
    case .result(let result):
      let lost = result.lost + result.lostFields
      let without = lost > 0 ? ", without \(lost) that were lost" : ""
      let warning = [result.axisWarning, result.fit?.precisionWords, result.fit?.warning].compactMap(\.self).map {
        "; " + $0
      }.joined()
      let missing = result.missingRows.isEmpty ? "" : "; missing in the volume: \(RowRange.list(result.missingRows))"
      self.init(
        isSuccess: result.missingRows.isEmpty,
        text:
          "\(counted(result.projections, "projection")), \(counted(result.updates, "update")) in "
          + "\(Text.duration(result.seconds))\(without); ended by: \(result.stoppedBy)\(missing)\(warning)",
        outputs: result.outputs.map(Self.withSize))
    }
  }

  /// A path and how large its file is, where it is one.
  private static func withSize(_ path: String) -> String {
    var status = stat()
    guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return path }
    return "\(path) (\(bytes(Int(status.st_size))))"
  }
}
