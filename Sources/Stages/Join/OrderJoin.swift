import RunModel

/// The first K events of one topic with the first M of another, then the next ones. A lost event has its place, so that
/// those behind it keep theirs; its item is left out.
struct OrderJoin: ViewJoin {
  private struct Half {
    var source: JoinSource
    let count: Int
    /// What the next item has of it so far; nil for what is lost.
    var taken: [ViewEvent.Pointer?] = []

    var isFull: Bool { taken.count == count }
  }

  private var halves: [Half]
  private(set) var cursors: [ViewEvent.Cursor]
  private(set) var lost: UInt64
  /// Events that one call reads at most.
  private static let readMax = 1024

  /// Goes on behind `state`.
  init(_ sources: [(source: JoinSource, count: Int)], after state: ViewEvent) {
    halves = sources.map { Half(source: $0.source, count: $0.count) }
    // By place: both may be the same topic.
    cursors = sources.enumerated().map { place, side in
      state.cursors.indices.contains(place) ? state.cursors[place] : [].cursor(side.source.topic)
    }
    lost = state.lost
  }

  var hasEnded: Bool { halves.contains { !$0.isFull && $0.source.hasEnded } }

  mutating func next() throws -> JoinStep {
    for _ in 0..<Self.readMax {
      guard let place = halves.indices.first(where: { !halves[$0].isFull }) else { return take() }
      switch try halves[place].source.step() {
      case .event(let pointer, _, _): halves[place].taken.append(pointer)
      case .lost(let range):
        // One at a time: the rest of a long range is read again.
        halves[place].taken.append(nil)
        halves[place].source.goBack(to: range.lowerBound + 1)
      case .other: continue
      case .nothing: return .nothing
      }
    }
    return .busy
  }

  private mutating func take() -> JoinStep {
    let item = halves.flatMap(\.taken)
    for place in halves.indices {
      halves[place].taken = []
      cursors[place].next = halves[place].source.next
    }
    let whole = item.compactMap { $0 }
    lost += UInt64(item.count - whole.count)
    return whole.count == item.count ? .item(whole.joinedPointers) : .dropped
  }
}

extension [ViewEvent.Pointer] {
  /// The same with events that follow each other as one pointer.
  var joinedPointers: Self {
    reduce(into: []) { joined, pointer in
      if !joined.isEmpty, joined[joined.count - 1].extend(by: pointer) { return }
      joined.append(pointer)
    }
  }
}
