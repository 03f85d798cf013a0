import Dispatch
import Host
import Rings
import RunModel
import Synchronization
import Testing

@Suite struct SliceHistoryTests {
  private static let shape = SliceHistory.Shape(columns: 16, spacing: 3, slots: 5)
  private let runID = RunID.random()
  private var name: String { RegionNames(runID: runID).slices(1) }

  private func create() throws -> SliceHistory {
    try SliceHistory.create(name: name, runID: runID, partition: 1, shape: Self.shape, node: nil)
  }

  private func keep(_ number: Int, in history: SliceHistory) {
    history.keep(update: number, projections: 10 * number, acquiredAt: UInt64(number)) {
      $0.update(repeating: Float(number))
    }
  }

  @Test func `The newest slices are kept, each under the number of its update`() throws {
    let history = try create()
    defer { #expect(throws: Never.self) { try SharedRegion.unlink(name: name) } }
    #expect((0..<9).map(history.keeps) == [false, false, true, false, false, true, false, false, true])
    #expect(history.slice(after: 2) == nil && !history.isKept(update: 2))
    let observer = try SliceHistory.attach(name: name, runID: runID, partition: 1, shape: Self.shape)
    for number in stride(from: 2, to: 60, by: 3) {
      keep(number, in: history)
      keep(number, in: history)
      for other in stride(from: 2, through: number, by: 3) {
        let kept = observer.slice(after: other)
        #expect((kept != nil) == (other > number - 15) && observer.isKept(update: other) == (kept != nil))
        guard let kept else { continue }
        #expect(kept.projections == 10 * other && kept.acquiredAt == UInt64(other))
        #expect(kept.pixels == Array(repeating: Float(other), count: 256))
      }
    }
  }

  @Test func `A slice that a writer changes meanwhile is whole or not there`() throws {
    let history = try create()
    defer { #expect(throws: Never.self) { try SharedRegion.unlink(name: name) } }
    let isDone = Atomic<Bool>(false), torn = Atomic<Int>(0)
    DispatchQueue.concurrentPerform(iterations: 2) { side in
      if side == 0 {
        // All into one slot.
        for number in stride(from: 2, to: 60_000, by: 15) { keep(number, in: history) }
        return isDone.store(true, ordering: .releasing)
      }
      var number = 2
      while !isDone.load(ordering: .acquiring) {
        if let kept = history.slice(after: number), kept.pixels.contains(where: { $0 != Float(number) }) {
          torn.wrappingAdd(1, ordering: .relaxed)
        }
        number = number > 59_000 ? 2 : number + 15
      }
    }
    #expect(torn.load(ordering: .relaxed) == 0)
  }

  @Test func `Any bit that is wrong makes a slice one that is not there`() throws {
    let history = try create()
    defer { #expect(throws: Never.self) { try SharedRegion.unlink(name: name) } }
    keep(5, in: history)
    // Update 5 lies in slot 2: its record, and its slice.
    let region = try SharedRegion.attach(name: name), record = 128 + 2 * 48, slice = 4096 + 2 * 1024
    for byte in Array(record..<record + 28) + Array(stride(from: slice, to: slice + 1024, by: 13)) {
      for bit in 0..<8 {
        let place = region.base.assumingMemoryBound(to: UInt8.self) + byte
        place.pointee ^= 1 << bit
        #expect(history.slice(after: 5) == nil, "byte \(byte), bit \(bit)")
        place.pointee ^= 1 << bit
      }
    }
    #expect(history.slice(after: 5) != nil)
  }

  @Test func `The slices of another run, worker or shape are refused`() throws {
    _ = try create()
    defer { #expect(throws: Never.self) { try SharedRegion.unlink(name: name) } }
    func refused(_ runID: RunID, _ partition: Int, _ shape: SliceHistory.Shape) {
      #expect(throws: HostError.self) {
        try SliceHistory.attach(name: name, runID: runID, partition: partition, shape: shape)
      }
    }
    refused(.random(), 1, Self.shape)
    refused(runID, 0, Self.shape)
    refused(runID, 1, .init(columns: 16, spacing: 2, slots: 5))
    refused(runID, 1, .init(columns: 16, spacing: 3, slots: 6))
    refused(runID, 1, .init(columns: 18, spacing: 3, slots: 5))
  }
}
