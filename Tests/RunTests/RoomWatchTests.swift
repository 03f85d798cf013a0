import Host
import Rings
import RunModel
import Testing

@testable import Run

@Suite struct RoomWatchTests {
  private let start = ContinuousClock.now
  private var watch = RoomWatch(folder: RunFolder(path: "/run"), outputFolder: "/out")

  @Test mutating func `each thing without room is told once, with who waits, and then how long it took`() {
    var told: [String] = []
    for tenth in 0..<100 {
      var lacking: [RoomWatch.Want: [String]] = [:]
      if (10..<50).contains(tenth) { lacking[.journal] = ["acquire", "distribute"] }
      if (20..<55).contains(tenth) { lacking[.status] = ["the supervisor"] }
      told += watch.look(lacking, at: start + .milliseconds(100) * tenth)
      #expect(watch.words.isEmpty == lacking.isEmpty)
    }
    #expect(told.count == 3)
    guard told.count == 3 else { return }
    #expect(told[0].hasPrefix("no room on disk for the journal in /run/journal: acquire, distribute wait"))
    #expect(told[1].hasPrefix("no room on disk for /run/status.json: the run goes on"))
    #expect(told[2] == "there is room on disk again, after 4.5 s")
    #expect(watch.duration(at: start + .seconds(60)) == .milliseconds(4500))
  }

  @Test mutating func `room that others take at once is none`() {
    var told: [String] = []
    for tenth in 0..<100 {
      // Every second for half a second.
      let lacking: [RoomWatch.Want: [String]] = tenth % 10 < 5 ? [.output: ["export"]] : [:]
      told += watch.look(lacking, at: start + .milliseconds(100) * tenth)
    }
    #expect(told.count == 1)
    #expect(watch.duration(at: start + .milliseconds(9900)) == .milliseconds(9500))
  }

  @Test mutating func `what fails for another reason is told again when it had succeeded, and counts for no time`() {
    var told: [String] = []
    for turn in 0..<6 {
      let lacking: [RoomWatch.Want: [String]] =
        turn == 3 ? [:] : [.statusFailed(reason: "the name is taken"): ["the supervisor"]]
      told += watch.look(lacking, at: start + .seconds(turn))
      #expect(watch.words.isEmpty)
    }
    #expect(told.count == 2 && told[0].hasPrefix("the name is taken"))
    #expect(watch.duration(at: start + .seconds(9)) == .zero)
  }

  @Test func `what a stage lacks is seen by others, and forgotten between two lives`() throws {
    let run = RunID.random(), names = RegionNames(runID: run)
    let heartbeats = try Heartbeats.create(names, run, stageCount: 3)
    defer { do { try SharedRegion.unlink(name: names.heartbeats) } catch { Issue.record(error) } }
    let stage = try Heartbeats.attach(names, run, stageCount: 3)
    stage.note([.journal, .savedVolume], of: 1)
    #expect(heartbeats.shortage(of: 1) == [.journal, .savedVolume] && heartbeats.isWaitingForRoom)
    #expect(heartbeats.shortage(of: 0) == [] && heartbeats.sign(of: 1) == .notBegun)
    stage.note(.savedVolume, of: 1)
    #expect(!heartbeats.isWaitingForRoom)
    // Bits without meaning.
    stage.note(DiskShortage(rawValue: 1 << 40), of: 1)
    #expect(heartbeats.shortage(of: 1) == [])
    stage.note(.output, of: 1)
    heartbeats.reset(1)
    #expect(stage.shortage(of: 1) == [])
  }
}
