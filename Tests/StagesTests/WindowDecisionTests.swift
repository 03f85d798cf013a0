import Host
import Rings
import Stages
import Testing
import Topics

/// The decisions of `distribute`, seen in the chunks that it writes.
@Suite struct WindowDecisionTests {
  private let runID = RunID.random()

  private func ring(_ topic: Topic, readers: Int = 1) throws -> Ring {
    try Ring.create(
      name: RegionNames(runID: runID).ring(topic),
      specification: RingSpecification(
        runID: runID, topic: topic.id, partition: UInt32(topic.partition), slotCount: 512, payloadCapacity: 0, requiredReaders: readers))
  }

  private func removeAll() throws {
    for name in try SharedRegion.names(prefix: RegionNames(runID: runID).prefix) { try SharedRegion.unlink(name: name) }
  }

  /// Sends flats, darks and `count` projections through the stage; gives what each of two workers was told.
  private func decisions(projections count: Int, _ configuration: DistributeStage.Configuration) throws -> [[ChunkEvent]] {
    let input = try ring(.projections)
    let outputs = try [ring(.chunks(partition: 0)), ring(.chunks(partition: 1))]
    defer { #expect(throws: Never.self) { try removeAll() } }
    let source = try RingWriter(ring: input, epoch: input.grantEpoch())
    let kinds = [EventKind.dark, .flat, .flat] + Array(repeating: .projection, count: count)
    for kind in kinds { try source.commit(source.claim(timeout: .zero), EventFields(kind: kind)) }
    let end = try source.claim(timeout: .zero)
    try source.commit(
      end, EventFields(kind: .end, metadataByteCount: EndEvent(reason: .signal, projections: count).encode(into: end.metadata)))
    let stage = DistributeStage(
      configuration: configuration, projections: try TopicReader(RingReader(ring: input, reader: 0), history: nil, replaying: false),
      chunks: try outputs.map { try TopicWriter(ring: $0) }, patience: Patience(), didWork: {})
    try stage.run()
    return try outputs.map { output in
      let reader = try RingReader(ring: output, reader: 0)
      var chunks: [ChunkEvent] = []
      while let event = try reader.next(timeout: .zero) {
        if event.header.kind == .end {
          #expect(try EndEvent(decoding: event.metadata) == EndEvent(reason: .signal, projections: count))
        } else {
          chunks.append(try ChunkEvent(decoding: event.metadata))
        }
      }
      return chunks
    }
  }

  private func configuration(length: Int, step: Int, final: Int = 0) -> DistributeStage.Configuration {
    .init(
      rows: [0..<3, 3..<5], windowLength: length, windowStep: step, windowIterations: 2, finalIterations: final, finalSubsets: 3)
  }

  @Test func `Every worker gets its own rows and the same decisions`() throws {
    let chunks = try decisions(projections: 5, configuration(length: 4, step: 2, final: 7))
    for (worker, rows) in [0..<3, 3..<5].enumerated() {
      #expect(
        chunks[worker].prefix(4) == [
          .rows(role: .dark, sequence: 0, rows: rows, ordinal: 0), .rows(role: .flat, sequence: 1, rows: rows, ordinal: 0),
          .rows(role: .flat, sequence: 2, rows: rows, ordinal: 0), .rows(role: .projection, sequence: 3, rows: rows, ordinal: 0),
        ])
      #expect(chunks[worker].last == .final(iterations: 7, subsets: 3, projections: 5))
    }
    let updates = chunks.map { $0.filter { if case .update = $0 { true } else { false } } }
    #expect(updates[0] == updates[1])
    #expect(updates[0] == [0..<2, 0..<4, 2..<5, 4..<5].enumerated().map { .update(index: $0, projections: $1, iterations: 2) })
  }

  @Test(arguments: [(24, 1, 50), (8, 4, 30), (6, 3, 31), (5, 5, 20)])
  func `Every projection is used the same number of times`(length: Int, step: Int, count: Int) throws {
    var uses = Array(repeating: 0, count: count)
    for chunk in try decisions(projections: count, configuration(length: length, step: step))[0] {
      if case .update(_, let projections, _) = chunk { for projection in projections { uses[projection] += 1 } }
    }
    #expect(uses.allSatisfy { $0 == length / step }, "\(uses)")
  }

  @Test func `A scan that ends before its first projection has no updates and no final sweep`() throws {
    let chunks = try decisions(projections: 0, configuration(length: 4, step: 1, final: 5))[0]
    #expect(chunks.count == 3)
  }
}
