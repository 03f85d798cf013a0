import Rings
import RunModel
import Testing
import Tomography
import Topics

@testable import Stages

/// Orders of updates that leave projections out.
@Suite struct DecimatedOrderTests {
  private static let windows = WindowSchedule(length: 10, step: 2, iterations: 1)

  private static var configuration: DistributeStage.Configuration {
    .init(rows: [0..<1], windows: windows, final: .fixed(iterations: 1, subsets: 1))
  }

  /// What is ordered about so many projections, where `decimation` holds from a projection on; a successor follows
  /// after each of `cuts` orders.
  private func orders(
    _ count: Int, decimation: [Int: Int], cuts: Set<Int> = []
  ) throws -> [(order: WorkerOrder, handedOut: Int)] {
    var sequence = OrderSequence(Self.configuration)
    var orders: [(order: WorkerOrder, handedOut: Int)] = []
    let metadata = UnsafeMutableRawBufferPointer.allocate(byteCount: 512, alignment: 8)
    defer { metadata.deallocate() }
    let end = EndEvent(reason: .sourceEnded, projections: count)
    let length = end.encode(into: metadata)
    let image = UnsafeRawBufferPointer(start: nil, count: 0)
    while true {
      let step = try sequence.next { number in
        let isEnd = Int(number) == count
        let identity = RingIdentity(runID: RunID.random(), topic: 1, partition: 0)
        var header = EventHeader(kind: isEnd ? .end : .projection, identity: identity, sequence: number)
        header.metadataByteCount = isEnd ? length : 0
        return .event(
          Event(
            header: header, metadata: isEnd ? UnsafeRawBufferPointer(rebasing: metadata[..<length]) : image,
            payload: image))
      }
      guard case .order(let order) = step else { return orders }
      if case .rows(_, _, let ordinal, _) = order, let every = decimation[ordinal] {
        sequence.progress.take(interval: 1, level: every > 1 ? 1 : 0, every)
      }
      orders.append((order, sequence.progress.projections))
      if cuts.contains(orders.count) {
        sequence = OrderSequence(Self.configuration, after: sequence.progress, known: [])
      }
    }
  }

  @Test(arguments: [2, 3, 4, 7, 16, 64]) func `Updates end at a projection that they use, and have one`(every: Int)
    throws
  {
    let orders = try orders(100, decimation: [0: every])
    var updates = 0
    for (order, handedOut) in orders {
      guard case .update(let index, let window, let k, _, _) = order else { continue }
      #expect(index == updates && k == every && window.contains { $0 % every == 0 })
      #expect(window.upperBound <= handedOut && window.lowerBound + Self.windows.length >= handedOut)
      if handedOut < 100 { #expect((window.upperBound - 1) % every == 0, "\(window)") }
      updates += 1
    }
    #expect(updates > 0 && updates <= 100 / max(every, 2) + 6, "\(updates) updates")
  }

  @Test func `A decimation comes and goes, and successors make the same`() throws {
    let changes = [0: 1, 20: 4, 61: 16, 70: 4, 75: 1]
    let whole = try orders(100, decimation: changes).map(\.order)
    #expect(whole.contains { if case .update(_, _, 16, _, _) = $0 { true } else { false } })
    #expect(try orders(100, decimation: changes, cuts: Set(1..<200)).map(\.order) == whole)
    // Whatever is left out, every projection is handed out, and swept in the end.
    #expect(whole.filter { if case .rows = $0 { true } else { false } }.count == 100)
    #expect(whole.last == .final(iterations: 1, subsets: 1, projections: 100))
  }
}
