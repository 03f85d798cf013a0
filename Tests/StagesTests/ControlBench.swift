import Glibc
import Host
import Rings
import RunModel
import Stages
import Testing
import Tomography
import Topics

/// A run of one worker behind `control`, whose updates and slices a test makes up.
final class ControlBench {
  static let columns = 64
  /// Died, as the test wanted.
  struct Death: Error {}

  private let runID = RunID.random()
  private let names: RegionNames
  let configuration: ControlConfiguration
  private let updates: Ring
  private let commands: Ring
  private let scores: Ring
  private let writer: TopicWriter
  private let history: SliceHistory
  private(set) var made = 0
  /// What the uplink knows of nodes.
  var uplink: () -> UplinkReport? = { nil }

  init(_ configuration: ControlConfiguration) throws {
    let (runID, names) = (runID, RegionNames(runID: runID))
    func ring(_ topic: Topic, slots: Int = 512) throws -> Ring {
      try Ring.create(
        name: names.ring(topic),
        specification: RingSpecification(
          runID: runID, topic: topic.id, partition: UInt32(topic.partition), slotCount: slots, payloadCapacity: 0,
          requiredReaders: 1))
    }
    (self.configuration, self.names) = (configuration, names)
    (updates, commands, scores) = try (ring(.updates(partition: 0)), ring(.commands), ring(.scores))
    writer = try TopicWriter(ring: updates)
    history = try SliceHistory.create(
      name: names.slices(0), runID: runID, partition: 0, shape: configuration.looks.history(columns: Self.columns),
      node: nil)
  }

  deinit {
    #expect(throws: Never.self) {
      for name in try SharedRegion.names(prefix: names.prefix) { try SharedRegion.unlink(name: name) }
    }
  }

  /// An update whose window of 8 ends at projection `end`.
  private func update(_ index: Int, end: Int, residual: Double) -> UpdateEvent {
    UpdateEvent(
      phase: .window, index: index, iterations: 1, cursor: UInt64(index + 1), generation: UInt64(index + 1),
      projections: max(0, end - 8)..<end, rows: 0..<3, residualSquared: residual * residual, dataSquared: 4,
      duration: 1, pixels: .init())
  }

  /// What a run is made of: how many updates, where their windows end, their residuals, and the slices after them.
  struct Course {
    var updates = 60
    var truth: [Float]?
    /// Updates that are made between two looks of the stage at them.
    var burst = 1
    /// Microseconds between these looks.
    var pause: UInt32 = 0
    /// Who asks for the end of the scan after so many updates.
    var requestAt: Int?
    /// Death of the stage after so many updates.
    var deathAt: Int?
    var end: (Int) -> Int = { $0 + 1 }
    var residual: (Int) -> Double = { _ in 1 }
    var slice: (Int) -> [Float]
  }

  /// A life of the stage: it asks for requests before each look at the updates, and then the next ones are made.
  func live(_ course: Course) throws {
    var stage = try ControlStage(
      configuration: configuration,
      updates: [TopicReader(RingReader(ring: updates, reader: 0, from: 0), history: nil, replaying: true)],
      slices: [MonitoredSlice(history: history, truth: course.truth)], commands: TopicWriter(ring: commands),
      scores: TopicWriter(ring: scores), uplink: { [self] in uplink() }, limits: WaitLimits(),
      requested: { [self] in
        if course.pause > 0 { usleep(course.pause) }
        for _ in 0..<course.burst { try makeUpdate(course) }
        if let death = course.deathAt, made >= death { throw Death() }
        return course.requestAt.map { made > $0 } == true ? "anna" : nil
      }, didWork: {})
    try stage.run()
  }

  private func makeUpdate(_ course: Course) throws {
    defer { made += 1 }
    guard made < course.updates else {
      guard made == course.updates else { return }
      let end = EndEvent(reason: .sourceEnded, projections: course.updates)
      return try writer.append(kind: .end, timeout: .zero, end.encode)
    }
    let update = update(made, end: course.end(made), residual: course.residual(made))
    if history.keeps(update: made) {
      let slice = course.slice(made)
      history.keep(
        update: made, projections: update.projections.upperBound, acquiredAt: Machine.realtimeNanoseconds - 2_000_000
      ) { _ = $0.update(fromContentsOf: slice) }
    }
    try writer.append(kind: .update, timeout: .zero, update.encode)
  }

  /// What the stage has told so far.
  func told() throws -> (commands: [CommandEvent], scores: [ScoreEvent]) {
    (
      try events(commands, .command) { try CommandEvent(decoding: $0) },
      try events(scores, .score) { try ScoreEvent(decoding: $0) }
    )
  }

  private func events<Value>(_ ring: Ring, _ kind: EventKind, _ decode: (UnsafeRawBufferPointer) throws -> Value) throws
    -> [Value]
  {
    let reader = try RingReader(ring: ring, reader: 0, from: 0)
    var values: [Value] = []
    while let event = try reader.next(timeout: .zero) {
      #expect(event.header.kind == kind)
      values.append(try decode(event.metadata))
    }
    return values
  }

  /// One whole run of a stage.
  static func decide(_ configuration: ControlConfiguration, _ course: Course) throws -> (
    commands: [CommandEvent], scores: [ScoreEvent]
  ) {
    let bench = try ControlBench(configuration)
    try bench.live(course)
    return try bench.told()
  }

  static func configuration(
    similarityMin: Double? = nil, patience: Int = 2, endedFrom: Int = 20, risesMax: Int? = nil, distance: Int? = nil
  ) -> ControlConfiguration {
    ControlConfiguration(
      similarityMin: similarityMin, patience: patience, scoredFrom: 20, endedFrom: endedFrom,
      windows: WindowSchedule(length: 8, step: 1, iterations: 1), risesMax: risesMax, distance: distance)
  }

  /// A pattern between 0 and 1 that noise of `strength` hides.
  static func image(_ index: Int, noise strength: Float) -> [Float] {
    var random = SplitMix64(seed: UInt64(index))
    return (0..<columns * columns).map { pixel in
      let pattern: Float = (pixel / columns / 9 + pixel % columns / 9) % 2 == 0 ? 0.2 : 0.8
      return pattern + strength * Float.random(in: -1...1, using: &random)
    }
  }
}
