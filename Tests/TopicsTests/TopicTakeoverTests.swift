import Glibc
import Journal
import Rings
import RunModel
import TestSupport
import Testing
import Topics

@Suite struct TopicTakeoverTests {
  @Test func `what follows records that salvage gave up is refused, and the journal is left to the next writer`() throws
  {
    let folder = try TestFolder()
    let journal = folder.file("journal")
    try #require(mkdir(journal, 0o700) == 0)
    let runID = RunID.random()
    let specification = RingSpecification(
      runID: runID, topic: 1, slotCount: 8, payloadCapacity: 0, requiredReaders: 1, whenFull: .wait)
    let ring = try Ring.create(name: RegionNames(runID: runID).ring(.projections), specification: specification)
    defer { try? Ring.unlink(name: ring.name) }
    do {
      let writer = try TopicWriter(ring: ring, folder: journal)
      for _ in 0..<3 { try writer.append(kind: .projection, timeout: .seconds(1)) { _ in 0 } }
      try writer.flush()
    }
    // One that dies before its events are on disk.
    let writer = try RingWriter(ring: ring, epoch: ring.grantEpoch(), publishing: .whenDurable)
    for _ in 0..<2 {
      try writer.commit(writer.claim(timeout: .seconds(1)), EventFields(kind: .projection, acquiredAt: 0))
    }
    for name in try folder.names(in: "journal") where name.hasSuffix(".segment") {
      try #require(unlink("\(journal)/\(name)") == 0)
    }
    var options = TopicWriter.options(specification)
    options.durableFloor = 3
    let given = try salvageJournal(
      device: openJournalDevice(folder: journal), identity: specification.identity, stride: specification.slotStride,
      options: options)
    #expect(given.map { $0.lowerBound..<$0.upperBound } == [0..<3])
    #expect {
      try TopicTakeover.drain(ring, folder: journal, wait: .seconds(1))
    } throws: {
      if case JournalError.refused = $0 { true } else { false }
    }
    let state = try TopicTakeover.end(ofJournalIn: journal, specification, after: 9, durableFloor: 3)
    #expect(state.nextSequence == 3)
  }
}
