import Detectors
import Glibc
import Host
import Rings
import RunModel
import Testing

@testable import Run

@Suite struct HeartbeatTests {
  private let start = ContinuousClock.now

  /// Whether a process hangs after looks `period` apart that all saw the sign `sign`; the first one is at the start.
  private func hangs(_ sign: HeartbeatWatch.Sign, looks: Int, every period: Duration) -> Bool {
    var watch = HeartbeatWatch(start: start)
    var result = false
    for look in 0..<looks { result = watch.look(sign, at: start + period * look) != nil }
    return result
  }

  @Test func `a process hangs after 20 looks and 2 seconds without a beat, not before`() {
    #expect(!hangs(.beats(7), looks: 20, every: .milliseconds(100)))
    #expect(hangs(.beats(7), looks: 21, every: .milliseconds(100)))
  }

  @Test func `a watcher that was asleep itself, or looks in haste, takes nothing for hung`() {
    #expect(!hangs(.beats(7), looks: 20, every: .seconds(3600)))
    // Looks that follow too soon count once in 100 ms.
    #expect(!hangs(.beats(7), looks: 199, every: .milliseconds(10)))
    #expect(hangs(.beats(7), looks: 201, every: .milliseconds(10)))
  }

  @Test func `a process that begins or ends has 30 seconds`() {
    for sign in [HeartbeatWatch.Sign.notBegun, .done] {
      #expect(!hangs(sign, looks: 300, every: .milliseconds(99)))
      #expect(!hangs(sign, looks: 299, every: .milliseconds(100)))
      #expect(hangs(sign, looks: 302, every: .milliseconds(100)))
    }
  }

  @Test func `a beat starts the watch anew`() {
    var watch = HeartbeatWatch(start: start)
    for look in 0..<1000 {
      #expect(watch.look(.beats(UInt64(look / 20)), at: start + .milliseconds(100) * look) == nil)
    }
  }

  @Test func `a thread beats until the work is done, and a reset line has not begun`() throws {
    let run = RunID.random(), names = RegionNames(runID: run)
    let heartbeats = try Heartbeats.create(names, run, stageCount: 3)
    defer { shm_unlink("/slipring-\(run)-beats") }
    let stage = try Heartbeats.attach(names, run, stageCount: 3)
    #expect(heartbeats.sign(of: 2) == .notBegun)
    try stage.begin(2)
    var seen: Set<UInt64> = []
    let deadline = Deadline(after: .seconds(20))
    while seen.count < 3, !deadline.hasPassed {
      if case .beats(let count) = heartbeats.sign(of: 2) { seen.insert(count) }
      usleep(5000)
    }
    #expect(seen.count == 3 && heartbeats.sign(of: 0) == .notBegun && heartbeats.sign(of: 1) == .notBegun)
    stage.finish(2)
    usleep(250_000)
    #expect(heartbeats.sign(of: 2) == .done)
    heartbeats.reset(2)
    #expect(heartbeats.sign(of: 2) == .notBegun)
  }

  @Test func `what the supervisor expects of a stage is seen by others, and a word without meaning changes nothing`()
    throws
  {
    let run = RunID.random(), names = RegionNames(runID: run)
    let heartbeats = try Heartbeats.create(names, run, stageCount: 2)
    defer { shm_unlink("/slipring-\(run)-beats") }
    let other = try Heartbeats.attach(names, run, stageCount: 2)
    // A dead process waits for no room, and what one lacks is no standing.
    other.note(.journal, of: 1)
    #expect(heartbeats.isWaitingForRoom && heartbeats.standing(of: 1) == .expected)
    heartbeats.set(.setAside, of: 1)
    #expect(!other.isWaitingForRoom && other.shortage(of: 1) == [])
    for standing in [WorkerStanding.setAside, .missing, .expected] {
      heartbeats.set(standing, of: 1)
      #expect(other.standing(of: 1) == standing && other.standing(of: 0) == .expected)
      #expect(other.sign(of: 1) == .notBegun)
    }
    let region = try SharedRegion.attach(name: "slipring-\(run)-beats")
    region.base.storeBytes(of: 7, toByteOffset: 128 + 16, as: UInt64.self)
    #expect(other.standing(of: 0) == .expected)
  }

  @Test func `what a stage says of its source is there for people and its successor, the first of each kind`()
    throws
  {
    let run = RunID.random(), names = RegionNames(runID: run)
    let heartbeats = try Heartbeats.create(names, run, stageCount: 2)
    defer { shm_unlink("/slipring-\(run)-beats") }
    let stage = try Heartbeats.attach(names, run, stageCount: 2)
    #expect(heartbeats.faults(of: 0).isEmpty && heartbeats.interruption(of: 0) == nil)
    #expect(heartbeats.sourceOrigin == SourceOrigin())
    stage.note(.shape, "24 × 4 came", of: 0)
    stage.note(.shape, "5 × 5 came", of: 0)
    stage.note(.json, nil, of: 0)
    stage.note(.channel, String(repeating: "é", count: 300), of: 0)
    stage.noteInterruption("series 8 began\u{1B}[2J", of: 0)
    let said = heartbeats.faults(of: 0)
    #expect(said.map(\.fault) == [.json, .shape, .channel] && said.prefix(2).map(\.detail) == ["", "24 × 4 came"])
    #expect(said[2].detail.hasPrefix("éé") && said[2].detail.utf8.count < 260)
    #expect(heartbeats.interruption(of: 0) == "series 8 began?[2J" && heartbeats.faults(of: 1).isEmpty)
    stage.note(SourceOrigin(series: 0))
    stage.note(SourceOrigin(firstFrame: 1001))
    heartbeats.reset(0)
    #expect(heartbeats.sourceOrigin == SourceOrigin(firstFrame: 1001, series: 0) && heartbeats.faults(of: 0).count == 3)
  }

  @Test func `beats of another run, shape or version are refused`() throws {
    let run = RunID.random(), names = RegionNames(runID: run)
    _ = try Heartbeats.create(names, run, stageCount: 3)
    let name = "slipring-\(run)-beats"
    defer { shm_unlink("/" + name) }
    #expect(throws: HostError.self) { try Heartbeats.attach(names, run, stageCount: 4) }
    let region = try SharedRegion.attach(name: name)
    for bit in 0..<32 * 8 {
      let byte = region.base.load(fromByteOffset: bit / 8, as: UInt8.self)
      region.base.storeBytes(of: byte ^ 1 << (bit % 8), toByteOffset: bit / 8, as: UInt8.self)
      #expect(throws: HostError.self, "bit \(bit)") { try Heartbeats.attach(names, run, stageCount: 3) }
      region.base.storeBytes(of: byte, toByteOffset: bit / 8, as: UInt8.self)
    }
    _ = try Heartbeats.attach(names, run, stageCount: 3)
  }
}
