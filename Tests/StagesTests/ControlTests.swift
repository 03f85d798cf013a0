import Host
import KernelTypes
import Rings
import RunModel
import Stages
import Testing
import Tomography
import Topics

/// The decisions of `control`, made of updates and volumes that the test makes up.
@Suite struct ControlTests {
  private static let columns = 64
  private let runID = RunID.random()
  private let layout = SliceLayout(columns: Self.columns, rows: 3)

  private func ring(_ topic: Topic) throws -> Ring {
    try Ring.create(
      name: RegionNames(runID: runID).ring(topic),
      specification: RingSpecification(
        runID: runID, topic: topic.id, partition: UInt32(topic.partition), slotCount: 512, payloadCapacity: 0,
        requiredReaders: 1))
  }

  private func update(_ index: Int, residual: Double = 1) -> UpdateEvent {
    UpdateEvent(
      phase: .window, index: index, iterations: 1, cursor: UInt64(index + 1), generation: UInt64(index + 1),
      projections: max(0, index - 7)..<index + 1, rows: 0..<3, residualSquared: residual * residual, dataSquared: 4,
      duration: 1,
      pixels: .init())
  }

  private func configuration(
    similarityMin: Double? = nil, patience: Int = 2, endedFrom: Int = 20, risesMax: Int? = nil
  ) -> ControlConfiguration {
    ControlConfiguration(
      similarityMin: similarityMin, patience: patience, scoredFrom: 20, endedFrom: endedFrom,
      windows: WindowSchedule(length: 8, step: 1, iterations: 1),
      risesMax: risesMax)
  }

