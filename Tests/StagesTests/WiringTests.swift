import Rings
import RunModel
import Stages
import Testing

/// What follows from the table of stages.
@Suite struct WiringTests {
  private func wiring(
    workers: Int = 2, corrects: Bool = false, denoises: Bool = false, hasNodes: Bool = false, isWatched: Bool = false,
    views: [Int] = [], examples: [String] = [],
    isDurable: Bool = true,
    sourceWaits: Bool = true
  ) -> RunWiring {
    var slots = RingSlots(projections: 64, orders: 1024, updates: 256)
    slots.onTheWay = 9
    return RunWiring(
      WiringFacts(
        workers: workers, corrects: corrects, denoises: denoises, hasNodes: hasNodes, isWatched: isWatched,
        views: views, examples: examples,
        isDurable: isDurable, sourceWaits: sourceWaits, imageByteCount: (1000, 2000), slots: slots))
  }

  private func names(_ values: [some CustomStringConvertible]) -> [String] { values.map(\.description) }

  @Test func `a plain run has the stages and topics that make a volume`() {
    let wiring = wiring()
    #expect(
      names(wiring.stages) == ["acquire", "distribute", "reconstruct.0", "reconstruct.1", "control", "export"])
    #expect(
      wiring.topics.map(\.name) == [
        "projections", "orders.0", "orders.1", "updates.0", "updates.1", "commands", "scores",
      ])
  }

  @Test func `filters and denoising come in where they belong`() {
    let wiring = wiring(corrects: true, denoises: true)
    #expect(
      names(wiring.stages) == [
        "acquire", "correct", "distribute", "reconstruct.0", "reconstruct.1", "control", "denoise", "export",
      ])
    #expect(names(wiring.readers(of: .projections)) == ["correct"])
    #expect(names(wiring.readers(of: .corrected)) == ["distribute", "reconstruct.0", "reconstruct.1"])
    #expect(names(wiring.readers(of: .denoised)) == ["export"])
  }

  @Test func `an edge hands its images out, and no ring waits for that`() {
    let (edge, alone) = (wiring(hasNodes: true), wiring())
    #expect(edge.stages.contains(.uplink) && !alone.stages.contains(.uplink))
    for topic in edge.topics { #expect(edge.readers(of: topic) == alone.readers(of: topic), "\(topic.name)") }
    #expect(edge.inputs(of: .uplink).isEmpty && edge.progress(of: .uplink) == nil)
  }

  @Test func `a run does without its watch, and no ring waits for it`() {
    let (watched, alone, watch) = (wiring(isWatched: true), wiring(), StageName("watch"))
    #expect(watched.stages == alone.stages + [watch] && watched.outputs(of: watch) == [.alarms])
    for topic in alone.topics { #expect(watched.readers(of: topic) == alone.readers(of: topic), "\(topic.name)") }
    #expect(watched.readers(of: .alarms).isEmpty)
    #expect(watched.stages.filter { watched.row(of: $0)?.isOptional == true } == [watch])
  }

  @Test func `a topic a view comes of a stage that no ring waits for, and has room for what the view copies`() {
    let (joined, alone, join) = (wiring(views: [0, 5000]), wiring(), StageName("join"))
    #expect(joined.stages == alone.stages + [join] && joined.outputs(of: join) == [.view(0), .view(1)])
    for topic in alone.topics { #expect(joined.readers(of: topic) == alone.readers(of: topic), "\(topic.name)") }
    #expect(joined.topics == alone.topics + [.view(0), .view(1)] && joined.row(of: join)?.isOptional == true)
    let rings = [Topic.view(0), .view(1)].map { joined.ring($0, runID: .random(), first: (0, 0, 0)) }
    #expect(rings.map(\.payloadCapacity) == [0, 5000] && rings.map(\.slotCount) == [64, 4])
    #expect(rings.allSatisfy { $0.requiredReaders == 0 })
  }

  @Test func `a worker reads its own orders and the images, and writes its own updates`() {
    let (wiring, worker) = (wiring(), StageName.reconstruct(1))
    #expect(wiring.inputs(of: worker).map(\.topic.name) == ["orders.1", "projections"])
    #expect(wiring.outputs(of: worker).map(\.name) == ["updates.1"])
    #expect(wiring.readerNumber(of: worker, in: .projections) == 2)
    #expect(wiring.readerNumber(of: worker, in: .orders(partition: 0)) == nil)
    #expect(wiring.writer(of: .updates(partition: 1)) == worker)
  }

  @Test func `every topic has one writer, and a ring waits for all of its readers`() {
    for wiring in [wiring(), wiring(workers: 3, corrects: true, denoises: true, examples: ["echo"])] {
      for topic in wiring.topics {
        let writers = wiring.stages.filter { wiring.outputs(of: $0).contains(topic) }
        #expect(writers == [wiring.writer(of: topic)], "\(topic.name)")
        let ring = wiring.ring(topic, runID: .random(), first: (0, 0, 0))
        #expect(ring.requiredReaders == wiring.readers(of: topic).count, "\(topic.name)")
      }
    }
  }

  @Test func `a stage's progress is counted in what it works on`() throws {
    let wiring = wiring()
    let acquire = try #require(wiring.progress(of: .acquire))
    #expect(acquire.topic == .projections && acquire.reader == nil)
    let worker = try #require(wiring.progress(of: .reconstruct(1)))
    #expect(worker.topic == .orders(partition: 1) && worker.reader == 0)
    let export = try #require(wiring.progress(of: .export))
    #expect(export.topic == .updates(partition: 0) && export.reader == 1)
    #expect(wiring.progress(of: StageName("denoise")) == nil)
  }

  @Test(arguments: [(true, true), (true, false), (false, true), (false, false)])
  func `only a ring behind a disk spills, and images only where the source cannot wait`(
    isDurable: Bool, sourceWaits: Bool
  ) {
    let wiring = wiring(corrects: true, isDurable: isDurable, sourceWaits: sourceWaits)
    func ring(_ topic: Topic) -> RingSpecification { wiring.ring(topic, runID: .random(), first: (5, 6, 7)) }
    let spills = isDurable && !sourceWaits
    #expect(ring(.projections).spillSlotCount == (spills ? 9 : 0))
    #expect((ring(.corrected).spillSlotCount > 0) == spills)
    #expect((ring(.orders(partition: 0)).spillSlotCount > 0) == isDurable)
    #expect(ring(.commands).spillSlotCount == 0 && ring(.commands).slotCount == 4)
    #expect(ring(.projections).payloadCapacity == 1000 && ring(.corrected).payloadCapacity == 2000)
    #expect(ring(.scores).firstSequence == 5 && ring(.scores).firstEpoch == 7)
  }

  @Test func `numbers and words of topics stay what they are on disk`() {
    let kinds = Wiring.rows.flatMap(\.writes).map(\.kind)
    let expected = [
      "projections": 1, "orders": 2, "updates": 3, "commands": 4, "denoised": 5, "corrected": 6, "scores": 7, "echo": 8,
      "alarms": 12, "views": 13,
    ]
    #expect(Dictionary(uniqueKeysWithValues: kinds.map { ($0.word, Int($0.id)) }) == expected)
  }
}
