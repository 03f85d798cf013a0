import Host
import Rings
import RunModel
import Topics

// The rotation axis of a scan whose axis nobody gave.
extension DistributeStage {
  /// What finds the axis; nil where it is known. So many images were handed out, by as many of `orders` as there are.
  func liveAxis(handedOut images: Int, orders number: UInt64) throws -> LiveAxis? {
    guard let schedule = configuration.axis else { return nil }
    try projections.keepAll()
    return LiveAxis(
      schedule, images: projections, recall: images == 0 ? nil : { try handedOut(before: number) }, noticed: noticed)
  }

  /// The images that the first `count` orders are about.
  private func handedOut(before count: UInt64) throws -> [LiveAxis.Image] {
    try (0..<count).compactMap { number in
      guard let (header, metadata) = try orders[0].event(at: number), header.kind == .order else {
        throw StageError.disorder("order \(number) of \(count) is nowhere any more")
      }
      let order = try metadata.withUnsafeBytes { try WorkerOrder(decoding: $0, rows: configuration.rows[0]) }
      guard case .rows(let role, let sequence, _, let theta) = order else { return nil }
      return LiveAxis.Image(role: role, sequence: sequence, theta: theta)
    }
  }

  /// What decides about the axis: what a worker was told of it stays, as `recorded` says.
  func decisions(_ axis: LiveAxis, _ recorded: (order: WorkerOrder, progress: DistributionProgress)?) -> AxisDecisions {
    var told: FoundAxis?
    if case .axis(let found, _, _) = recorded?.order { told = found }
    return AxisDecisions(
      next: { progress in
        if let told { return .found(told) }
        if let recorded { return recorded.progress.axisSought == progress.projections ? .nothing : .tooEarly }
        try projections.release(upTo: progress.input)
        let search = try axis.find()
        if case .found = search { FaultPoint.axisFound.reach() }
        return search
      },
      last: { progress in
        if let told { return told }
        try projections.release(upTo: progress.input)
        let found = try axis.findLast(before: progress.axis)
        FaultPoint.axisFound.reach()
        return found
      })
  }
}
