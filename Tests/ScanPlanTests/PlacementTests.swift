import Host
import Testing

@testable import ScanPlan

@Suite struct PlacementTests {
  /// Nodes of equal size, cores numbered one node after the other.
  private func topology(_ nodes: Int, cores: Int) -> Topology {
    Topology(
      nodes: (0..<nodes).map { node in
        NUMANode(id: node, cores: Array(node * cores..<(node + 1) * cores), memoryByteCount: 64 << 30)
      })
  }

  /// What every placement must keep.
  private func check(_ placement: Placement, _ topology: Topology, rows: Int) {
    #expect(placement.workers.first?.rows.lowerBound == 0 && placement.workers.last?.rows.upperBound == rows)
    for (above, below) in zip(placement.workers, placement.workers.dropFirst()) {
      #expect(above.rows.upperBound == below.rows.lowerBound)
      #expect(abs(above.rows.count - below.rows.count) <= 1)
    }
    for worker in placement.workers {
      let node = topology.nodes.first { $0.id == worker.node }
      #expect(!worker.cores.isEmpty && worker.threads >= 1)
      #expect(worker.cores.allSatisfy { node?.cores.contains($0) == true }, "\(worker) has cores of another node")
    }
  }

  @Test(arguments: [1, 2, 4, 8]) func `Each node gets one worker with all its free cores`(nodes: Int) {
    let topology = topology(nodes, cores: 16)
    let placement = Placement.plan(topology: topology, rows: 1000)
    check(placement, topology, rows: 1000)
    #expect(placement.workers.map(\.node) == Array(0..<nodes))
    #expect(placement.workers.map(\.cores.count) == [14] + Array(repeating: 16, count: nodes - 1))
    #expect(placement.serviceCores == [0, 1] && placement.serviceNode == 0)
    #expect(placement.workers.allSatisfy { Set($0.cores).isDisjoint(with: placement.serviceCores) })
  }

  @Test(arguments: [1, 63, 64, 65, 128, 1000], [1, 2, 3, 20]) func `Rows that belong together have one worker`(
    rows: Int, workers: Int
  ) {
    let placement = Placement.plan(topology: topology(2, cores: 6), rows: rows, workers: workers, alignment: 64)
    #expect(placement.workers.count == min(workers, (rows + 63) / 64))
    #expect(placement.workers.flatMap { Array($0.rows) } == Array(0..<rows))
    #expect(placement.workers.allSatisfy { $0.rows.lowerBound % 64 == 0 })
  }

