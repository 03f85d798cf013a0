import Host
import RunModel
import ScanFiles
import Stages

// Where the detector lies beside the slices, and with it the field of view: what of the sample a slice holds.
extension Planner {
  /// Whether the angles are known before the scan: those of a live source are where their step is given.
  private var knowsThetas: Bool { live == nil || scan.thetaStep != nil }

  /// Where the detector lies beside the slices: the rotation axis in columns after binning, with the error of one that
  /// was found in pixels of the detector, what follows from it, and the description with what was decided.
  func place(rows: Range<Int>, columns: Int, minusLog: Bool) throws -> (
    scan: ScanDescription, axis: (axis: Double, error: Double?), geometry: ScanGeometry
  ) {
    let factor = Double(1 << scan.binning), degrees = try axisTilt(minusLog: minusLog)
    let said = try RunBefore.named(by: scan)
    let found = try rotationAxis(said, rows: rows, minusLog: minusLog, tiltDegrees: degrees), axis = found.axis / factor
    let middle = 0.5 * Double(info.rows) - Double(rows.lowerBound)
    var decided = scan
    (decided.rotationAxis, decided.axisTilt) = (said, .degrees(degrees))
    decided.fieldOfView = try fieldOfView(axis: axis, columns: columns)
    let geometry = ScanGeometry(
      detectorColumns: columns, rotationAxis: axis, isHalf: decided.fieldOfView == .half,
      tilt: degrees == 0 ? nil : ScanTilt(degrees: degrees, middle: middle / factor))
    guard geometry.crossesDetector(rows: rows.count >> scan.binning) else {
      throw ScanFailure(
        .data,
        "--axis-tilt \(degrees.scanText) takes the rotation axis out of the detector in some of its rows; choose "
          + "others by --start-row and --end-row where it is right")
    }
    return (decided, (axis, found.error), geometry)
  }

  /// Full or half, for a rotation axis in columns after binning.
  private func fieldOfView(axis: Double, columns: Int) throws(ScanFailure) -> FieldOfView {
    let turn = ScanGeometry.widestGap(info.thetas)
    switch scan.fieldOfView {
    case .full: return .full
    case .half:
      guard knowsThetas, turn.map({ $0.gap > .pi / 2 }) ?? true else { return .half }
      throw ScanFailure(
        .data,
        "--field-of-view half takes what the detector misses from half a turn later, and the angles of \(scan.input) "
          + (turn.map { "leave out \(degrees($0.gap))°" } ?? "are fewer than three")
          + "; use --field-of-view full, or look at --theta-unit")
    case .auto:
      let isWanted = info.isHalfAcquisition == true || ScanGeometry.isOuter(axis: axis, columns: columns)
      return isWanted && knowsThetas && turn?.isTurn == true ? .half : .full
    }
  }

  /// What is worth knowing of the rotation axis.
  func axisNotices(_ plan: RunPlan) -> [String] {
    if let folder = plan.scan.rotationAxis.runFolder {
      return ["rotation axis at \(plan.detectorAxis) px, as that of the run in \(folder)"]
    }
    guard scan.rotationAxis == .automatic else { return [] }
    guard !plan.findsAxis else {
      return [
        "the rotation axis is found from the projections as they come: no updates before these span 150°, and the "
          + "final iterations are about that of all"
      ]
    }
    return [FoundAxis(plan.detectorAxis, error: plan.rotationAxisError ?? 0).words]
  }

  /// What is worth knowing of it.
  func fieldNotices(_ plan: RunPlan) -> [String] {
    if plan.scan.fieldOfView == .half {
      let reason =
        switch (scan.fieldOfView, info.isHalfAcquisition) {
        case (.half, _): ""
        case (_, true): " as the file says"
        case (_, false):
          " around an axis near an edge of the detector, though the file says that its field of view is full"
        case (_, nil): " around an axis near an edge of the detector"
        }
      return [
        "half acquisition\(reason): slices have \(plan.geometry.columns) columns, of \(plan.shape.columns) of the "
          + "detector"
          + (reason.isEmpty ? "" : "; --field-of-view full makes them as wide as it")
      ]
    }
    guard scan.fieldOfView == .auto, info.isHalfAcquisition == true else { return [] }
    let gap = ScanGeometry.widestGap(info.thetas).map { " leave out \(degrees($0.gap))° of a turn" } ?? " are few"
    return [
      "the file says half acquisition, and its angles\(gap): slices are as wide as the detector; "
        + "--field-of-view half makes them wider"
    ]
  }

  private func degrees(_ radians: Double) -> Int { Int((radians * 180 / .pi).rounded()) }
}
