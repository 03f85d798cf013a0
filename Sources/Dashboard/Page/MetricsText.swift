import Run
import RunModel
import Stages

/// The figures in Prometheus' text format, version 0.0.4
/// (https://prometheus.io/docs/instrumenting/exposition_formats/).
enum MetricsText {
  static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  static func text(_ report: RunReport, pixels: PixelCounts, viewers: Int) -> String {
    var page = Builder()
    page.add("slipring_viewers", "gauge", "Pages that follow the run.", [([], Double(viewers))])
    guard let status = report.status else { return page.text }
    let run = [("run", status.run), ("phase", status.phase.rawValue)]
    page.add("slipring_run_info", "gauge", "The run and what it is doing.", [(run, 1)])
    page.add("slipring_run_seconds", "gauge", "Time since the stages were started.", [([], status.seconds)])
    page.add("slipring_projections_expected", "gauge", "Projections of the scan.", [([], Double(status.projections))])
    page.add("slipring_projections_acquired_total", "counter", "Projections acquired.", [([], Double(status.acquired))])
    page.add(
      "slipring_projections_used_total", "counter", "Projections that the slowest worker has taken.",
      [([], Double(status.reconstructed))])
    page.add(
      "slipring_updates_expected", "gauge", "Updates that a complete scan makes.",
      [([], Double(status.updatesExpected))])
    page.add("slipring_updates_total", "counter", "Updates of the slowest worker.", [([], Double(status.updates))])
    let missing = (status.missingRows ?? []).reduce(0) { $0 + $1.last - $1.first + 1 }
    page.add("slipring_rows_missing", "gauge", "Rows that could not be reconstructed.", [([], Double(missing))])
    page.add("slipring_final_sweep_ratio", "gauge", "Done of the final iterations.", [([], status.sweptFraction)])
    axis(status, &page)
    pace(status, &page)
    if let residual = status.residual {
      page.add(
        "slipring_residual_ratio", "gauge", "Norm of b - A x over norm of b, of the latest update.", [([], residual)])
    }
    if let similarity = status.similarity {
      page.add(
        "slipring_similarity_ratio", "gauge",
        "MS-SSIM to the volume of stop-distance updates before, the lowest of the newest scores.",
        [([], similarity)])
    }
    if let late = status.decidedLate {
      page.add(
        "slipring_decision_late_seconds", "gauge", "From the last projection that a score knew to its decision.",
        [([], late)])
    }
    source(status, pixels, &page)
    room(status, &page)
    alarms(status, &page)
    nodes(status, &page)
    workers(status, &page)
    stages(status, &page)
    programs(status, &page)
    rings(report, &page)
    return page.text
  }

  private static func source(_ status: RunStatus, _ pixels: PixelCounts, _ page: inout Builder) {
    page.add(
      "slipring_pixels_corrected_total", "counter", "Pixels that were not as they should be.",
      [
        ("non-finite", pixels.nonFinite), ("clamped", pixels.clamped), ("dead", pixels.dead),
        ("negative", pixels.negative),
      ].map {
        ([("kind", $0.0)], Double($0.1))
      })
    guard let losses = status.losses else { return }
    let kinds = [
      ("lost", losses.lost), ("twice", losses.duplicates), ("late", losses.late), ("malformed", losses.malformed),
      ("empty", losses.empty ?? 0),
    ]
    page.add(
      "slipring_source_faults_total", "counter", "Frames of a live source that were lost or wrong.",
      kinds.map { ([("kind", $0.0)], Double($0.1)) })
    page.add(
      "slipring_source_filled_total", "counter", "Projections that stand in place of lost ones of a live source.",
      [("interpolated", losses.interpolated), ("generated", losses.generated)].map {
        ([("kind", $0.0)], Double($0.1))
      })
  }

  private static func pace(_ status: RunStatus, _ page: inout Builder) {
    if let level = status.level {
      page.add(
        "slipring_update_level", "gauge", "Steps of when-slow that are in effect, because workers do not keep up.",
        [([], Double(level))])
    }
    guard let pace = status.pace else { return }
    page.add(
      "slipring_latency_seconds", "gauge", "From a projection's acquisition to the volume that has it.",
      [("50", pace.latencyP50), ("99", pace.latencyP99), ("100", pace.latencyMax)].map {
        ([("percentile", $0.0)], $0.1)
      })
    page.add(
      "slipring_update_level_ratio", "gauge", "Share of the time at each level.",
      pace.levels.map { ([("level", $0.level)], $0.share) })
  }

  private static func axis(_ status: RunStatus, _ page: inout Builder) {
    if let axis = status.rotationAxis {
      page.add("slipring_rotation_axis_pixels", "gauge", "From the detector's left edge.", [([], axis)])
    }
    if let error = status.rotationAxisError {
      page.add("slipring_rotation_axis_error_pixels", "gauge", "Standard error of one that was found.", [([], error)])
    }
  }

