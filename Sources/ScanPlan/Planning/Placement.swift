import Host
import Rings

/// Which worker computes which rows, on which cores, with its memory on which NUMA node.
package struct Placement: Codable, Equatable, Sendable {
  /// One reconstruction process.
  package struct Worker: Codable, Equatable, Sendable {
    /// Its rows of every projection.
    package var rows: Range<Int>
    /// Its NUMA node; its volume and its rings lie there.
    package var node: Int
    /// The cores its threads are pinned to.
    package var cores: [Int]
    /// Threads, at least one.
    var threads: Int
    /// Of a band, the worker that makes it at first; nil where bands and workers are the same.
    var worker: Int?

    /// A worker as given.
    init(rows: Range<Int>, node: Int, cores: [Int], threads: Int, worker: Int? = nil) {
      self.rows = rows
      self.node = node
      self.cores = cores
      self.threads = threads
      self.worker = worker
    }
  }

  /// One for each partition: for each worker, or where rows are cut into more bands than that, for each band.
  package var workers: [Worker]
  /// Cores for acquire, distribute and export; the node of the first one holds the projections.
  package var serviceCores: [Int]
  /// The NUMA node of the projections.
  package var serviceNode: Int
  /// Threads that the process of a band may come to have; nil where there are none.
  var threadsMax: Int?

  /// From this many cores on, `reservedCores` of the first node are kept free of workers, so that acquisition never
  /// waits for a core.
  static let reservationMinimum = 8
  static let reservedCores = 2
  /// Processor time of acquire and distribute for a byte of a live stream: 0.34 ms for an image of 256 × 1024 × 2 B,
  /// measured on Xeon cores.
  static let acquisitionSecondsPerByte = 0.65e-9
  /// From this many cores' worth of acquisition on, workers leave it cores on a small machine too.
  static let acquisitionMinimum = 0.5
  /// Cores that acquisition can use: it has few threads, whatever the rate.
  static let acquisitionMaximum = 3.0

  /// Places `workers` (default: one a node) of `threads` (default: one a core) for a detector of `rows` that delivers
  /// so many bytes a second, as far as that is known.
  ///
  /// Workers fill the nodes in order and share a node's cores evenly; rows are split evenly too, at multiples of
  /// `alignment` rows, and where each worker has many at bands of images (`EventBands`), so that nobody reads another's
  /// rows. There are no more workers than that takes. With `bands` the rows are cut into so many, which follow each
  /// other and are dealt out evenly; then a worker has a thread a core. A pure function: the same arguments give the
  /// same placement.
  static func plan(
    topology: Topology, rows: Int, workers requested: Int? = nil, threads: Int? = nil, bands: BandCount? = nil,
    alignment: Int = 1, bytesPerSecond: Double = 0
  )
    -> Placement
  {
    let nodes = topology.nodes.filter { !$0.cores.isEmpty }
    precondition(!nodes.isEmpty && rows > 0, "no cores or no rows")
    precondition((requested ?? 1) > 0 && (threads ?? 1) > 0, "no workers or no threads")
    var free = nodes.map { $0.cores.sorted() }
    let first = nodes[0].cores.sorted()
    var service = first
    // A worker thread of each core, and the machine's disk and network wait for a core as well as acquire does: a fast
    // detector needs one that is free at once. Of few cores acquire and the others may use all.
    let acquisition = bytesPerSecond * acquisitionSecondsPerByte
    let needed =
      acquisition < acquisitionMinimum
      ? 0 : min(Int(min(acquisition, acquisitionMaximum).rounded(.up)), first.count / 2)
    if free.reduce(0, { $0 + $1.count }) >= reservationMinimum, first.count > max(reservedCores, needed) {
      service = Array(first.prefix(max(reservedCores, needed)))
      free[0].removeFirst(service.count)
    } else {
      free[0].removeFirst(needed)
    }
    let wanted = min(requested ?? nodes.count, (rows + alignment - 1) / alignment)
    let all = nodes.reduce(0) { $0 + $1.cores.count }
    let cut = bands?.count(
      rows: rows, workers: wanted, cores: max(1, free.reduce(0) { $0 + $1.count }), alignment: alignment)
    let count = min(wanted, cut ?? wanted)
    let places = (0..<count).map { worker in
      let node = worker * nodes.count / count
      return cores(
        of: worker, amongst: (0..<count).filter { $0 * nodes.count / count == node }, node: node, free: free[node])
    }
    if let cut {
      return banded(
        rowRanges(rows, workers: cut, alignment: alignment),
        places.map { (nodes[$0.node].id, Array($0.cores.prefix(threads ?? $0.cores.count))) }, service, nodes[0].id, all
      )
    }
    let split = rowRanges(rows, workers: count, alignment: alignment)
    return Placement(
      workers: places.enumerated().map { worker, place in
        Worker(
          rows: split[worker], node: nodes[place.node].id, cores: place.cores, threads: threads ?? place.cores.count)
      }, serviceCores: service, serviceNode: nodes[0].id)
  }

  /// Bands of these rows, dealt out to workers that have these cores.
  private static func banded(
    _ rows: [Range<Int>], _ workers: [(node: Int, cores: [Int])], _ service: [Int], _ serviceNode: Int, _ cores: Int
  ) -> Placement {
    let shares = balancedRanges(rows.count, parts: workers.count)
    let deal = BandDeal(
      zip(workers, shares).enumerated().map { BandDeal.Worker(number: $0, cores: $1.0.cores, bands: Array($1.1)) })
    var placement = Placement(
      workers: rows.enumerated().map { band, rows in
        let own = deal.cores(of: band), worker = deal.worker(of: band)
        return Worker(rows: rows, node: workers[worker].node, cores: own, threads: own.count, worker: worker)
      }, serviceCores: service, serviceNode: serviceNode)
    placement.threadsMax = cores
    return placement
  }

  /// The same where some have other cores now, and a thread on each; nil for one that has its own.
  package func dealt(_ cores: (Int) -> [Int]?) -> Placement {
    var placement = self
    for index in workers.indices {
      guard let cores = cores(index) else { continue }
      (placement.workers[index].cores, placement.workers[index].threads) = (cores, cores.count)
    }
    return placement
  }

  /// Cores that workers leave to acquisition: those of the first node before the first worker's.
  package var keptCores: [Int] {
    let first = workers[0].cores.min() ?? 0
    return serviceCores.filter { $0 < first }
  }

  /// Those of `cores` that no worker has at first, and that are not left to acquisition.
  func spareCores(of cores: [Int]) -> [Int] {
    Set(cores).subtracting(workers.flatMap(\.cores)).subtracting(keptCores).sorted()
  }

  /// Threads for which the process of a partition has memory.
  func threadsOfMemory(_ partition: Int) -> Int { max(workers[partition].threads, threadsMax ?? 1) }

  /// The share of a worker that has work in the cores of those that have none: each leaves as many as it had threads,
  /// and they are dealt out in turn. A core that a worker with work has anyway is not among them.
  package func idleCores(for worker: Int, idle isIdle: (Int) -> Bool) -> [Int] {
    let working = workers.indices.filter { !isIdle($0) }
    guard let place = working.firstIndex(of: worker) else { return [] }
    let taken = Set(working.flatMap { workers[$0].cores })
    let left = workers.indices.filter(isIdle).flatMap { workers[$0].cores.prefix(workers[$0].threads) }
    let free = Set(left).subtracting(taken).sorted()
    return stride(from: place, to: free.count, by: working.count).map { free[$0] }
  }

  /// The share of `free` that belongs to `worker` among the workers of its node; with more workers than cores they take
  /// turns.
  private static func cores(of worker: Int, amongst peers: [Int], node: Int, free: [Int]) -> (node: Int, cores: [Int]) {
    let position = worker - peers[0]
    let share = balancedRanges(free.count, parts: peers.count)[position]
    return (node, share.isEmpty ? [free[position % free.count]] : Array(free[share]))
  }
}

/// The rows of each worker, which begin at multiples of `alignment`. Where that is 1: from this many bands a worker on,
/// an eighth of them at most is more than an even share.
private func rowRanges(_ rows: Int, workers: Int, alignment: Int) -> [Range<Int>] {
  if alignment > 1 {
    return balancedRanges((rows + alignment - 1) / alignment, parts: workers).map {
      $0.lowerBound * alignment..<min(rows, $0.upperBound * alignment)
    }
  }
  let even = balancedRanges(rows, parts: workers), band = EventBands.rowsMin
  guard rows / workers >= 8 * band else { return even }
  let edges = even.dropFirst().map { ($0.lowerBound + band / 2) / band * band } + [rows]
  return zip([0] + edges, edges).map { $0..<$1 }
}

/// Splits `0..<count` into `parts` ranges that differ by at most one in length, the longer ones first.
func balancedRanges(_ count: Int, parts: Int) -> [Range<Int>] {
  precondition(count >= 0 && parts > 0, "\(count) into \(parts) parts")
  var start = 0
  return (0..<parts).map { part in
    let length = count / parts + (part < count % parts ? 1 : 0)
    defer { start += length }
    return start..<start + length
  }
}
