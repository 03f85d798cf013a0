import Glibc
import Host
import Logging
import RunModel
import Topics

/// Writes down which events of a run belong together, so that programs of people find them. It looks at everything from
/// outside: nobody waits for it, and the run does without it.
package struct JoinStage: Stage {
  private static let pause: Duration = .milliseconds(5)
  /// What has come until the run ended is joined for so long, then the rest is left.
  private static let endLimit: Duration = .milliseconds(700)
  /// A view has the turn until it has nothing to do, or so often.
  private static let turnsMax = 64

  /// Joins until it is asked to stop, and then what is there.
  package static func work(in environment: some StageEnvironment) throws {
    let configuration = environment.settings.joining
    var (hasStopped, deadline) = (false, Deadline(after: .zero))
    let isStopped = {
      if !hasStopped, environment.stopRequested() {
        (hasStopped, deadline) = (true, Deadline(after: endLimit))
      }
      return hasStopped
    }
    let claim = { (writer: TopicWriter) in
      let claim = try writer.claim(timeout: environment.limits.room) { isStopped() && deadline.hasPassed }
      if claim != nil { environment.didWork() }
      return claim
    }
    var lanes: [JoinLane] = []
    for (number, record) in configuration.views.enumerated() {
      let lane = try JoinLane(
        record, writer: try environment.writer(.view(number)),
        copies: try copies(record, configuration, environment.volume), claim: claim
      ) { try join(record, configuration, after: $0, environment.follower) }
      lanes.append(lane)
    }
    environment.log.info("joins \(configuration.views.map(\.text).joined(separator: " "))")
    while true {
      // Asked before the look: what came before the request is in it.
      let isEnding = isStopped()
      var hasMore = false
      for number in lanes.indices {
        for _ in 0..<turnsMax where try lanes[number].turn() { hasMore = true }
      }
      if isEnding, !hasMore || deadline.hasPassed { break }
      if !hasMore { usleep(UInt32(pause / .microseconds(1))) }
    }
  }

  /// The workers whose rows a view copies.
  private static func copies(
    _ record: ViewRecord, _ configuration: JoinConfiguration, _ volume: (Int) throws -> VolumeRegion
  ) throws -> [Int: CopiedRows] {
    guard let copied = record.copied else { return [:] }
    var copies: [Int: CopiedRows] = [:]
    for topic in configuration.topics(record.with) {
      let rows = configuration.rows[topic.partition], wanted = copied.clamped(to: rows)
      guard !wanted.isEmpty else { continue }
      copies[topic.partition] = CopiedRows(try volume(topic.partition), rows: wanted, ofWorkerFrom: rows.lowerBound)
    }
    return copies
  }

  private static func join(
    _ record: ViewRecord, _ configuration: JoinConfiguration, after state: ViewEvent,
    _ follower: (Topic) throws -> TopicFollower
  ) throws -> any ViewJoin {
    func follow(_ topic: Topic, _ next: UInt64, _ side: ViewEvent.Side) throws -> JoinSource {
      JoinSource(topic, try follower(topic), from: next, side: side)
    }
    switch record.match {
    case .order:
      let sides = [(record.from, record.fromCount, ViewEvent.Side.from), (record.with, record.withCount, .with)]
      let sources = try sides.enumerated().map { place, side in
        let topic = configuration.topics(side.0)[0]
        return (
          try follow(topic, state.cursors.indices.contains(place) ? state.cursors[place].next : 0, side.2), side.1
        )
      }
      return OrderJoin(sources, after: state)
    case .window:
      let updates = configuration.topics(record.with).filter { topic in
        record.copied.map { $0.overlaps(configuration.rows[topic.partition]) } ?? true
      }
      return try WindowJoin(
        updates: updates, images: configuration.topics(record.from)[0], after: state, follow: follow)
    case .angle(let degrees, let tolerance):
      let source = try follow(configuration.topics(record.from)[0], 0, .from)
      return AngleJoin(source, degrees: degrees, tolerance: tolerance, after: state)
    }
  }
}