  private static func room(_ status: RunStatus, _ page: inout Builder) {
    page.add(
      "slipring_disk_full", "gauge", "Whether something waits for room on disk, or goes without.",
      [([], status.withoutRoom.isEmpty ? 0 : 1)])
    page.add(
      "slipring_disk_full_seconds_total", "counter", "Time without room on disk.", [([], status.secondsWithoutRoom)])
    page.add(
      "slipring_journal_copies_lost", "gauge", "Copies of journals that the run goes on without.",
      [([], Double(status.copiesLost?.count ?? 0))])
    let scrub = status.scrub
    page.add(
      "slipring_scrub_passes_total", "counter", "How often the journals were read again.",
      [([], Double(scrub?.passes ?? 0))])
    page.add(
      "slipring_scrub_bytes_total", "counter", "Bytes of journals that were read again.",
      [([], Double(scrub?.byteCount ?? 0))])
    page.add(
      "slipring_scrub_found_total", "counter", "Places of journals that were found damaged on disk.",
      [([], Double(scrub?.found ?? 0))])
    page.add(
      "slipring_scrub_mended_total", "counter", "How many of them were written again from the other copy.",
      [([], Double(scrub?.mended ?? 0))])
    let coding = status.coding
    page.add(
      "slipring_coding_segments", "gauge", "Segments of journals that shards give back.",
      [([], Double(coding?.segments ?? 0))])
    page.add(
      "slipring_coding_segments_uncoded", "gauge", "Segments of journals that could not be coded.",
      [([], Double(coding?.uncoded.count ?? 0))])
    page.add(
      "slipring_coding_devices_lost", "gauge", "Devices of shards that the run goes on without.",
      [([], Double(coding?.lost.count ?? 0))])
    page.add(
      "slipring_coding_healed_total", "counter", "Shards that were missing or damaged and were written again.",
      [([], Double(coding?.healed ?? 0))])
    page.add(
      "slipring_images_buffered", "gauge", "Images in memory that are not on disk yet.", [([], Double(status.buffered))]
    )
  }

  private static func alarms(_ status: RunStatus, _ page: inout Builder) {
    page.add(
      "slipring_figure", "gauge", "Figures of the run as they were last known, each in its own unit.",
      (status.gauges ?? [:]).sorted { $0.key < $1.key }.map { ([("gauge", $0.key)], $0.value) })
    let alarms = status.alarms ?? []
    page.add(
      "slipring_alarm", "gauge", "Whether the trigger's alarm has begun and not ended.",
      alarms.map { ([("trigger", $0.trigger), ("severity", $0.severity)], $0.isRaised ? 1 : 0) })
    page.add(
      "slipring_alarms_total", "counter", "How often the trigger's alarm has begun.",
      alarms.map { ([("trigger", $0.trigger)], Double($0.count)) })
  }

  private static func nodes(_ status: RunStatus, _ page: inout Builder) {
    guard let uplink = status.uplink else { return }
    page.add(
      "slipring_uplink_events_total", "counter", "Events that servers have for nodes.",
      [([], Double(uplink.acknowledged))])
    page.add("slipring_uplink_lag", "gauge", "Events that wait for the servers.", [([], Double(uplink.lag))])
    page.add("slipring_uplink_bytes_total", "counter", "Bytes that servers have taken.", [([], Double(uplink.bytes))])
    page.add(
      "slipring_uplink_replayed_total", "counter", "Messages that nodes asked the edge for.",
      [([], Double(uplink.replayed))])
    page.add(
      "slipring_uplink_resyncs_total", "counter", "How often the servers were asked where their streams are.",
      [([], Double(uplink.resyncs))])
    page.add(
      "slipring_uplink_refused_total", "counter", "Messages that servers refused.", [([], Double(uplink.refused))])
    page.add("slipring_uplink_away", "gauge", "Whether nothing goes up at present.", [([], uplink.away == nil ? 0 : 1)])
    if let preview = uplink.preview {
      page.add(
        "slipring_preview_shown_total", "counter", "Projections shown in fewer pixels.", [([], Double(preview.shown))])
      page.add(
        "slipring_preview_skipped_total", "counter", "Projections that were not shown in fewer pixels.",
        [([], Double(preview.skipped))])
    }
    if let nodes = uplink.nodes {
      page.add("slipring_nodes", "gauge", "Nodes that are alive.", [([], Double(nodes.count))])
    }
    if let granules = uplink.granules {
      page.add(
        "slipring_granules", "gauge", "Granules by what becomes of them.",
        UplinkReport.granuleStates.map { ([("state", $0)], Double(granules[$0] ?? 0)) })
    }
    guard let scores = uplink.scores else { return }
    func series(_ value: (UplinkReport.Granule) -> Double?) -> [Builder.Sample] {
      scores.compactMap { granule in
        value(granule).map { ([("granule", "\(granule.granule)"), ("node", granule.node)], $0) }
      }
    }
    page.add(
      "slipring_granule_similarity_ratio", "gauge", "MS-SSIM of a node's slices, latest score.",
      series(\.similarity))
    page.add(
      "slipring_granule_scored_projections", "gauge", "Projections behind a node's latest score.",
      series { $0.projections.map(Double.init) })
    page.add(
      "slipring_granule_silent", "gauge", "Whether a node says nothing new of its slices, and is not waited for.",
      series { $0.isSilent ? 1 : 0 })
    page.add(
      "slipring_granule_scores_damaged_total", "counter", "Scores of nodes that were none.",
      [([], Double(uplink.scoresDamaged ?? 0))])
  }

