import Rings
import RunModel
import Testing
import Topics

@Suite struct TopicWaitTests {
  @Test func `who waits for room in vain is told how long, and not how long the last look took`() throws {
    let runID = RunID.random()
    let ring = try Ring.create(
      name: RegionNames(runID: runID).ring(.projections),
      specification: RingSpecification(runID: runID, topic: 1, slotCount: 4, payloadCapacity: 8, requiredReaders: 1))
    defer { #expect(throws: Never.self) { try Ring.unlink(name: ring.name) } }
    let writer = try TopicWriter(ring: ring)
    for _ in 0..<4 { try writer.append(kind: .end, timeout: .zero) { _ in 0 } }
    let limit: Duration = .milliseconds(450)
    let start = ContinuousClock.now
    let error = #expect(throws: RingError.self) { _ = try writer.claim(timeout: limit) }
    #expect(ContinuousClock.now - start >= limit)
    #expect(error == .timedOut(ring: ring.name, reader: 0, holding: 0, timeout: limit))
    #expect(error?.description.contains("stayed full for \(limit)") == true)
  }
}
