import Host
import Rings
import RunModel
import Testing
import Topics

@testable import Stages

/// Followers of workers that are set aside or missing.
@Suite struct UpdateFollowerTests {
  private let runID = RunID.random()

  /// Two workers' updates, and what is expected of each.
  private final class Workers {
    let writers: [TopicWriter]
    let readers: [TopicReader]
    var standing = [WorkerStanding.expected, .expected]
    private let names: [String]

    init(_ runID: RunID) throws {
      let rings = try (0..<2).map { worker in
        let topic = Topic.updates(partition: worker)
        return try Ring.create(
          name: RegionNames(runID: runID).ring(topic),
          specification: RingSpecification(
            runID: runID, topic: topic.id, partition: UInt32(topic.partition), slotCount: 16, payloadCapacity: 0,
            requiredReaders: 1))
      }
      names = rings.map(\.name)
      writers = try rings.map { try TopicWriter(ring: $0) }
      readers = try rings.map {
        try TopicReader(RingReader(ring: $0, reader: 0, from: 0), history: nil, replaying: true)
      }
    }

    deinit {
      for name in names { #expect(throws: Never.self) { try SharedRegion.unlink(name: name) } }
    }

    func follower(idle: Duration = .seconds(60)) -> UpdateFollower {
      UpdateFollower(
        updates: readers, limits: WaitLimits(idle: idle), standing: { self.standing[$0] }, didWork: {})
    }

    func report(_ worker: Int, index: Int) throws {
      let update = UpdateEvent(
        phase: .window, index: index, iterations: 1, cursor: UInt64(index + 1), generation: UInt64(index + 1),
        projections: 0..<1, rows: worker..<worker + 1, residualSquared: 1, dataSquared: 4, duration: 1, pixels: .init())
      try writers[worker].append(kind: .update, timeout: .zero, update.encode)
    }

    func end(_ worker: Int) throws {
      try writers[worker].append(
        kind: .end, timeout: .zero, EndEvent(reason: .sourceEnded, projections: worker + 1).encode)
    }
  }

  @Test func `what a worker reported before it was given up is applied, and nobody waits for more`() throws {
    let workers = try Workers(runID)
    var follower = workers.follower()
    try workers.report(1, index: 0)
    try workers.end(0)
    workers.standing[1] = .missing
    var applied: [Int] = []
    try follower.poll { _, worker in applied.append(worker) }
    #expect(applied == [1] && follower.hasEnded && follower.missing == [1])
    #expect(follower.ends.map(\.projections) == [1] && follower.present(of: ["a", "b"]) == ["a"])
  }

  @Test func `a worker that had ended is not missing`() throws {
    let workers = try Workers(runID)
    var follower = workers.follower()
    try workers.end(0)
    try workers.end(1)
    workers.standing[1] = .missing
    try follower.poll { _, _ in }
    #expect(follower.hasEnded && follower.missing.isEmpty && follower.ends.count == 2)
  }

  @Test func `the wait for a worker that is set aside has no limit, and one for others has`() throws {
    let workers = try Workers(runID)
    var follower = workers.follower(idle: .zero)
    workers.standing[0] = .setAside
    try follower.poll { _, _ in }
    #expect(!follower.hasEnded)
    workers.standing[0] = .expected
    #expect(throws: StageError.self) { try follower.poll { _, _ in } }
  }
}
