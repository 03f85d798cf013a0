import KernelTypes
import Testing

@testable import Tomography

@Suite struct AngularSpreadTests {
  /// Angles of scans that come in different orders, some through several half turns.
  private static let scans: [[Double]] = [
    (0..<180).map { Double($0) * .pi / 180 },
    AngleOrder.interleaved(5).visits(thetas: (0..<60).map { Double($0) * .pi / 60 }).map { Double($0) * .pi / 60 },
    (0..<100).map { (Double($0) * 0.618_033_988_7).truncatingRemainder(dividingBy: 1) * .pi },
    (0..<120).map { Double($0) * .pi / 40 }, (0..<5).map { _ in 0.3 },
  ]

  /// What a scan's updates draw, each after one more projection.
  private func draws(
    _ thetas: [Double], _ spread: AngularSpread, from first: Int = 0, known: Int? = nil
  ) -> [[NewestDirections.Entry]] {
    var newest = NewestDirections(reach: spread.reach, count: first)
    return thetas.indices.dropFirst(first).compactMap { ordinal in
      newest.append(sequence: UInt64(ordinal + 7), theta: thetas[ordinal])
      return newest.drawn(by: spread, update: ordinal)
    }
  }

  @Test(arguments: scans, [(0, 1), (1, 1), (2, 30), (3, 7), (5, 90), (7, 1000)])
  func `An update draws different projections of the newest, evenly in angle`(
    thetas: [Double], _ choice: (count: Int, reach: Int)
  ) {
    let spread = AngularSpread(count: choice.count, reach: choice.reach)
    for (ordinal, drawn) in draws(thetas, spread).enumerated() {
      let known = max(0, ordinal + 1 - spread.reach)...ordinal
      #expect(drawn.count == min(spread.count, known.count))
      #expect(drawn.allSatisfy { known.contains($0.ordinal) })
      #expect(drawn.allSatisfy { $0.theta == thetas[$0.ordinal] && $0.sequence == UInt64($0.ordinal + 7) })
      #expect(zip(drawn, drawn.dropFirst()).allSatisfy { $0.ordinal < $1.ordinal })
      // Between two that follow each other in angle lie as many as between any others, to one.
      let sorted = known.sorted { (direction(thetas[$0]), $0) < (direction(thetas[$1]), $1) }
      let places = drawn.compactMap { entry in sorted.firstIndex(of: entry.ordinal) }.sorted()
      let gaps = zip(places, places.dropFirst()).map { $1 - $0 }
      #expect((gaps.max() ?? 0) - (gaps.min() ?? 0) <= 1, "\(places) of \(known.count)")
    }
  }

  @Test(arguments: [(2, 90), (3, 60), (1, 45)])
  func `Every projection gets its turn`(_ choice: (count: Int, reach: Int)) {
    let spread = AngularSpread(count: choice.count, reach: choice.reach)
    var uses = [Int](repeating: 0, count: spread.reach)
    let updates = 10 * spread.reach / spread.count
    for update in 0..<updates { for place in spread.places(update: update, of: spread.reach) { uses[place] += 1 } }
    #expect(uses.allSatisfy { (8...12).contains($0) }, "\(uses)")
  }

  @Test(arguments: scans) func `Who starts again knows the newest projections only, and draws the same`(
    thetas: [Double]
  ) {
    let spread = AngularSpread(count: 3, reach: 20)
    let all = draws(thetas, spread)
    for first in stride(from: 0, to: thetas.count, by: 17) {
      var newest = NewestDirections(reach: spread.reach, count: max(0, first - spread.reach))
      for ordinal in max(0, first - spread.reach)..<first {
        newest.append(sequence: UInt64(ordinal + 7), theta: thetas[ordinal])
      }
      for ordinal in first..<thetas.count {
        newest.append(sequence: UInt64(ordinal + 7), theta: thetas[ordinal])
        #expect(newest.drawn(by: spread, update: ordinal) == all[ordinal])
      }
    }
  }

  @Test func `A spread reaches over half of a half turn`() {
    #expect(AngularSpread(count: 2, projectionsPerHalfTurn: 181).reach == 90)
    #expect(AngularSpread(count: 2, projectionsPerHalfTurn: 1).reach == 1)
  }

