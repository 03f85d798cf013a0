import Host
import Rings
package import RunModel
import Topics

extension TopicKind {
  /// Written by `echo`: every update of every worker once more, in the order in which they were met.
  package static let echo = TopicKind(id: 8, "echo")
}

/// The smallest stage that there can be, an example to start from: publishes every update that it reads.
///
/// Each update becomes one event, and the topic ends when all updates have. A successor reads the updates from their
/// first one, and leaves out what its predecessor had published. A run has this stage where `SLIPRING_EXAMPLES=echo`
/// stood in its environment when it was planned.
package struct EchoStage: Stage {
  /// Echoes all workers.
  package static func work(in environment: some StageEnvironment) throws {
    let (writer, limits) = (try environment.writer(Topic(.echo)), environment.limits)
    if try writer.ending() == .closed { return }
    var published = Set<[UInt8]>()
    for sequence in 0..<writer.nextSequence {
      if let event = try writer.event(at: sequence) { published.insert(event.metadata) }
    }
    var follower = UpdateFollower(
      updates: try (0..<environment.workers).map { try environment.reader(.updates(partition: $0)) }, limits: limits,
      standing: environment.standing(ofWorker:), didWork: environment.didWork)
    while !follower.hasEnded {
      try follower.poll { update, _ in
        let isNew = withUnsafeTemporaryAllocation(byteCount: EventHeader.metadataCapacity, alignment: 8) { bytes in
          let count = update.encodeReport(into: bytes)
          return published.remove(Array(bytes[..<count])) == nil
        }
        if isNew { try writer.append(kind: .update, timeout: limits.room, update.encodeReport) }
        FaultPoint.unreleased.reach()
      }
    }
    guard let end = follower.ends.first else { preconditionFailure("a run has a worker") }
    try writer.append(kind: .end, timeout: limits.room, end.encode)
    try writer.flush()
  }
}
