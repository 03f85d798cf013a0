import Journal
import Rings
import RunModel
import ScanPlan
import Topics

extension RunPlan {
  /// Radians of the first `count` projections that were handed out, in their order: from the topic of the first
  /// worker's orders where `ring` has them, or from its journal. Nil where one of them is nowhere any more, or damaged:
  /// the volume is worth more than the words about it.
  func orderedThetas(_ count: Int, _ folder: RunFolder, ring: Ring?) throws -> [Double]? {
    let topic = Topic.orders(partition: 0), rows = placement.workers[0].rows
    let observer = ring.map { RingObserver(ring: $0) }
    let history =
      scan.durability == .durable
      ? try TopicHistory(folder: folder.journal(topic), specification: ring?.specification ?? self.ring(topic)) : nil
    var thetas: [Double] = []
    thetas.reserveCapacity(count)
    // An order for each image, and an update for each projection at most.
    for sequence in 0..<UInt64(2 * (shape.projections + shape.flatsAndDarks) + 2) where thetas.count < count {
      guard let (header, metadata) = try order(sequence, observer, history) else { return nil }
      guard header.kind == .order else { break }
      let order = try metadata.withUnsafeBytes { try WorkerOrder(decoding: $0, rows: rows) }
      if case .rows(.projection, _, _, let theta) = order { thetas.append(theta) }
    }
    return thetas
  }

  private func order(_ sequence: UInt64, _ observer: RingObserver?, _ history: TopicHistory?) throws
    -> (EventHeader, [UInt8])?
  {
    if let found = try observer?.event(at: sequence) { return found }
    do throws(JournalError) {
      guard let event = try history?.event(at: sequence) else { return nil }
      return (event.header, Array(event.metadata))
    } catch { return nil }
  }
}
