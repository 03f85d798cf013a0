package import Rings
package import RunModel

/// The stages and topics of one run: what `Wiring` comes to for its facts.
package struct RunWiring: Sendable {
  /// Every stage, upstream first: the order in which they are started, and of their heartbeats.
  package let stages: [StageName]
  /// Every topic, in the order of their writers.
  package let topics: [Topic]
  private let facts: WiringFacts
  private let rows: [WiringRow]

  /// Wires a run; `table` is another one in tests.
  package init(_ facts: WiringFacts, table: [WiringRow] = Wiring.rows) {
    self.facts = facts
    rows = table.filter { $0.isPresent(facts) }
    stages = rows.flatMap { row in
      row.isPerWorker ? (0..<facts.workers).map { StageName(row.name, partition: $0) } : [StageName(row.name)]
    }
    topics = rows.flatMap(\.writes).flatMap {
      $0.kind.topics(workers: facts.workers, views: facts.views.count)
    }
    precondition(Set(stages).count == stages.count, "two rows have one name: \(stages)")
    precondition(Set(topics.map(\.folderName)).count == topics.count, "two rows write one topic: \(topics.map(\.name))")
    precondition(
      Set(topics.map(\.kind.id)).count == Set(topics.map(\.kind)).count, "two topics have one number: \(topics)")
  }

  /// The row of a stage; nil for a stage that the run does not have.
  package func row(of stage: StageName) -> WiringRow? { stages.contains(stage) ? row(named: stage.kind) : nil }

  /// Whether the table knows such stages, though this run may have none.
  package static func isStage(_ kind: String) -> Bool { Wiring.rows.contains { $0.name == kind } }

  /// The topics that a stage reads, in the order of its row.
  package func inputs(of stage: StageName) -> [(topic: Topic, input: WiringRow.Input)] {
    guard let row = row(of: stage) else { return [] }
    return row.reads.flatMap { input in
      self.topics(input.kind(facts), of: stage).filter(topics.contains).map { ($0, input) }
    }
  }

  /// The topics that a stage writes, in the order of its row.
  package func outputs(of stage: StageName) -> [Topic] {
    row(of: stage).map { row in row.writes.flatMap { topics($0.kind, of: stage) } } ?? []
  }

  /// The stages that read a topic: the place of each is its reader's number in the ring.
  package func readers(of topic: Topic) -> [StageName] {
    stages.filter { stage in inputs(of: stage).contains { $0.topic == topic } }
  }

  /// The number of a stage's reader in the ring of a topic; nil where it does not read it.
  package func readerNumber(of stage: StageName, in topic: Topic) -> Int? { readers(of: topic).firstIndex(of: stage) }

  /// Whether a stage works on the events of a topic, or only listens.
  package func works(_ stage: StageName, on topic: Topic) -> Bool {
    inputs(of: stage).contains { $0.topic == topic && $0.input.isWork }
  }

  /// The stage that writes a topic.
  package func writer(of topic: Topic) -> StageName {
    guard let stage = stages.first(where: { outputs(of: $0).contains(topic) }) else {
      preconditionFailure("nobody writes \(topic.name)")
    }
    return stage
  }

  /// Where a stage is: the topic whose events it handles, and its reader; nil for the reader of a stage that makes
  /// them.
  package func progress(of stage: StageName) -> (topic: Topic, reader: Int?)? {
    if let work = inputs(of: stage).first(where: { $0.input.isWork }) {
      return (work.topic, readerNumber(of: stage, in: work.topic))
    }
    return outputs(of: stage).first.map { ($0, nil) }
  }

  /// The ring behind a topic, which begins with event `first`: what the topic's journal holds lies before.
  package func ring(
    _ topic: Topic, runID: RunID, first: (sequence: UInt64, chain: UInt64, epoch: UInt64)
  ) -> RingSpecification {
    guard let output = rows.flatMap(\.writes).first(where: { $0.kind == topic.kind }) else {
      preconditionFailure("nobody writes \(topic.name)")
    }
    let payload = output.payload(facts, topic.partition),
      spillSlots = facts.isDurable ? spillSlots(output, payload) : nil
    return RingSpecification(
      runID: runID, topic: topic.id, partition: UInt32(topic.partition),
      slotCount: output.slots(facts, topic.partition),
      payloadCapacity: payload, requiredReaders: readers(of: topic).count,
      whenFull: spillSlots == nil ? .wait : .spill, spillSlotCount: spillSlots ?? 0, firstSequence: first.sequence,
      firstChain: first.chain, firstEpoch: first.epoch)
  }

  /// Slots beside a full ring whose writer goes on; nil where it waits.
  private func spillSlots(_ output: WiringRow.Output, _ payload: Int) -> Int? {
    switch output.whenFull {
    case .waits: nil
    case .spills: Self.spillSlots(payload)
    case .spillsForSource(let onTheWay):
      facts.sourceWaits ? nil : onTheWay(facts) ?? Self.spillSlots(payload)
    }
  }

  /// Events on their way to disk beside a full ring whose writer may wait for the disk: some batches of the journal.
  private static func spillSlots(_ payload: Int) -> Int {
    min(max((64 << 20) / (payload + EventHeader.pageByteCount), 4), 128)
  }

  private func row(named name: String) -> WiringRow? { rows.first { $0.name == name } }

  private func topics(_ kind: TopicKind, of stage: StageName) -> [Topic] {
    guard kind.partitions == .worker, let partition = stage.partition else {
      return kind.topics(workers: facts.workers, views: facts.views.count)
    }
    return [Topic(kind, partition: partition)]
  }
}