  @Test(arguments: [1, 2, 4, 8], [1, 2, 3, 5, 8, 13])
  func `Any number of workers fits on any number of nodes`(nodes: Int, workers: Int) {
    let topology = topology(nodes, cores: 6)
    let placement = Placement.plan(topology: topology, rows: 100, workers: workers)
    check(placement, topology, rows: 100)
    #expect(placement.workers.count == workers)
    // Nobody shares a core while there are enough.
    for node in topology.nodes {
      let here = placement.workers.filter { $0.node == node.id }
      let free = Set(node.cores).subtracting(nodes * 6 >= 8 ? placement.serviceCores : [])
      if here.count <= free.count { #expect(here.flatMap(\.cores).count == Set(here.flatMap(\.cores)).count) }
    }
  }

  @Test(arguments: [1024, 1500, 2160, 5000], [1, 2, 3, 4, 7])
  func `Workers with many rows share no band of an image`(rows: Int, workers: Int) {
    let placement = Placement.plan(topology: topology(2, cores: 8), rows: rows, workers: workers)
    #expect(placement.workers.first?.rows.lowerBound == 0 && placement.workers.last?.rows.upperBound == rows)
    for (above, below) in zip(placement.workers, placement.workers.dropFirst()) {
      #expect(above.rows.upperBound == below.rows.lowerBound)
      if rows / workers >= 512 { #expect(below.rows.lowerBound % 64 == 0) }
    }
    let counts = placement.workers.map(\.rows.count)
    #expect(counts.allSatisfy { abs($0 - rows / workers) <= (rows / workers >= 512 ? 64 : 1) }, "\(counts)")
  }

  @Test func `Two cores are shared by everybody`() {
    let topology = topology(1, cores: 2)
    let placement = Placement.plan(topology: topology, rows: 7)
    #expect(placement.workers == [.init(rows: 0..<7, node: 0, cores: [0, 1], threads: 2)])
    #expect(placement.serviceCores == [0, 1])
  }

  @Test func `A fast detector has cores that no worker uses, as many as taking its images needs`() {
    // 0.34 ms of a core for each of 2,000 images of 256 × 1024 × 2 B.
    let fast = 2000.0 * 256 * 1024 * 2
    let two = Placement.plan(topology: topology(1, cores: 2), rows: 7, bytesPerSecond: fast)
    #expect(two.workers == [.init(rows: 0..<7, node: 0, cores: [1], threads: 1)] && two.serviceCores == [0, 1])
    // Half as many leave the cores to the workers, and a single core is everybody's.
    #expect(
      Placement.plan(topology: topology(1, cores: 2), rows: 7, bytesPerSecond: fast / 2).workers[0].cores == [0, 1])
    #expect(Placement.plan(topology: topology(1, cores: 1), rows: 7, bytesPerSecond: fast).workers[0].cores == [0])
    #expect(Placement.plan(topology: topology(1, cores: 4), rows: 7, bytesPerSecond: 1e12).workers[0].cores == [2, 3])
    // More cores than acquisition has use for are never taken from the workers.
    for rate in [4 * fast, 1e15] {
      let many = Placement.plan(topology: topology(2, cores: 16), rows: 100, bytesPerSecond: rate)
      #expect(many.serviceCores == [0, 1, 2] && many.workers.map(\.cores.count) == [13, 16])
    }
    #expect(Placement.plan(topology: topology(2, cores: 16), rows: 100, bytesPerSecond: fast).serviceCores == [0, 1])
  }

  @Test func `More workers than cores take turns, and there are never more workers than rows`() {
    let topology = topology(1, cores: 2)
    let placement = Placement.plan(topology: topology, rows: 3, workers: 5)
    check(placement, topology, rows: 3)
    #expect(placement.workers.map(\.cores) == [[0], [1], [0]])
    #expect(placement.workers.count == 3)
  }

  @Test func `Threads can be given, and nodes without cores or with gaps in their numbers are no problem`() {
    let topology = Topology(nodes: [
      NUMANode(id: 0, cores: [], memoryByteCount: 1 << 30),
      NUMANode(id: 3, cores: [9, 4, 7], memoryByteCount: 1 << 30),
    ])
    let placement = Placement.plan(topology: topology, rows: 10, threads: 5)
    #expect(placement.workers == [.init(rows: 0..<10, node: 3, cores: [4, 7, 9], threads: 5)])
    #expect(placement.serviceNode == 3)
  }

  @Test func `Cores of workers that have nothing to do are dealt out to those that have`() {
    let cores = [[0, 1], [2, 3], [4, 5], [6, 7]]
    var placement = Placement(
      workers: cores.enumerated().map {
        Placement.Worker(rows: $0.offset..<$0.offset + 1, node: 0, cores: $0.element, threads: 2)
      }, serviceCores: [0], serviceNode: 0)
    func dealt(_ worker: Int, idle: Set<Int>) -> [Int] { placement.idleCores(for: worker, idle: idle.contains) }
    #expect(dealt(0, idle: []) == [])
    #expect((0..<4).map { dealt($0, idle: [1]) } == [[2], [], [3], []])
    #expect((0..<4).map { dealt($0, idle: [0, 1, 3]) } == [[], [], [0, 1, 2, 3, 6, 7], []])
    // No more than it had threads for, and none that somebody works on.
    placement.workers[1].threads = 1
    #expect(dealt(2, idle: [0, 1, 3]) == [0, 1, 2, 6, 7])
    placement.workers[3].cores = [4, 5]
    #expect(dealt(2, idle: [3]) == [])
  }
}
