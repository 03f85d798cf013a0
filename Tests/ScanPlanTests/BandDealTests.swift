import Host
import Testing

@testable import ScanPlan

@Suite struct BandDealTests {
  private typealias Worker = BandDeal.Worker
  private typealias Move = BandDeal.Move

  /// Workers of these cores, which have so many bands each.
  private func deal(_ workers: [(cores: [Int], bands: Int)]) -> BandDeal {
    var first = 0
    return BandDeal(
      workers.enumerated().map { number, worker in
        defer { first += worker.bands }
        return Worker(number: number, cores: worker.cores, bands: Array(first..<first + worker.bands))
      })
  }

  private func bands(_ deal: BandDeal) -> [Int: [Int]] {
    Dictionary(uniqueKeysWithValues: deal.workers.map { ($0.number, $0.bands) })
  }

  @Test func `bands share the cores of their worker, and each has one at least`() {
    let few = deal([([4, 5, 6, 7, 8], 2)])
    #expect(few.cores(of: 0) == [4, 5, 6] && few.cores(of: 1) == [7, 8])
    let many = deal([([4, 5], 5)])
    #expect((0..<5).map(many.cores) == [[4], [5], [4], [5], [4]])
  }

  @Test func `a worker that is added takes as many bands as make all alike, and no more change hands`() throws {
    var deal = deal([([0], 4)])
    let moves = try deal.apply(.add(1, cores: nil), usable: [0, 1])
    #expect(bands(deal) == [0: [0, 1], 1: [2, 3]] && deal.workers[1].cores == [1])
    #expect(moves == [Move(band: 2, from: 0, to: 1), Move(band: 3, from: 0, to: 1)])
    // One with three times the cores takes three times the bands.
    var wide = self.deal([([0], 8)])
    _ = try wide.apply(.add(1, cores: [5, 6, 7]), usable: Array(0..<8))
    #expect(bands(wide) == [0: [0, 1], 1: [2, 3, 4, 5, 6, 7]])
  }

  @Test func `a worker that is drained leaves its bands to all others evenly, and its number to nobody`() throws {
    var deal = deal([([0], 3), ([1], 3), ([2], 3), ([3], 3)])
    let moves = try deal.apply(.drain(1), usable: [])
    #expect(deal.workers.map(\.number) == [0, 2, 3] && deal.workers.map(\.bands.count) == [4, 4, 4])
    #expect(moves.map(\.band) == [3, 4, 5] && moves.allSatisfy { $0.from == 1 })
    _ = try deal.apply(.set(4), usable: [0, 1, 2, 3])
    #expect(deal.workers.map(\.number) == [0, 2, 3, 4] && deal.workers.map(\.bands.count) == [3, 3, 3, 3])
    #expect(deal.workers[3].cores == [1])
    _ = try deal.apply(.set(1), usable: [])
    #expect(bands(deal) == [0: Array(0..<12)])
  }

