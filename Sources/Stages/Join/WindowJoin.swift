import Rings
import RunModel

/// Each windowed update of a worker with the projections of its window. Updates of several workers come as they are
/// found, those of one in their order.
struct WindowJoin: ViewJoin {
  private var updates: [JoinSource]
  private var images: JoinSource
  /// Sequences of the projections that may still be needed, from the one with the ordinal `base` on.
  private var (places, base): ([UInt64], UInt64)
  private(set) var cursors: [ViewEvent.Cursor]
  private(set) var lost: UInt64
  /// An update whose projections were not all read yet.
  private var waiting: (worker: Int, pointer: ViewEvent.Pointer, update: UpdateEvent)?
  private var turn = 0
  /// Events that one call reads at most.
  private static let readMax = 4096
  /// Places of projections that nobody needs any more are given back in such numbers.
  private static let prunedAtOnce = 1024

  /// Goes on behind `state`; `follow` gives a topic from an event on.
  init(
    updates: [Topic], images: Topic, after state: ViewEvent,
    follow: (Topic, UInt64, ViewEvent.Side) throws -> JoinSource
  ) throws {
    cursors = updates.map { state.cursors.cursor($0) }
    self.updates = try zip(updates, cursors).map { try follow($0, $1.next, .with) }
    let first = cursors.map(\.image).min { $0.ordinal < $1.ordinal } ?? (0, 0)
    self.images = try follow(images, first.sequence, .from)
    (places, base, lost) = ([], first.ordinal, state.lost)
  }

  var hasEnded: Bool { waiting == nil && updates.allSatisfy(\.hasEnded) }

  mutating func next() throws -> JoinStep {
    for _ in 0..<Self.readMax {
      guard let (worker, pointer, update) = waiting else {
        switch try look() {
        case .nothing: return .nothing
        default: continue
        }
      }
      if UInt64(update.projections.upperBound) > base + UInt64(places.count) {
        switch try images.step() {
        case .event(_, let header, _): places.append(header.sequence)
        // A lost one was never among those that were used, and has no ordinal.
        case .lost, .other: continue
        case .nothing where images.hasEnded: return pass(worker, nil, pointer)
        case .nothing: return .nothing
        }
        continue
      }
      return pass(worker, update.projections, pointer)
    }
    return .busy
  }

  /// Reads one event of a worker's updates, of whichever has one.
  private mutating func look() throws -> JoinSource.Step {
    for offset in updates.indices {
      let place = (turn + offset) % updates.count
      let step = try updates[place].step()
      switch step {
      case .nothing: continue
      case .event(let pointer, _, let update?) where update.phase == .window:
        waiting = (place, pointer, update)
      case .lost(let range):
        lost += UInt64(range.count)
        cursors[place].next = updates[place].next
      default: cursors[place].next = updates[place].next
      }
      turn = (place + 1) % updates.count
      return step
    }
    return .nothing
  }

  /// Moves a worker's cursor behind its update; the item has the projections with these ordinals, and is none where
  /// they are not known.
  private mutating func pass(_ worker: Int, _ window: Range<Int>?, _ update: ViewEvent.Pointer) -> JoinStep {
    waiting = nil
    cursors[worker].next = updates[worker].next
    guard let window, UInt64(window.lowerBound) >= base else { return .dropped }
    let sequences = places[window.lowerBound - Int(base)..<window.upperBound - Int(base)]
    if let first = sequences.first { cursors[worker].image = (first, UInt64(window.lowerBound)) }
    let pointers = sequences.map {
      ViewEvent.Pointer(topic: images.topic.id, partition: 0, sequence: $0, side: .from)
    }
    let needed = cursors.map(\.image.ordinal).min() ?? base
    if needed >= base + UInt64(Self.prunedAtOnce) {
      places.removeFirst(Int(needed - base))
      base = needed
    }
    return .item(pointers.joinedPointers + [update])
  }
}