  /// A run of one worker, whose volume after update i is `slice(i)`. The stage asks for requests before each look at
  /// the updates, and then the next update is made, so that it sees each. Gives what it wrote.
  private func decide(
    _ configuration: ControlConfiguration, updates count: Int = 60, truth: [Float]? = nil,
    residual: (Int) -> Double = { _ in 1 },
    requestAt request: Int? = nil, slice: (Int) -> [Float]
  ) throws -> (commands: [CommandEvent], scores: [ScoreEvent]) {
    defer {
      #expect(throws: Never.self) {
        for name in try SharedRegion.names(prefix: RegionNames(runID: runID).prefix) {
          try SharedRegion.unlink(name: name)
        }
      }
    }
    let (updates, commands, scores) = try (ring(.updates(partition: 0)), ring(.commands), ring(.scores))
    let volume = try VolumeRegion.create(
      name: RegionNames(runID: runID).volume(0), runID: runID, partition: 0, layout: layout, node: nil)
    let writer = try TopicWriter(ring: updates)
    var made = 0
    try withoutActuallyEscaping(residual) { residual in
      try withoutActuallyEscaping(slice) { slice in
        var stage = try ControlStage(
          configuration: configuration,
          updates: [TopicReader(RingReader(ring: updates, reader: 0, from: 0), history: nil, replaying: true)],
          slices: [MonitoredSlice(volume: volume, truth: truth)], commands: TopicWriter(ring: commands),
          scores: TopicWriter(ring: scores),
          limits: WaitLimits(),
          requested: {
            if made == count {
              try writer.append(kind: .end, timeout: .zero, EndEvent(reason: .sourceEnded, projections: count).encode)
            } else if made < count {
              let update = update(made, residual: residual(made))
              slice(made).withUnsafeBufferPointer { layout.setSlice(row: 1, in: volume.nextBase, from: $0) }
              volume.publish(update)
              try writer.append(kind: .update, timeout: .zero, update.encode)
            }
            made += 1
            return request.map { made > $0 } == true ? "anna" : nil
          }, didWork: {})
        try stage.run()
      }
    }
    return (
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

  /// A pattern between 0 and 1 that noise of `strength` hides.
  private func image(_ index: Int, noise strength: Float) -> [Float] {
    var random = SplitMix64(seed: UInt64(index))
    return (0..<Self.columns * Self.columns).map { pixel in
      let pattern: Float = (pixel / Self.columns / 9 + pixel % Self.columns / 9) % 2 == 0 ? 0.2 : 0.8
      return pattern + strength * Float.random(in: -1...1, using: &random)
    }
  }

  @Test func `A volume that settles ends the scan, once, after enough scores in a row`() throws {
    // Noise that fades until update 39.
    let (commands, scores) = try decide(configuration(similarityMin: 0.9)) {
      image($0, noise: max(0, 0.8 - 0.02 * Float($0)))
    }
    let command = try #require(commands.first)
    #expect(
      commands.count == 1 && command.cause == .similarity && command.words.hasPrefix("control: MS-SSIM 0.9"),
      "\(commands)")
    let decisive = try #require(scores.firstIndex { $0.streak == 2 })
    #expect(command.projections == scores[decisive].projections)
    for score in scores {
      let similarity = try #require(score.similarity)
      #expect(
        score.worker == 0 && score.truth == nil && score.range == scores[0].range
          && (score.streak > 0) == (similarity >= 0.9))
      // Windows of eight projections without a common one.
      #expect(
        try score.projections - #require(score.against) >= 8 && score.projections >= 20
          && score.update == score.projections - 1)
    }
    #expect(zip(scores, scores.dropFirst()).allSatisfy { $1.projections == $0.projections + 2 })
  }

  @Test func `A volume that settled early is ended where that is allowed, with the scores that it had by then`() throws
  {
    let (commands, scores) = try decide(configuration(similarityMin: 0.9, endedFrom: 41)) { _ in image(1, noise: 0.1) }
    // Looked at every two projections.
    #expect(scores.first?.projections == 20 && commands.map(\.projections) == [42])
    #expect(scores.first { $0.projections == 42 }?.streak == 12)
  }

  @Test func `Nine tenths of a scan suffice`() {
    #expect([1, 9, 10, 180, 1001].map(ControlConfiguration.projectionsSufficing) == [1, 9, 9, 162, 901])
  }

  @Test func `A volume that never settles, or one without a threshold, does not end the scan`() throws {
    #expect(try decide(configuration(similarityMin: 0.9)) { image($0, noise: 0.8) }.commands.isEmpty)
    let (commands, scores) = try decide(configuration()) { _ in image(1, noise: 0.1) }
    #expect(commands.isEmpty && scores.allSatisfy { $0.streak == 0 && ($0.similarity ?? 0) > 0.999 } && !scores.isEmpty)
    // All the same from the start: there is no grey range to compare in.
    #expect(try decide(configuration(similarityMin: 0.5)) { _ in Array(repeating: 1, count: 64 * 64) }.scores.isEmpty)
  }

  @Test func `Scores against a reference rise as the volume comes nearer to it`() throws {
    let (_, scores) = try decide(configuration(), truth: image(0, noise: 0)) {
      image($0, noise: max(0, 0.8 - 0.02 * Float($0)))
    }
    let truths = scores.compactMap(\.truth)
    #expect(truths.count == scores.count && (truths.last ?? 0) > 0.999 && (truths.first ?? 1) < 0.9, "\(truths)")
    #expect(scores[0].similarity == nil && scores[0].against == nil)
  }

  @Test func `A residual that rises so often in a row ends the scan`() throws {
    // Up and down, then up for good.
    let (commands, _) = try decide(
      configuration(risesMax: 5), residual: { $0 < 30 ? 1 + 0.1 * Double($0 % 5) : 1 + 0.01 * Double($0) }
    ) {
      image($0, noise: 0.1)
    }
    #expect(
      commands.count == 1 && commands[0].cause == .divergence && commands[0].words.contains("rose 5 times"),
      "\(commands)")
    #expect(commands.first?.projections == 36, "\(commands)")
    #expect(
      try decide(configuration(risesMax: 5), residual: { 1 + 0.1 * Double($0 % 5) }) { image($0, noise: 0.1) }.commands
        .isEmpty)
  }

  @Test func `A request ends the scan, and no later score says anything else`() throws {
    let (commands, scores) = try decide(configuration(similarityMin: 0.5), requestAt: 10) { _ in image(1, noise: 0.1) }
    #expect(commands == [CommandEvent(cause: .person, words: "anna")] && !scores.isEmpty)
  }
}