  @Test func `Directions are counted once, however often a scan goes through them`() {
    func degrees(_ count: Int, from first: Double = 0) -> [Double] {
      (0..<count).map { (Double($0) + first) * .pi / 180 }
    }
    let half = degrees(180)
    #expect(directionCount(thetas: half) == 180)
    #expect(directionCount(thetas: half + half + half) == 180)
    let jitter = degrees(540).enumerated().map { $1 + 1e-6 * Double($0 % 7) }
    #expect(directionCount(thetas: jitter) == 180)
    #expect(directionCount(thetas: degrees(361)) == 180)
    #expect(directionCount(thetas: degrees(181)) == 180)
    #expect(directionCount(thetas: degrees(180, from: -2300).reversed()) == 180)
    #expect(directionCount(thetas: Self.scans[2]) == 100)
    #expect(directionCount(thetas: [0.3]) == 1)
    #expect(directionCount(thetas: []) == 0)
  }

  @Test func `A spread window comes with each projection, has the newest, and does not drain`() {
    let schedule = WindowSchedule(newest: 2, spread: AngularSpread(count: 3, reach: 40), iterations: 1)
    #expect(schedule.updateCount(projections: 50, isComplete: true) == 50)
    #expect((schedule.span, schedule.projectionsPerUpdate, schedule.updateIntervalMax) == (24, 5, 24))
    for count in 1...50 {
      #expect(schedule.isDue(end: count, projections: count, isComplete: true))
      #expect(!schedule.isDue(end: count + 1, projections: count, isComplete: true))
      #expect(schedule.window(end: count, projections: count) == max(0, count - 2)..<count)
    }
    #expect(WindowSchedule(newest: 1, spread: AngularSpread(count: 3, reach: 4), iterations: 1).updateIntervalMax == 4)
  }
}

/// The newest projections and drawn ones in one update.
@Suite struct SpreadUpdateTests {
  /// A volume and line integrals that do not agree.
  private func scan(_ thetas: [Double]) -> Scan {
    let scan = Scan(columns: 32, rows: 2, thetas: thetas)
    for row in 0..<2 { scan.set(slice: (0..<1024).map { Float(($0 * 7 + row) % 13) * 0.01 }, row: row) }
    for slot in thetas.indices { scan.set(projection: (0..<64).map { Float(($0 * 5 + slot) % 11) }, slot: slot) }
    return scan
  }

  private func updated(_ scan: Scan, _ angles: [WindowAngle]) -> [Float] {
    let next = Memory(byteCount: scan.layout.volumeByteCount)
    let solver = Method.sirt(SIRTOptions()).solver(layout: scan.layout, beam: scan.beam, anglesMax: 8, threads: 1)
    _ = solver.update(
      volume: scan.volume.start, next: next.start, sinogram: scan.sinogram.start, slots: scan.thetas.count,
      blocks: scan.blocks, angles: angles, iterations: 1, executor: SerialExecutor())
    return scan.slice(1, of: next)
  }

  @Test(arguments: [(1, 2), (2, 3), (3, 1)], [Float(0.5), 0.7])
  func `Each group makes its part of the step that it would make alone, however many it has`(
    counts: (newest: Int, others: Int), part: Float
  ) {
    // At these angles every voxel has the same column sum.
    let scan = scan((0..<counts.newest + counts.others).map { Double($0) * .pi / 2 })
    let (newest, others) = (Array(scan.angles.prefix(counts.newest)), Array(scan.angles.dropFirst(counts.newest)))
    let together = updated(scan, AngularSpread.together(newest: newest, others: others, newestPart: part))
    let before = scan.slice(1), first = updated(scan, newest), second = updated(scan, others)
    for (pixel, old) in before.enumerated() {
      let expected = old + part * (first[pixel] - old) + (1 - part) * (second[pixel] - old)
      #expect(abs(together[pixel] - expected) < 1e-4 * max(1, abs(expected)))
    }
    #expect(together != first && together != second)
  }

  @Test func `A group alone is the whole of an update`() {
    let angles = scan([0.1, 0.9]).angles
    #expect(AngularSpread.together(newest: angles, others: []) == angles)
    #expect(AngularSpread.together(newest: [], others: angles) == angles)
  }
}