  @Test func `what cannot be had is refused in a sentence, and nothing changes`() {
    let refusals: [(BandDeal.Change, String)] = [
      (.set(0), "--set 0 leaves none"), (.add(0, cores: nil), "adds no worker"),
      (.add(.max, cores: nil), "the run has 4 bands"), (.set(.max), "the run has 4 bands"),
      (.drain(7), "there is no worker 7: 0, 1"), (.add(3, cores: nil), "the run has 4 bands, so of 5 workers"),
      (.add(1, cores: [0]), "core 0 is a worker's already"),
      (.add(1, cores: [9]), "core 9 is none that the run may use: 0-3"),
      (.add(2, cores: [2]), "--cores names 1"), (.set(4), "there are 1"),
    ]
    let before = deal([([0], 2), ([1], 2)])
    for (change, words) in refusals {
      var deal = before
      let failure = #expect(throws: ScanFailure.self, "\(change)") {
        // Core 2 is kept for acquisition where nobody names it.
        try deal.apply(change, usable: [0, 1, 2, 3], reserved: [2])
      }
      #expect(failure?.description.contains(words) == true, "\(change): \(failure?.description ?? "")")
      #expect(deal == before)
    }
    var alone = deal([([0], 2)])
    #expect(throws: ScanFailure.self) { try alone.apply(.drain(0), usable: []) }
  }

  @Test func `a band that cannot live where it is changes places, and is not brought back`() throws {
    var two = deal([([0], 1), ([1], 1)])
    #expect(two.evict(0) == [Move(band: 0, from: 0, to: 1), Move(band: 1, from: 1, to: 0)])
    #expect(bands(two) == [0: [1], 1: [0]])
    #expect(two.evict(0) == [])
    var many = deal([([0], 2), ([1], 2), ([2], 2)])
    _ = many.evict(1)
    #expect(many.worker(of: 1) != 0 && many.workers.map(\.bands.count) == [2, 2, 2])
    // Whatever else is asked for.
    _ = try many.apply(.set(2), usable: [])
    _ = try many.apply(.set(3), usable: [0, 1, 2])
    #expect(many.worker(of: 1) != 0)
    var alone = deal([([0, 1], 3)])
    #expect(alone.evict(2) == [] && alone.worker(of: 2) == 0)
  }

  @Test func `the slowest worker gives a band to the fastest one, where that makes an update shorter`() {
    var uneven = deal([([0], 4), ([1], 4)])
    #expect(uneven.balance(Array(repeating: 1.2, count: 4) + Array(repeating: 1, count: 4)) == nil)
    #expect(
      uneven.balance(Array(repeating: 2, count: 4) + Array(repeating: 1, count: 4)) == Move(band: 3, from: 0, to: 1))
    // With two for one, 1.4 s would become 1.5 s.
    var few = deal([([0], 2), ([1], 2)])
    #expect(few.balance([1.4, 1.4, 1, 1]) == nil)
    // A band that has nothing to do any more is nobody's work, and a worker keeps its last one.
    #expect(few.balance([9, nil, 1, 1]) == nil && few.balance([nil, nil, 1, 1]) == nil)
    #expect(few.balance([9, 9, 1, 1]) == Move(band: 1, from: 0, to: 1))
  }

  @Test func `whatever is asked for, each band has one worker, and none has two more on a core than it must`() {
    let seed: UInt64 = 20_261_202
    var random = SplitMix64(seed: seed)
    for round in 0..<200 {
      let usable = Array(0..<Int.random(in: 1...12, using: &random)), count = Int.random(in: 1...31, using: &random)
      var deal = BandDeal([Worker(number: 0, cores: [0], bands: Array(0..<count))])
      for _ in 0..<30 {
        let number = Int.random(in: 0...6, using: &random)
        switch Int.random(in: 0..<5, using: &random) {
        case 0: _ = try? deal.apply(.set(number), usable: usable)
        case 1: _ = try? deal.apply(.add(number, cores: nil), usable: usable)
        case 2: _ = try? deal.apply(.drain(deal.workers.randomElement(using: &random)?.number ?? 0), usable: usable)
        case 3: _ = try? deal.apply(.add(1, cores: [number, number + 1]), usable: usable)
        default: _ = deal.balance((0..<count).map { _ in Double.random(in: 1...3, using: &random) })
        }
        let cores = deal.workers.flatMap(\.cores)
        #expect(deal.workers.flatMap(\.bands).sorted() == Array(0..<count), "seed \(seed), round \(round)")
        #expect(Set(cores).count == cores.count && Set(deal.workers.map(\.number)).count == deal.workers.count)
        #expect((0..<count).allSatisfy { !deal.cores(of: $0).isEmpty })
      }
      guard (try? deal.apply(.set(1), usable: usable)) != nil, usable.count > 1, count > 1,
        (try? deal.apply(.set(2), usable: usable)) != nil
      else { continue }
      // The first worker's cores are fewer or more than the second's.
      let loads = deal.workers.map { Double($0.bands.count) / Double($0.cores.count) }
      let step = 1 / Double(deal.workers.map(\.cores.count).min() ?? 1)
      #expect(abs(loads[0] - loads[1]) <= step + 1e-9, "seed \(seed), round \(round): \(deal)")
    }
  }

  @Test func `cores are written and read as lists of ranges`() {
    for (text, cores) in [("0", [0]), ("0-3,8", [0, 1, 2, 3, 8]), ("5-6,9-9", [5, 6, 9])] {
      #expect(CoreList(parsing: text)?.cores == cores)
    }
    #expect(CoreList([9, 5, 6, 5]).description == "5-6,9" && CoreList([]).description == "")
    for text in ["", "a", "1,", "3-1", "1-2-3", "-1", "0-1024", "99999999999999999999"] {
      #expect(CoreList(parsing: text) == nil, "\(text)")
    }
  }
}
