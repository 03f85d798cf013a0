import Detectors
import Host
import RunModel
import ScanPlan
import Stages

// What to tell of a run that is over, in sentences.
extension Reconstruction {
  /// What a live source has lost, in words.
  static func notices(_ report: LossReport?, _ faults: [String: String], _ plan: RunPlan) -> [String] {
    guard let report else { return [] }
    let empty = report.emptyWords.map {
      ["left out, as they are empty (zero, or no brighter than the dark field): \($0)"]
    }
    let losses = report.counts
    var instead = ""
    if case .program = plan.scan.onGap { instead = ", which on-gap's program did not make" }
    let gaps = report.gaps.isEmpty ? "" : " (\(report.gapWords))"
    let counts: [String] = [
      (losses.lost, "frame never came" + gaps, "frames never came" + gaps),
      (
        losses.interpolated, "of these frames was interpolated" + instead,
        "of these frames were interpolated" + instead
      ),
      (
        losses.generated, "of these frames was made by on-gap's program",
        "of these frames were made by on-gap's program"
      ),
      (losses.duplicates, "came twice", "came twice"), (losses.late, "came late", "came late"),
      (losses.invalid, "was marked as invalid", "were marked as invalid"),
      (losses.malformed, "message was dropped", "messages were dropped"),
    ].filter { $0.0 > 0 }.map { counted($0.0, $0.1, $0.2) }
    guard !counts.isEmpty else { return empty ?? [] }
    let kinds = report.malformed.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
    let details = faults.sorted { $0.key < $1.key }.map { "; the first \($0.key): \($0.value)" }.joined()
    return [
      "the source: " + counts.joined(separator: ", ") + (kinds.isEmpty ? "" : " (\(kinds))")
        + details
    ] + (empty ?? [])
  }

  /// Said again at the end: it took longer for it.
  static func notices(_ secondsWithoutRoom: Double) -> [String] {
    secondsWithoutRoom > 0 ? ["the run was without room on disk for \((secondsWithoutRoom * 10).rounded() / 10) s"] : []
  }

  /// What nodes do not have.
  static func notices(_ uplink: UplinkReport?) -> [String] {
    uplink.map { $0.isComplete && $0.faults.isEmpty ? [] : [$0.words] } ?? []
  }

  /// Said again at the end: somebody has to go and stop it.
  static func notices(_ stop: StopReport?) -> [String] { stop.map { $0.wasTold ? [] : [$0.words] } ?? [] }

  /// Where the axis of a live scan was found.
  private static func axisNotices(_ plan: RunPlan, _ report: ExportReport) -> [String] {
    guard plan.findsAxis, let axis = report.axis else { return [] }
    let isOuter = !axis.isGuess && plan.isOuter(axis: axis.axis)
    return [axis.words]
      + (isOuter && plan.scan.fieldOfView == .full
        ? [
          "the rotation axis is near an edge of the detector: where the scan is a half acquisition, --rotation-axis "
            + "\((axis.axis * 100).rounded() / 100) makes its slices as wide as they were measured"
        ] : [])
  }

  static func notices(_ plan: RunPlan, _ report: ExportReport?, empty: Int) -> [String] {
    guard let report else { return ["stopped before the first projection: there is nothing to export"] }
    var notices = axisNotices(plan, report)
    if report.lost + report.lostFields > 0 {
      notices.append(
        "\(report.lost) projections and \(report.lostFields) flat or dark fields were lost; "
          + "the volume is made of the others"
      )
    }
    if report.projections + report.lost + empty < plan.shape.projections {
      notices.append("stopped after \(report.projections) of \(counted(plan.shape.projections, "projection"))")
    }
    let (pixels, corrected) = (plan.slices * plan.shape.columns, report.pixels)
    if corrected.dead > 0, corrected.dead < pixels {
      notices.append(
        "\(corrected.dead) dead pixels (dark field not below flat field, or every projection at or below dark) "
          + "were interpolated from their neighbours")
    }
    if corrected.clamped > 0 {
      notices.append(
        "\(corrected.clamped) pixels at or below the dark field show nothing; "
          + "each was taken for a line integral of 11.8"
      )
    }
    if corrected.nonFinite > 0, emptiness(plan, report) == nil {
      notices.append("\(corrected.nonFinite) NaN or infinite pixels were replaced by their neighbours")
    }
    let fit = plan.export.fit(report.fits)
    notices += [fit?.warning, fit?.precisionNotice].compactMap(\.self)
    if plan.scan.asksForPace, let pace = report.pace, pace.wasSlow { notices.append(pace.words) }
    if corrected.negative > 0 {
      notices.append(
        "\(corrected.negative) line integrals below zero were taken for zero, "
          + "which \(plan.scan.lastAlgorithm.rawValue) needs"
      )
    }
    return notices
  }

  /// Damage of journals that was found while the run went on.
  static func notices(_ scrub: ScrubStatus?) -> [String] {
    scrub?.words.map { ["\($0); slipring journal verify shows what is whole now"] } ?? []
  }

  /// Devices of shards that the run went on without, and segments that are not coded.
  static func notices(_ coding: CodingStatus?) -> [String] {
    coding?.words.map { ["\($0); slipring journal mend writes again what can be made"] } ?? []
  }

  /// Copies of journals that the run went on without.
  static func notices(copies: [String]?) -> [String] {
    copies.map {
      [
        "the run went on without a copy of its journal, \($0.joined(separator: ", ")); slipring journal mend writes it "
          + "again"
      ]
    } ?? []
  }
}
