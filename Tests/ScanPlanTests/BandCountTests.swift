import Host
import Testing

@testable import ScanPlan

@Suite struct BandCountTests {
  private func topology(_ nodes: Int, cores: Int) -> Topology {
    Topology(
      nodes: (0..<nodes).map { node in
        NUMANode(id: node, cores: Array(node * cores..<(node + 1) * cores), memoryByteCount: 64 << 30)
      })
  }

  @Test(arguments: [
    (rows: 10, cores: 2, bands: 1), (64, 2, 2), (128, 2, 4), (200, 2, 4), (400, 2, 6), (512, 2, 8), (2048, 2, 8),
    (2048, 8, 24), (2048, 64, 31), (20, 64, 1),
  ]) func `bands have 32 to 64 rows where there are enough, and there are not many for each core`(
    rows: Int, cores: Int, bands: Int
  ) {
    #expect(BandCount.auto.count(rows: rows, workers: 1, cores: cores, alignment: 1) == bands)
  }

  @Test func `a number of bands is what was asked for, and never more than there are rows to cut`() {
    #expect(BandCount.number(7).count(rows: 100, workers: 2, cores: 2, alignment: 1) == 7)
    #expect(BandCount.number(7).count(rows: 3, workers: 2, cores: 2, alignment: 1) == 3)
    #expect(BandCount.number(7).count(rows: 100, workers: 2, cores: 2, alignment: 64) == 2)
    #expect(BandCount(scanText: "32") == nil && BandCount(scanText: "0") == nil && BandCount(scanText: "x") == nil)
    #expect(BandCount(scanText: "auto") == .auto && BandCount(scanText: "31") == .number(31))
  }

  @Test(arguments: [(nodes: 1, workers: 1), (1, 3), (2, 1), (2, 2), (2, 3), (4, 3)], [1, 4, 5, 31])
  func `bands are cut from all rows and dealt out to the workers evenly`(
    machine: (nodes: Int, workers: Int), bands: Int
  ) {
    let (nodes, workers) = machine
    let topology = topology(nodes, cores: 6)
    let placement = Placement.plan(topology: topology, rows: 100, workers: workers, bands: .number(bands))
    let plain = Placement.plan(topology: topology, rows: 100, workers: min(workers, bands))
    #expect(placement.workers.count == bands && placement.workers.flatMap { Array($0.rows) } == Array(0..<100))
    let deal = BandDeal(placement)
    #expect(deal.workers.map(\.number) == Array(0..<min(workers, bands)))
    let counts = deal.workers.map(\.bands.count)
    #expect((counts.max() ?? 0) - (counts.min() ?? 0) <= 1)
    for (worker, place) in zip(deal.workers, plain.workers) {
      #expect(worker.cores.sorted() == place.cores)
      #expect(worker.bands.allSatisfy { placement.workers[$0].node == place.node })
    }
    // A band's process can come to have every core.
    #expect(placement.threadsMax == nodes * 6)
  }

  @Test func `a run without bands has a worker for each partition, and no other memory than before`() {
    let placement = Placement.plan(topology: topology(1, cores: 4), rows: 100, workers: 2, threads: 1)
    #expect(placement.threadsMax == nil && placement.workers.allSatisfy { $0.worker == nil })
    let deal = BandDeal(placement)
    #expect(deal.workers.map(\.cores) == [[0], [2]] && deal.workers.map(\.bands) == [[0], [1]])
    #expect(placement.threadsOfMemory(0) == 1)
  }

  @Test func `one thread a worker is one core, and others may be added`() {
    let placement = Placement.plan(
      topology: topology(1, cores: 2), rows: 100, workers: 1, threads: 1, bands: .number(4))
    #expect(placement.workers.map(\.cores) == Array(repeating: [0], count: 4) && placement.threadsMax == 2)
    let dealt = placement.dealt { $0 == 3 ? [1] : nil }
    #expect(dealt.workers.map(\.cores) == [[0], [0], [0], [1]])
    #expect(placement.keptCores.isEmpty && placement.spareCores(of: [0, 1, 7]) == [1, 7])
    // Band 3 has all of its core when the others have come to their ends.
    #expect(dealt.idleCores(for: 3) { $0 < 3 } == [0])
  }

  @Test(arguments: [(cores: 4, rate: 1e9, kept: 1), (4, 0, 0), (16, 1e9, 2), (16, 0, 2), (16, 5e9, 3)])
  func `cores that acquisition needs are nobody else's`(machine: (cores: Int, rate: Double, kept: Int)) {
    let placement = Placement.plan(
      topology: topology(2, cores: machine.cores / 2), rows: 100, workers: 1, threads: 1, bands: .number(4),
      bytesPerSecond: machine.rate)
    let kept = Array(0..<machine.kept)
    #expect(placement.keptCores == kept)
    #expect(placement.spareCores(of: Array(0..<machine.cores)) == Array(machine.kept + 1..<machine.cores))
  }
}
