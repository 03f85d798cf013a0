import Alarms
import Fabric
import Foundation
import Glibc
import Host
import Rings
import RunModel
import TestSupport
import Testing
import Topics

@testable import Stages

/// What `watch` sees, and the programs that it asks and tells.
@Suite struct WatchTests {
  @Test func `The brighter side is the beam, and rows without it are dead`() throws {
    let rows = (0..<64).map { _ in (left: 900.0, right: 1000.0) }
    #expect(try #require(BeamLook.figures(rows, rows: 128)) == .init(intensity: 1000, deadRows: 0))
    var dead = rows
    for row in 0..<4 { dead[row] = (left: 20, right: 0) }
    #expect(try #require(BeamLook.figures(dead, rows: 128)).deadRows == 8)
    dead[5] = (left: .nan, right: 4)
    #expect(try #require(BeamLook.figures(dead, rows: 128)).deadRows == 10)
    // A beam that is gone kills no rows.
    #expect(BeamLook.figures(rows.map { _ in (0, 0) }, rows: 128) == .init(intensity: 0, deadRows: 0))
    #expect(BeamLook.figures([], rows: 128) == nil && BeamLook.figures([(.nan, .nan)], rows: 1) == nil)
  }

  @Test func `A trigger of a user's own whose limit the run does not have is told of`() throws {
    let own = try ["a,watch=buffered,model=threshold:>disk-buffer", "b,watch=lag,model=threshold:>lag-max"]
      .map { try Trigger(parsing: $0) }
    let configuration = WatchConfiguration(
      triggers: Trigger.standard + own, limits: [.lagMax: 48], images: (.projections, []), hasLedger: false,
      comparesSlices: false, projections: 9, windowStep: 1, runFolder: ("/", 1), output: ("/", 1))
    // What is told is what the watcher leaves out.
    let watcher = Watcher(configuration.triggers, limits: configuration.limits) { _ in
      preconditionFailure("no program is asked")
    }
    #expect(watcher.triggers.filter(own.contains) == [own[1]])
    #expect(
      configuration.unwatched == [
        "the trigger a,watch=buffered,model=threshold:>disk-buffer is not watched: this run has no such limit"
      ])
    #expect(configuration.unseen { _ in false }.map { $0.prefix(13) } == ["the trigger b"])
  }

  @Test func `A trigger of a user's own whose gauge has no value is told of, with what gives it one`() throws {
    let own = try [
      "a,watch=missing,model=threshold:>1", "b,watch=similarity,model=ewma:6", "c,watch=residual,model=ewma:6",
    ]
    .map { try Trigger(parsing: $0) }
    var configuration = WatchConfiguration(
      triggers: Trigger.standard + own, limits: [:], images: (.projections, []), hasLedger: false,
      comparesSlices: false, projections: 9, windowStep: 1, runFolder: ("/", 1), output: ("/", 1))
    #expect(
      configuration.unwatched == [
        "the trigger a,watch=missing,model=threshold:>1 watches nothing: this run has no missing, which live sources "
          + "have",
        "the trigger b,watch=similarity,model=ewma:6 watches nothing: this run has no similarity, which --stop-ssim "
          + "and --reference have computed, from the first score on",
      ])
    let late = [
      "the trigger c,watch=residual,model=ewma:6 watched nothing: residual never had a value, which updates made while "
        + "the scan goes on have"
    ]
    #expect(configuration.unseen { _ in false } == late && configuration.unseen { $0 == .residual }.isEmpty)
    (configuration.hasLedger, configuration.comparesSlices) = (true, true)
    #expect(configuration.unwatched.isEmpty && configuration.unseen { _ in false }.count == 3)
    for gauge in Gauge.allCases { #expect(gauge.sourceWords.hasPrefix("which "), "\(gauge)") }
  }

  @Test(arguments: PixelType.allCases) func `An image in its ring shows the beam beside the sample`(
    pixel: PixelType
  ) throws {
    let runID = RunID.random(), (rows, columns) = (200, 64), byteCount = rows * columns * pixel.byteCount
    let specification = RingSpecification(
      runID: runID, topic: 1, partition: 0, slotCount: 4, payloadCapacity: byteCount, requiredReaders: 0,
      whenFull: .wait, spillSlotCount: 0, firstSequence: 0, firstChain: 0, firstEpoch: 0)
    let name = "slipring-test-\(runID)"
    let ring = try Ring.create(name: name, specification: specification, node: 0)
    defer { _ = try? SharedRegion.unlink(name: name) }
    let writer = try RingWriter(ring: ring, epoch: ring.grantEpoch())
    let claim = try writer.claim(timeout: .seconds(1))
    for row in 0..<rows {
      for column in 0..<columns {
        // A sample in the middle, and three dead rows.
        let value = row % 80 == 7 ? 0 : (8..<56).contains(column) ? 10 : 200
        let place = (row * columns + column) * pixel.byteCount
        switch pixel {
        case .uint8: claim.payload.storeBytes(of: UInt8(value), toByteOffset: place, as: UInt8.self)
        case .uint16: claim.payload.storeBytes(of: UInt16(value), toByteOffset: place, as: UInt16.self)
        case .uint32: claim.payload.storeBytes(of: UInt32(value), toByteOffset: place, as: UInt32.self)
        case .float32: claim.payload.storeBytes(of: Float(value), toByteOffset: place, as: Float.self)
        }
      }
    }
    try writer.commit(
      claim,
      EventFields(
        kind: .projection, payloadByteCount: byteCount, theta: 0, projection: 0, rows: rows, columns: columns,
        pixel: pixel))
    let observer = RingObserver(ring: ring)
    let header = try #require(try observer.latest()).header
    var look = BeamLook()
    let figures = look.look(at: header, in: observer)
    // Rows 0, 4, 8 … are looked at, of which none is dead.
    #expect(figures == .init(intensity: 200, deadRows: 0))
  }

  @Test func `The similarity is the lowest of all that count, whoever said something last`() throws {
    let runID = RunID.random(), names = RegionNames(runID: runID)
    defer { #expect(throws: Never.self) { try SharedRegion.names(prefix: names.prefix).forEach(SharedRegion.unlink) } }
    var rings: [Topic: Ring] = [:]
    for topic in [Topic.projections, .orders(partition: 0), .updates(partition: 0), .updates(partition: 1), .scores] {
      rings[topic] = try Ring.create(
        name: names.ring(topic),
        specification: RingSpecification(
          runID: runID, topic: topic.id, partition: UInt32(topic.partition), slotCount: 16, payloadCapacity: 0,
          requiredReaders: 0))
    }
    let configuration = WatchConfiguration(
      triggers: [], limits: [:], images: (.projections, []), hasLedger: false, comparesSlices: true, projections: 9,
      windowStep: 1, runFolder: ("/", 1), output: ("/", 1))
    var (counted, report) = ([0, 1], UplinkReport(fabric: "nats://a"))
    var figures = try RunFigures(
      configuration, observer: { RingObserver(ring: try #require(rings[$0])) }, workers: 2, counted: { counted },
      uplink: { report })
    let writer = try TopicWriter(ring: #require(rings[.scores]))
    func value(_ similarity: Double?) -> SliceScore {
      SliceScore(update: 1, projections: 2, against: 1, similarity: similarity, streak: 0, black: 0, white: 1)
    }
    func say(_ worker: Int, _ similarity: Double?) throws {
      let score = ScoreEvent(worker: worker, value(similarity), truth: 0.5)
      try writer.append(kind: .score, timeout: .zero, score.encode)
    }
    func look(times: Int = 1) -> Double? {
      var value: Double?
      for _ in 0..<times {
        var sample = GaugeSample(at: 1)
        figures.fill(&sample)
        value = sample[.similarity] ?? value
      }
      return value
    }
    #expect(look() == nil)
    try say(0, 0.75)
    try say(1, 0.875)
    #expect(look() == 0.75 && look(times: 5) == nil)
    // What `scores` has of granules is told by who knows which of them count.
    try say(2, 0.25)
    #expect(look() == 0.75)
    let score = GranuleScore(run: runID, granule: 0, rows: 0..<8, value(0.5))
    report.scores = [.init(granule: 0, node: "a", score: score, isSilent: false)]
    #expect(look(times: 5) == 0.5)
    report.scores?[0].isSilent = true
    #expect(look(times: 5) == 0.75)
    // Nobody waits for rows that are set aside.
    counted = [1]
    #expect(look(times: 5) == 0.875)
    try say(1, nil)
    #expect(look() == nil)
  }

  @Test func `Pressure and counters are read as the kernel writes them, and what is none is nothing`() {
    let pressure = "some avg10=12.50 avg60=3.00 avg300=1.00 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
    #expect(MachineFigures.pressure(pressure) == 12.5 && MachineFigures.pressure("none") == nil)
    let table = "Udp: InDatagrams RcvbufErrors\nUdp: 7 5\nTcp: A\nTcp: 1\n"
    #expect(MachineFigures.counter(table, "Udp:", ["RcvbufErrors"]) == 5)
    #expect(MachineFigures.counter("Udp: A\n", "Udp:", ["A"]) == 0 && MachineFigures.counter("", "Udp:", ["A"]) == 0)
  }

  private func script(_ folder: TestFolder, _ text: String) throws -> String {
    let path = folder.file("program-\(text.utf8.count)")
    try ("#!/bin/sh\n" + text + "\n").write(toFile: path, atomically: true, encoding: .utf8)
    try #require(chmod(path, 0o700) == 0)
    return path
  }

  private let order = HookRunner.HookOrder(
    run: "r", trigger: "t", state: "begins", severity: "warning", gauge: "rate", value: 1, forecast: nil, time: 2,
    evidence: 3, text: "words")

  private func start(_ path: String, _ input: Int32?, _ output: Int32?) throws -> ChildProcess {
    try ChildProcess(executable: path, arguments: [], standardInput: input, standardOutput: output)
  }

  @Test func `A hook gets its alarm once, and one that fails three times`() throws {
    let folder = try TestFolder()
    let (told, failed) = (folder.file("told"), folder.file("failed"))
    var notices: [String] = []
    let hooks = HookRunner(start: { try start($0, $1, nil) }, noticed: { notices.append($0) })
    hooks.add(try script(folder, "cat >> \(told)"), order, number: 1)
    hooks.add(try script(folder, "echo x >> \(failed); exit 3"), order, number: 2)
    hooks.add("/nowhere/at/all", order, number: 3)
    #expect(hooks.oldest == 1)
    let deadline = Deadline(after: .seconds(30))
    while !hooks.isIdle, !deadline.hasPassed {
      hooks.turn()
      usleep(10_000)
    }
    let object = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: told))) as? [String: Any]
    #expect(object?["trigger"] as? String == "t" && object?["evidence"] as? Int == 3)
    #expect(try String(contentsOfFile: failed, encoding: .utf8) == "x\nx\nx\n")
    #expect(notices.count == 6 && hooks.oldest == nil, "\(notices)")
    #expect(notices.contains { $0.hasSuffix(" exited with 3, try 3 of 3") }, "\(notices)")
  }

  @Test func `A hook that hangs holds up only what it is to be told itself, and is ended`() throws {
    let folder = try TestFolder()
    let (told, hung) = (folder.file("told"), folder.file("hung"))
    var notices: [String] = []
    let hooks = HookRunner(start: { try start($0, $1, nil) }, noticed: { notices.append($0) })
    let (slow, fast) = (try script(folder, "echo x >> \(hung); exec sleep 60"), try script(folder, "cat >> \(told)"))
    hooks.add(slow, order, number: 1)
    hooks.add(slow, order, number: 2)
    for number in 3..<7 { hooks.add(fast, order, number: UInt64(number)) }
    func lines(_ path: String) -> Int {
      (try? String(contentsOfFile: path, encoding: .utf8))?.count { $0 == "\n" } ?? 0
    }
    let begun = ContinuousClock.now, deadline = Deadline(after: .seconds(60))
    while lines(told) < 4, !deadline.hasPassed {
      hooks.turn()
      usleep(10_000)
    }
    // All while the other one runs for the first time; it has two orders, which wait for each other.
    #expect(notices.isEmpty && hooks.oldest == 1 && lines(hung) <= 1, "\(ContinuousClock.now - begun)")
    while notices.count < 3, !deadline.hasPassed {
      hooks.turn()
      usleep(10_000)
    }
    #expect(notices == (1...3).map { "\(slow) did not end within 5.0 seconds, try \($0) of 3" }, "\(notices)")
    #expect(hooks.oldest == 2)
    for number in 7..<50 { hooks.add(fast, order, number: UInt64(number)) }
    #expect(notices.last == "\(fast) is not told of words: 32 others wait")
    hooks.giveUp()
    #expect(hooks.isIdle)
  }

  @Test func `What a hook is not told before the end is said`() throws {
    let folder = try TestFolder()
    var notices: [String] = []
    let hooks = HookRunner(start: { try start($0, $1, nil) }, noticed: { notices.append($0) })
    let slow = try script(folder, "exec sleep 60")
    hooks.add(slow, order, number: 1)
    hooks.add(slow, order, number: 2)
    hooks.turn()
    hooks.giveUp()
    #expect(
      notices == [
        "\(slow) was ended while it was told of words: the run is over",
        "\(slow) is not told of words: the run is over",
      ])
    #expect(hooks.isIdle)
  }

  @Test func `A program answers for its gauge, and one that does not is not asked for long`() throws {
    let folder = try TestFolder()
    var notices: [String] = []
    let sums = try script(folder, "while read line; do set -- $line; echo $(( $# - 15 )); done")
    let model = ProgramModel(sums, start: { try start($0, $1, $2) }, noticed: { notices.append($0) })
    for _ in 0..<5 { #expect(model.look(1) == nil) }
    model.isLive = true
    var answers: [Double] = []
    for _ in 0..<400 where answers.count < 2 {
      if let forecast = model.look(1)?.forecast { answers.append(forecast) }
      usleep(20_000)
    }
    // After ten and more values with the five before.
    #expect(
      answers.count == 2 && answers[0] >= 0 && answers[1] > answers[0] && notices.isEmpty, "\(answers) \(notices)")
    let silent = ProgramModel(
      try script(folder, "cat > /dev/null"), start: { try start($0, $1, $2) }, noticed: { notices.append($0) })
    silent.isLive = true
    let verdicts = (0..<400).compactMap { _ in silent.look(1) }
    // In the end it says that nothing is wrong, whatever it said before.
    #expect(verdicts.map(\.isAlarm) == [false])
    #expect(notices.count == 3 && notices[2].hasSuffix("it is not asked any more"), "\(notices)")
  }
}
