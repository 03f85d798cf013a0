import Journal
import Rings
import RunModel
import ScanPlan
import Stages
import Topics

extension RunPlan {
  /// Radians of the first `count` projections that were handed out, in their order: from the topic of the first
  /// worker's orders where `ring` has them, or from its journal. Nil where one of them is nowhere any more, or damaged:
  /// the volume is worth more than the words about it.
  func orderedThetas(_ count: Int, _ folder: RunFolder, ring: Ring?) throws -> [Double]? {
    let orders = try Orders(self, folder, ring: ring), rows = placement.workers[0].rows
    var thetas: [Double] = []
    thetas.reserveCapacity(count)
    // An order for each image, and an update for each projection at most; some about the axis.
    let ordersMax =
      2 * (shape.projections + shape.flatsAndDarks) + 2 + AxisSchedule.ordersMax(projections: shape.projections)
    for sequence in 0..<UInt64(ordersMax) where thetas.count < count {
      guard let (header, metadata) = try orders.event(sequence) else { return nil }
      guard header.kind == .order else { break }
      let order = try metadata.withUnsafeBytes { try WorkerOrder(decoding: $0, rows: rows) }
      if case .rows(.projection, _, _, let theta) = order { thetas.append(theta) }
    }
    return thetas
  }

  /// The rotation axis as the last of the first `count` orders knows it, in pixels of the detector; nil where it knows
  /// none, or is nowhere any more.
  func orderedAxis(_ folder: RunFolder, ring: Ring?, before count: UInt64) throws -> FoundAxis? {
    guard findsAxis else { return nil }
    let orders = try Orders(self, folder, ring: ring)
    // The end itself does not say it: the order before it does.
    for sequence in (0..<count).suffix(2).reversed() {
      guard let (header, metadata) = try orders.event(sequence) else { return nil }
      guard header.kind == .order else { continue }
      return try metadata.withUnsafeBytes { try DistributionProgress(decoding: $0) }.axis.map(inPixels)
    }
    return nil
  }

  /// The orders of the first worker: those of all others are the same.
  private struct Orders {
    private let observer: RingObserver?
    private let history: TopicHistory?

    init(_ plan: RunPlan, _ folder: RunFolder, ring: Ring?) throws {
      let topic = Topic.orders(partition: 0)
      observer = ring.map { RingObserver(ring: $0) }
      history =
        plan.scan.durability == .durable
        ? try TopicHistory(
          folder: folder.journal(topic), mirror: folder.mirror(topic, plan),
          specification: ring?.specification ?? plan.ring(topic)) : nil
    }

    /// Nil for one that is nowhere any more.
    func event(_ sequence: UInt64) throws -> (EventHeader, [UInt8])? {
      if let found = try observer?.event(at: sequence) { return found }
      do throws(JournalError) {
        guard let event = try history?.event(at: sequence) else { return nil }
        return (event.header, Array(event.metadata))
      } catch { return nil }
    }
  }
}
