import Host
import Rings
import RunModel
import ScanPlan
import Testing

@testable import Run

@Suite struct BandKeeperTests {
  private let start = ContinuousClock.now

  /// Two workers of a core each with four bands.
  private static func keeper(isElastic: Bool = true) -> BandKeeper {
    BandKeeper(
      BandDeal([
        .init(number: 0, cores: [0], bands: [0, 1, 2, 3]), .init(number: 1, cores: [1], bands: [4, 5, 6, 7]),
      ]), isElastic: isElastic)
  }

  private func updates(_ index: Int, _ slow: Double) -> [(index: Int, seconds: Double)?] {
    (0..<8).map { (index, $0 < 4 ? slow : 1) }
  }

  private func report(_ keeper: BandKeeper) -> [WorkerStatus] {
    keeper.report { RowRange($0..<$0 + 1, firstSlice: 0) }
  }

  @Test func `a slow worker gives bands away, one in a second, when all were seen where they are`() {
    var keeper = Self.keeper()
    var moves: [Int] = []
    for tenth in 0..<100 {
      // The cores of worker 0 are three times as slow.
      let counts = keeper.deal.workers.map { Double($0.bands.count) }
      keeper.note(
        (0..<8).map { (tenth, keeper.deal.worker(of: $0) == 0 ? 3 * counts[0] / 4 : counts[1] / 4) })
      guard keeper.balance(working: { _ in true }, at: start + .milliseconds(100) * tenth) != nil else { continue }
      moves.append(tenth)
    }
    #expect(keeper.moves == 2 && moves.count == 2)
    // Four updates of each, and one that may have begun elsewhere.
    #expect(moves.first == 4, "\(moves)")
    #expect(zip(moves.dropFirst(), moves).allSatisfy { $0 - $1 >= 10 }, "\(moves)")
    #expect(report(keeper).map(\.bands.count) == [2, 6])
  }

  @Test func `no band moves where workers are alike, nor without bands, nor before updates were made`() {
    var even = Self.keeper(), plain = Self.keeper(isElastic: false), new = Self.keeper()
    for tenth in 0..<100 {
      let now = start + .milliseconds(100) * tenth
      even.note(updates(tenth, 1.2))
      plain.note(updates(tenth, 9))
      // The same update again and again is one.
      new.note(updates(0, 9))
      #expect(even.balance(working: { _ in true }, at: now) == nil)
      #expect(plain.balance(working: { _ in true }, at: now) == nil && plain.evict(0).isEmpty)
      #expect(new.balance(working: { _ in true }, at: now) == nil)
    }
    #expect(report(even).map(\.updateSeconds) == [1.2, 1] && report(new).map(\.updateSeconds) == [nil, nil])
  }

  @Test func `a band is made elsewhere once`() {
    var keeper = Self.keeper()
    #expect(keeper.evict(2).contains { $0.band == 2 && $0.to == 1 })
    #expect(keeper.evict(2).isEmpty && keeper.moves == 2)
    #expect(!keeper.evict(3).isEmpty)
  }

  @Test func `cores that are dealt out are seen by a stage, and those of other stages stay`() throws {
    let run = RunID.random(), names = RegionNames(runID: run)
    let heartbeats = try Heartbeats.create(names, run, stageCount: 3)
    defer { do { try SharedRegion.unlink(name: names.heartbeats) } catch { Issue.record(error) } }
    let stage = try Heartbeats.attach(names, run, stageCount: 3)
    #expect(stage.dealt(to: 1) == (0, []))
    let last = Heartbeats.coresMax - 1
    for (number, cores) in [[0], [1, 63, 64, last], [5]].enumerated() {
      heartbeats.deal(cores, to: 1)
      #expect(stage.dealt(to: 1) == (UInt64(number + 1), cores))
    }
    #expect(stage.dealt(to: 0) == (0, []) && stage.dealt(to: 2) == (0, []))
    #expect(stage.sign(of: 2) == .notBegun && stage.standing(of: 1) == .expected)
    // A process that dies leaves its successor what was dealt to it.
    heartbeats.reset(1)
    #expect(stage.dealt(to: 1).cores == [5])
  }
}
