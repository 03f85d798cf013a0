import RunModel
import ScanPlan

/// Who makes which bands at present, how long their updates take, and which band is to change hands.
struct BandKeeper {
  private(set) var deal: BandDeal
  /// Bands that changed hands so far.
  private(set) var moves = 0
  /// Whether bands are dealt out anew where that makes a run faster.
  let isElastic: Bool
  private var times: [BandTime]
  private var evicted: Set<Int> = []
  private var balanceDue: ContinuousClock.Instant?

  /// What is known of a band's updates since it has its cores.
  private struct BandTime {
    var seconds: Double?
    var seen = 0
    var update: Int?
  }

  /// A band changes hands once in so long at most, and not before each was seen to make so many updates where it is.
  private static let (balancePeriod, updatesMin) = (Duration.seconds(1), 4)
  /// What the newest update counts for.
  private static let share = 0.5

  /// What a run begins with; without bands that somebody asked for, none changes hands unasked.
  init(_ deal: BandDeal, isElastic: Bool) {
    (self.deal, self.isElastic) = (deal, isElastic)
    times = (0..<deal.bandCount).map { _ in BandTime() }
  }

  /// Takes note of each band's newest update while the scan runs; nil of one that made none, or comes to its end.
  mutating func note(_ updates: [(index: Int, seconds: Double)?]) {
    for (band, update) in updates.enumerated() {
      guard let update, update.index != times[band].update else { continue }
      times[band].update = update.index
      times[band].seen += 1
      // The first one may have begun elsewhere.
      guard times[band].seen > 1 else { continue }
      let before = times[band].seconds ?? update.seconds
      times[band].seconds = before + Self.share * (update.seconds - before)
    }
  }

  /// Does what a person asked for.
  mutating func apply(_ change: BandDeal.Change, usable: [Int], reserved: [Int]) throws(ScanFailure)
    -> [BandDeal.Move]
  {
    let made = try deal.apply(change, usable: usable, reserved: reserved)
    didMove(made.count)
    return made
  }

  /// Has a band that cannot live where it is made elsewhere, once; the bands that changed hands for that.
  mutating func evict(_ band: Int) -> [BandDeal.Move] {
    guard isElastic, evicted.insert(band).inserted else { return [] }
    let made = deal.evict(band)
    didMove(made.count)
    return made
  }

  /// The band that changes hands because its worker is slower than another one; nil for none now. `working` are those
  /// that still have updates to make.
  mutating func balance(working: (Int) -> Bool, at now: ContinuousClock.Instant) -> BandDeal.Move? {
    guard isElastic, balanceDue ?? now <= now else { return nil }
    let bands = times.indices.filter(working)
    guard !bands.isEmpty, bands.allSatisfy({ times[$0].seen > Self.updatesMin }) else { return nil }
    balanceDue = now + Self.balancePeriod
    guard let move = deal.balance(times.indices.map { working($0) ? times[$0].seconds : nil }) else { return nil }
    didMove(1)
    return move
  }

  private mutating func didMove(_ count: Int) {
    moves += count
    for band in times.indices { times[band] = BandTime(update: times[band].update) }
  }

  /// For people; `rows` are those of a band.
  func report(rows: (Int) -> RowRange) -> [WorkerStatus] {
    deal.workers.map { worker in
      WorkerStatus(
        number: worker.number, cores: worker.cores, bands: worker.bands, rows: worker.bands.map(rows),
        updateSeconds: worker.bands.compactMap { times[$0].seconds }.max())
    }
  }
}