  private static func workers(_ status: RunStatus, _ page: inout Builder) {
    guard let workers = status.workers else { return }
    func series(_ value: (WorkerStatus) -> Double?) -> [Builder.Sample] {
      workers.compactMap { worker in value(worker).map { ([("worker", "\(worker.number)")], $0) } }
    }
    page.add("slipring_workers", "gauge", "Workers that make the volume.", [([], Double(workers.count))])
    page.add("slipring_worker_bands", "gauge", "Bands that the worker makes.", series { Double($0.bands.count) })
    page.add("slipring_worker_cores", "gauge", "Cores of the worker.", series { Double($0.cores.count) })
    page.add(
      "slipring_worker_update_seconds", "gauge", "What an update of the worker's slowest band takes.",
      series(\.updateSeconds))
    page.add(
      "slipring_band_moves_total", "counter", "How often a band changed hands.",
      [([], Double(status.bandMoves ?? 0))])
  }

  private static func stages(_ status: RunStatus, _ page: inout Builder) {
    func series(_ value: (RunStatus.Stage) -> Double) -> [Builder.Sample] {
      status.stages.map { ([("stage", $0.name)], value($0)) }
    }
    page.add("slipring_stage_up", "gauge", "Whether the stage's process runs.", series { $0.isRunning ? 1 : 0 })
    page.add(
      "slipring_stage_events_total", "counter", "Events that the stage has handled.", series { Double($0.cursor) })
    page.add("slipring_stage_lag", "gauge", "Events that wait for the stage.", series { Double($0.lag) })
    page.add(
      "slipring_stage_restarts_total", "counter", "How often the stage was started again.",
      series { Double($0.restarts) })
    page.add(
      "slipring_stage_hangs_total", "counter", "How often the stage was killed because it hung.",
      series { Double($0.hangs) })
  }

  private static func views(_ status: RunStatus, _ page: inout Builder) {
    guard let views = status.views else { return }
    func series(_ value: (ViewStatus) -> UInt64) -> [Builder.Sample] {
      views.map { ([("view", $0.name)], Double(value($0))) }
    }
    page.add("slipring_view_items_total", "counter", "Items of the view.", series(\.items))
    page.add("slipring_view_dropped_total", "counter", "Items that the view left out.", series(\.dropped))
    page.add("slipring_view_stored_bytes", "gauge", "Voxels that the view has copied.", series(\.storedBytes))
  }

  private static func programs(_ status: RunStatus, _ page: inout Builder) {
    views(status, &page)
    guard let programs = status.programs else { return }
    page.add(
      "slipring_stage_gave_up", "gauge", "Whether the run goes on without the program of --stage.",
      programs.map { ([("stage", $0.name)], $0.state == .gaveUp ? 1 : 0) })
    page.add(
      "slipring_stage_value", "gauge", "What the program of --stage said last.",
      programs.flatMap { program in
        program.figures.sorted { $0.key < $1.key }.map { ([("stage", program.name), ("name", $0.key)], $0.value) }
      })
  }

  private static func rings(_ report: RunReport, _ page: inout Builder) {
    func series(_ value: (RunView.Level) -> Double) -> [Builder.Sample] {
      report.rings.map { ([("topic", $0.topic)], value($0)) }
    }
    page.add("slipring_ring_slots", "gauge", "Events that the ring can hold.", series { Double($0.slots) })
    page.add(
      "slipring_ring_waiting", "gauge", "Events that the ring's slowest reader has not applied.",
      series { Double($0.waiting) })
    page.add("slipring_ring_published_total", "counter", "Events published.", series { Double($0.published) })
    page.add(
      "slipring_ring_spilled_total", "counter", "Events that the ring had no room for and that are on disk.",
      series { Double($0.spilled) })
    page.add(
      "slipring_ring_dropped_total", "counter", "Events that did not fit and are lost.", series { Double($0.dropped) })
  }

  /// Writes families: a help line, a type line, and a line for each sample. A family without samples is left out.
  struct Builder {
    typealias Sample = (labels: [(String, String)], value: Double)

    private(set) var text = ""

    mutating func add(_ name: String, _ type: String, _ help: String, _ samples: [Sample]) {
      guard !samples.isEmpty else { return }
      text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
      for sample in samples {
        let labels = sample.labels.map { "\($0.0)=\"\(Self.escape($0.1))\"" }.joined(separator: ",")
        text += "\(name)\(labels.isEmpty ? "" : "{\(labels)}") \(sample.value)\n"
      }
    }

    private static func escape(_ value: String) -> String {
      value.reduce(into: "") { $0 += ["\\": "\\\\", "\"": "\\\"", "\n": "\\n"][$1] ?? String($1) }
    }
  }
}
