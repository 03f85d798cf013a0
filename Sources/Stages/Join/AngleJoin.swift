import Rings
import RunModel

/// Projections with those whose angle differs from theirs by so much, in the order of the later ones: each with the
/// earliest one that is open and nearest to it. A projection is in one item at most. What was paired is found again by
/// reading the headers from the beginning, so a successor makes the same pairs.
struct AngleJoin: ViewJoin {
  private struct Open {
    let (sequence, degrees): (UInt64, Double)
  }

  private var source: JoinSource
  private let (angle, tolerance): (Double, Double)
  /// Projections without a partner so far, by their angle.
  private var open: [Int: [Open]] = [:]
  /// The same in the order in which they came, with those that have found one.
  private var queue: [(bucket: Int, sequence: UInt64)] = []
  private var (queueStart, openCount) = (0, 0)
  /// Items that a predecessor made.
  private var known: UInt64
  private(set) var lost: UInt64 = 0
  private(set) var cursors: [ViewEvent.Cursor]
  private let (bucketCount, bucketWidth): (Int, Double)
  /// Of two angles that would be so far apart without rounding.
  private static let rounding = 1e-9
  private static let (readMax, openMax) = (4096, 1 << 16)

  /// Goes on behind `state`; `source` is at its beginning.
  init(_ source: JoinSource, degrees angle: Double, tolerance: Double, after state: ViewEvent) {
    precondition(source.next == 0, "\(source.topic.name) from \(source.next) on")
    (self.source, self.angle, self.tolerance) = (source, angle, tolerance)
    known = state.nextItem + state.dropped
    cursors = [state.cursors.cursor(source.topic)]
    let most = 360.0
    // A whole number of buckets, each at least as wide as the tolerance.
    bucketCount = max(1, Int(most / max(tolerance, 0.01)))
    bucketWidth = most / Double(bucketCount)
  }

  var hasEnded: Bool { source.hasEnded }

  mutating func next() throws -> JoinStep {
    for _ in 0..<Self.readMax {
      switch try source.step() {
      case .event(let pointer, let header, _):
        guard let partner = pair(pointer.sequence, header.theta * 180 / .pi) else { continue }
        if known > 0 {
          known -= 1
          continue
        }
        cursors[0].next = source.next
        let first = ViewEvent.Pointer(topic: pointer.topic, partition: 0, sequence: partner, side: .from)
        let second = ViewEvent.Pointer(topic: pointer.topic, partition: 0, sequence: pointer.sequence, side: .with)
        return .item([first, second])
      case .lost(let range): lost += UInt64(range.count)
      case .other: continue
      case .nothing: return .nothing
      }
    }
    return .busy
  }

  /// The partner of a projection, which is then taken; nil where there is none yet, and it waits for one.
  private mutating func pair(_ sequence: UInt64, _ theta: Double) -> UInt64? {
    guard theta.isFinite else { return nil }
    let degrees = theta - 360 * (theta / 360).rounded(.down)
    for target in angle == 180 ? [degrees + 180] : [degrees - angle, degrees + angle] {
      if let partner = takeNearest(to: target - 360 * (target / 360).rounded(.down)) { return partner }
    }
    let bucket = bucket(degrees)
    open[bucket, default: []].append(Open(sequence: sequence, degrees: degrees))
    queue.append((bucket, sequence))
    openCount += 1
    // What found no partner for so long finds none any more.
    while openCount > Self.openMax { closeOldest() }
    if queueStart > Self.openMax, queueStart > queue.count / 2 {
      queue.removeFirst(queueStart)
      queueStart = 0
    }
    return nil
  }

  private func bucket(_ degrees: Double) -> Int { min(max(Int(degrees / bucketWidth), 0), bucketCount - 1) }

  private mutating func takeNearest(to degrees: Double) -> UInt64? {
    let middle = bucket(degrees)
    var best: (bucket: Int, place: Int, distance: Double, sequence: UInt64)?
    // Where there are less than three, each is looked at once.
    for offset in Set([-1, 0, 1].map { (middle + $0 + bucketCount) % bucketCount }).sorted() {
      for (place, candidate) in (open[offset] ?? []).enumerated() {
        let apart = abs(candidate.degrees - degrees), distance = min(apart, 360 - apart)
        guard distance <= tolerance + Self.rounding else { continue }
        if let best, (best.distance, best.sequence) <= (distance, candidate.sequence) { continue }
        best = (offset, place, distance, candidate.sequence)
      }
    }
    guard let best else { return nil }
    open[best.bucket]?.remove(at: best.place)
    openCount -= 1
    return best.sequence
  }

  private mutating func closeOldest() {
    while queueStart < queue.count {
      let (bucket, sequence) = queue[queueStart]
      queueStart += 1
      guard let place = open[bucket]?.firstIndex(where: { $0.sequence == sequence }) else { continue }
      open[bucket]?.remove(at: place)
      openCount -= 1
      return
    }
  }
}
