import Host

/// Which worker makes which bands, and on which cores: what a run begins with, and what becomes of it as workers come
/// and go and bands change hands. A worker is a set of cores and of bands; each band has a process of its own there, so
/// what kills one harms no other. Nothing in the bits of a volume depends on it.
///
/// A pure value: the same changes make the same deal.
package struct BandDeal: Equatable, Sendable {
  /// Cores, and the bands that are made on them.
  package struct Worker: Equatable, Sendable {
    /// Its number, which no later worker gets.
    package let number: Int
    /// Its cores; at least one.
    package let cores: [Int]
    /// Its bands, ascending; may be none.
    package fileprivate(set) var bands: [Int]

    /// A worker as given.
    package init(number: Int, cores: [Int], bands: [Int]) {
      precondition(!cores.isEmpty, "a worker needs a core")
      (self.number, self.cores, self.bands) = (number, cores, bands)
    }

    /// Whether with so many bands it has less on a core than the other one has.
    fileprivate func hasLess(with count: Int, than other: Worker) -> Bool {
      count * other.cores.count < other.bands.count * cores.count
    }

    /// The cores of one of its bands: a share of them, or one that others share.
    fileprivate func cores(of place: Int) -> [Int] {
      guard bands.count < cores.count else { return [cores[place % cores.count]] }
      return Array(cores[balancedRanges(cores.count, parts: bands.count)[place]])
    }
  }

  /// What a person can ask for.
  package enum Change: Equatable, Sendable {
    /// So many workers in all: the newest ones go, or workers come on free cores.
    case set(Int)
    /// So many more, on these cores or on free ones.
    case add(Int, cores: [Int]?)
    /// One less: the worker of this number.
    case drain(Int)
  }

  /// A band that changes hands.
  package struct Move: Equatable, Sendable {
    /// The band.
    package let band: Int
    /// Who had it.
    package let from: Int
    /// Who has it now.
    package let to: Int
  }

  /// The workers, by ascending number; at least one.
  package private(set) var workers: [Worker]
  private var next: Int
  /// Workers on whose cores a band could not live.
  private var barred: [Int: Set<Int>] = [:]

  /// Workers as given.
  package init(_ workers: [Worker]) {
    precondition(!workers.isEmpty, "a deal without workers")
    self.workers = workers.sorted { $0.number < $1.number }
    next = (self.workers.last?.number ?? 0) + 1
  }

  /// What a run begins with.
  package init(_ placement: Placement) {
    var cores: [Int: [Int]] = [:], bands: [Int: [Int]] = [:]
    for (band, place) in placement.workers.enumerated() {
      let number = place.worker ?? band
      bands[number, default: []].append(band)
      let own = place.worker == nil ? Array(place.cores.prefix(place.threads)) : place.cores
      cores[number, default: []] += own.filter { cores[number]?.contains($0) != true }
    }
    self.init(bands.map { Worker(number: $0, cores: cores[$0] ?? [], bands: $1) })
  }

  /// Bands of the run.
  package var bandCount: Int { workers.reduce(0) { $0 + $1.bands.count } }

  /// The worker that makes a band.
  package func worker(of band: Int) -> Int { workers[index(of: band)].number }

  /// The cores on which a band is made.
  package func cores(of band: Int) -> [Int] {
    let worker = workers[index(of: band)]
    guard let place = worker.bands.firstIndex(of: band) else { preconditionFailure("nobody makes band \(band)") }
    return worker.cores(of: place)
  }

  private func index(of band: Int) -> Int {
    guard let index = workers.firstIndex(where: { $0.bands.contains(band) }) else {
      preconditionFailure("nobody makes band \(band)")
    }
    return index
  }

  /// Does what a person asked for; `usable` are the cores that a new worker may have, `reserved` those among them that
  /// it has only where they are named. Gives the bands that changed hands.
  /// - Throws: `.usage` for what cannot be had; then nothing has changed.
  package mutating func apply(_ change: Change, usable: [Int], reserved: [Int] = []) throws(ScanFailure) -> [Move] {
    let before = self
    switch change {
    case .set(let count) where count < 1:
      throw ScanFailure(.usage, "a run needs a worker, and --set \(count) leaves none")
    case .set(let count) where count < workers.count:
      for worker in workers[count...] { try drain(worker.number) }
    case .set(let count): try add(count - workers.count, nil, usable, reserved)
    case .add(let count, _) where count < 1: throw ScanFailure(.usage, "--add \(count) adds no worker")
    case .add(let count, let cores): try add(count, cores, usable, reserved)
    case .drain(let number): try drain(number)
    }
    return moves(since: before)
  }

  private mutating func add(
    _ count: Int, _ named: [Int]?, _ usable: [Int], _ reserved: [Int]
  ) throws(ScanFailure) {
    guard count > 0 else { return }
    // A person may ask for as many as a number can be.
    guard count <= bandCount - workers.count else {
      let all = workers.count + min(count, .max - workers.count)
      throw ScanFailure(
        .usage,
        "the run has \(counted(bandCount, "band")), so of \(all) workers some would have no work; "
          + "--bands cuts the rows of a run into more")
    }
    let taken = Set(workers.flatMap(\.cores))
    if let wrong = named?.first(where: { !usable.contains($0) }) {
      throw ScanFailure(.usage, "core \(wrong) is none that the run may use: \(CoreList(usable))")
    }
    if let wrong = named?.first(where: taken.contains) {
      throw ScanFailure(.usage, "core \(wrong) is a worker's already; drain that one first")
    }
    let free = named.map { Array(Set($0)).sorted() } ?? usable.filter { !taken.contains($0) && !reserved.contains($0) }
    guard free.count >= count else {
      throw ScanFailure(
        .usage,
        named == nil
          ? "each worker needs a free core: \(count) are asked for, and there are \(free.count); name some with "
            + "--cores, or drain a worker first"
          : "each worker needs a core: \(count) are asked for, and --cores names \(free.count)")
    }
    // As many for each as workers have, where nobody said which.
    let usual = max(1, workers.reduce(0) { $0 + $1.cores.count } / workers.count)
    let given = named == nil ? Array(free.prefix(usual * count)) : free
    for share in balancedRanges(given.count, parts: count) {
      workers.append(Worker(number: next, cores: Array(given[share]), bands: []))
      next += 1
    }
    level()
  }

  private mutating func drain(_ number: Int) throws(ScanFailure) {
    guard let index = workers.firstIndex(where: { $0.number == number }) else {
      let all = workers.map { "\($0.number)" }.joined(separator: ", ")
      throw ScanFailure(.usage, "there is no worker \(number): \(all)")
    }
    guard workers.count > 1 else {
      throw ScanFailure(.usage, "worker \(number) is the only one: nobody would make its bands")
    }
    let leaving = workers.remove(at: index)
    for band in leaving.bands {
      guard let taker = taker(of: band) ?? workers.indices.first else { preconditionFailure("a deal without workers") }
      give(band, to: taker)
    }
    level()
  }

  /// The worker with the least work that may make a band, by its place.
  private func taker(of band: Int) -> Int? {
    let able = workers.indices.filter { barred[band]?.contains(workers[$0].number) != true }
    return able.min { first, second in
      (workers[first].bands.count + 1) * workers[second].cores.count
        < (workers[second].bands.count + 1) * workers[first].cores.count
    }
  }

  private mutating func give(_ band: Int, to taker: Int) {
    for index in workers.indices { workers[index].bands.removeAll { $0 == band } }
    workers[taker].bands = (workers[taker].bands + [band]).sorted()
  }

  /// Moves bands from workers with many on a core to those with few, as long as that makes the difference smaller.
  private mutating func level(keeping kept: Int? = nil) {
    // Each move lowers the larger load of two workers; there are never more moves than bands.
    for _ in 0..<bandCount {
      guard let (band, taker) = unevenBand(keeping: kept) else { return }
      give(band, to: taker)
    }
  }

  /// A band whose worker has more on a core than another one has with it; nil where all have alike.
  private func unevenBand(keeping kept: Int?) -> (band: Int, taker: Int)? {
    let givers = workers.sorted { $1.hasLess(with: $1.bands.count, than: $0) }
    for giver in givers {
      for band in giver.bands.reversed() where band != kept {
        guard let taker = taker(of: band), workers[taker].number != giver.number,
          workers[taker].hasLess(with: workers[taker].bands.count + 1, than: giver)
        else { continue }
        return (band, taker)
      }
    }
    return nil
  }

  /// Takes a band to the worker with the least work, away from cores on which it could not live, and evens out the
  /// others. Gives the bands that changed hands; none where no other worker has cores of its own.
  package mutating func evict(_ band: Int) -> [Move] {
    let before = self, giver = workers[index(of: band)]
    barred[band, default: []].insert(giver.number)
    guard let taker = taker(of: band), !Set(workers[taker].cores).isSubset(of: giver.cores) else {
      self = before
      return []
    }
    give(band, to: taker)
    level(keeping: band)
    return moves(since: before)
  }

  /// From so much on the slowest worker gives a band to the fastest one.
  private static let slowness = 1.25

  /// Moves a band from the slowest worker to the fastest one, where that shortens what the slowest takes. `seconds` are
  /// those of an update of each band, nil of one that has nothing more to do.
  package mutating func balance(_ seconds: [Double?]) -> Move? {
    let times = workers.indices.compactMap { index -> (index: Int, bands: [Int], seconds: Double)? in
      let bands = workers[index].bands.filter { seconds.indices.contains($0) && seconds[$0] != nil }
      return bands.compactMap { seconds[$0] }.max().map { (index, bands, $0) }
    }
    guard let slow = times.max(by: { $0.seconds < $1.seconds }), let fast = times.min(by: { $0.seconds < $1.seconds }),
      slow.bands.count > 1, slow.seconds > Self.slowness * fast.seconds
    else { return nil }
    // What it takes with one more on the same cores.
    let after = fast.seconds * Double(fast.bands.count + 1) / Double(fast.bands.count)
    let (from, to) = (workers[slow.index].number, workers[fast.index].number)
    guard after < slow.seconds, let band = slow.bands.last(where: { barred[$0]?.contains(to) != true }) else {
      return nil
    }
    give(band, to: fast.index)
    return Move(band: band, from: from, to: to)
  }

  private func moves(since before: BandDeal) -> [Move] {
    before.workers.flatMap { worker in worker.bands.map { ($0, worker.number) } }.sorted { $0.0 < $1.0 }
      .compactMap { band, from in
        let to = self.worker(of: band)
        return from == to ? nil : Move(band: band, from: from, to: to)
      }
  }
}
