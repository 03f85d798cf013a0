import Rings
import RunModel
import Topics

/// How far apart the updates of a scan are, image for image, as `distribute` has ordered it: what nodes are told, so
/// that they make the same ones (F12). It keeps nothing: an image's order says it, also to who comes later. Use from
/// one thread at a time.
final class OrderedPace {
  /// What there is of an image.
  enum Interval: Equatable {
    /// It was ordered, with this interval from it on, as images carry it.
    case ordered(UInt16)
    /// It is not ordered yet.
    case open
    /// Its order was given up by salvage.
    case lost
  }

  private let orders: TopicFollower
  private let rows: Range<Int>
  /// An order of an image, and that image: the next one is looked for behind it first.
  private var known: (order: UInt64, image: UInt64)?

  /// Orders that are looked at one after the other: between those of two images is an update at most.
  private static let steps: UInt64 = 4

  /// Reads what a worker with these rows is told.
  init(_ orders: TopicFollower, rows: Range<Int>) { (self.orders, self.rows) = (orders, rows) }

  /// The interval from image `sequence` on.
  func interval(from sequence: UInt64) throws -> Interval {
    let end = orders.published
    var (low, high) = (UInt64(0), end)
    if let known, known.image <= sequence {
      low = known.image == sequence ? known.order : known.order + 1
      let near = min(end, low + Self.steps)
      if near > low, try isBehind(near - 1, sequence) { high = near }
    }
    guard low < high, try isBehind(high - 1, sequence) else { return .open }
    // The first order behind which the image is no input any more is its own.
    while low < high {
      let middle = low + (high - low) / 2
      if try isBehind(middle, sequence) { high = middle } else { low = middle + 1 }
    }
    guard let found = try read(low), case .rows(_, sequence, _, _) = found.order else { return .lost }
    known = (low, sequence)
    return .ordered(found.progress.interval)
  }

  /// Sleeps until something more is ordered, at most for `timeout`.
  func awaitOrder(timeout: Duration) { _ = orders.awaitEvent(orders.published, timeout: timeout) }

  /// Whether an order was made when the image had been looked at; the end of the orders was.
  private func isBehind(_ number: UInt64, _ image: UInt64) throws -> Bool {
    try read(number).map { $0.progress.input > image } ?? true
  }

  /// An order; nil of their end, and of one that is lost.
  private func read(_ number: UInt64) throws -> (order: WorkerOrder, progress: DistributionProgress)? {
    guard case .event(let event) = try orders.arrival(at: number), event.header.kind == .order else { return nil }
    return (
      try WorkerOrder(decoding: event.metadata, rows: rows), try DistributionProgress(decoding: event.metadata)
    )
  }
}
