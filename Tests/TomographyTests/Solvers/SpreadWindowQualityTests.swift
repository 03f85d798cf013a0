import Foundation
import Host
import Testing

@testable import Simulation
@testable import Tomography

/// The volume at a quarter, half, three quarters and the end of a scan, with spread windows and with the published
/// ones.
@Suite struct SpreadWindowQualityTests {
  private static let (columns, perTurn, turns) = (96, 90, 3)
  private static let foam = Foam(rows: 1, columns: columns, seed: 5)
  private static let slice: [Float] = {
    var slice = [Float](repeating: 0, count: columns * columns)
    slice.withUnsafeMutableBufferPointer { foam.slice(row: 0, columns: columns, supersampling: 4, into: $0) }
    return slice
  }()
  private static let orders: [AngleOrder] = [.sequential, .interleaved(5), .bitReversal, .golden]

  /// The foam moved to the right by so many columns.
  private static func truth(moved: Int) -> [Float] {
    slice.indices.map { $0 % columns >= moved ? slice[$0 - moved] : 0 }
  }

  /// A scan of the foam with 1 % noise, still through one half turn, or drifting by four columns through three.
  private struct Drift {
    let scan: Scan
    let moves: Bool

    init(_ order: AngleOrder, moves: Bool) {
      let even = (0..<perTurn).map { Double($0) * .pi / Double(perTurn) }
      let turn = order.visits(thetas: even).map { even[$0] }
      let thetas = moves ? (0..<turns).flatMap { _ in turn } : turn
      self.moves = moves
      scan = Scan(columns: columns, thetas: thetas)
      var random = SplitMix64(seed: 17)
      let noise = 0.01 * 0.45 * 2 * Float(columns) * (SpreadWindowQualityTests.slice.max() ?? 1)
      for (slot, theta) in thetas.enumerated() {
        var line = [Float](repeating: 0, count: columns)
        let axis = Double(columns) / 2 + moved(at: Double(slot + 1) / Double(thetas.count)) * cos(theta)
        line.withUnsafeMutableBufferPointer {
          foam.lineIntegrals(row: 0, theta: theta, columns: columns, rotationAxis: axis, into: $0)
        }
        for bin in line.indices {
          line[bin] += noise * (0..<12).reduce(-6) { sum, _ in sum + Float.random(in: 0..<1, using: &random) }
        }
        scan.set(projection: line, slot: slot)
      }
    }

    func moved(at time: Double) -> Double { moves ? 4 * time : 0 }
    var count: Int { scan.thetas.count }

    /// What `update` makes of the volume after each projection, at four moments, and the angles that it went through.
    func follow(_ update: (_ ordinal: Int) -> Int) -> (qualities: [Double], angles: Int) {
      var (qualities, angles): ([Double], Int) = ([], 0)
      for ordinal in 0..<count {
        angles += update(ordinal)
        for quarter in 1...4 where ordinal + 1 == count * quarter / 4 {
          let truth = SpreadWindowQualityTests.truth(moved: Int(moved(at: Double(quarter) / 4).rounded()))
          qualities.append(
            scan.slice().withUnsafeBufferPointer { slice in
              truth.withUnsafeBufferPointer {
                psnr(slice, reference: $0, columns: columns, radiusFraction: 0.42)
              }
            })
        }
      }
      return (qualities, angles)
    }

    func iterate(_ solver: any WindowSolver, _ ordinals: some Sequence<Int>, drawn: [Int] = []) -> Int {
      let angles = AngularSpread.together(
        newest: ordinals.map { scan.angles[$0] }, others: drawn.map { scan.angles[$0] })
      _ = solver.update(
        volume: scan.volume.start, next: scan.volume.start, sinogram: scan.sinogram.start, slots: count,
        blocks: scan.blocks, angles: angles, iterations: 1, executor: SerialExecutor())
      return angles.count
    }
  }

  private func solver(_ drift: Drift) -> any WindowSolver {
    Method.sirt(SIRTOptions()).solver(layout: drift.scan.layout, beam: drift.scan.beam, anglesMax: 24, threads: 1)
  }

  @Test(arguments: orders, [false, true])
  func `The volume is at every moment as good as that of the published windows, for a seventh of the work`(
    order: AngleOrder, moves: Bool
  ) throws {
    let published = Drift(order, moves: moves), plain = solver(published)
    let old = published.follow { published.iterate(plain, max(0, $0 - 23)..<$0 + 1) }

    let spread = Drift(order, moves: moves), solver = solver(spread)
    let draw = AngularSpread(count: 2, projectionsPerHalfTurn: Self.perTurn)
    let smoothing = try #require(Method.sirt(SIRTOptions()).smoothing(layout: spread.scan.layout, threads: 1))
    var newest = NewestDirections(reach: draw.reach)
    let new = spread.follow { ordinal in
      newest.append(sequence: 0, theta: spread.scan.thetas[ordinal])
      let drawn = newest.drawn(by: draw, update: ordinal).map(\.ordinal)
      let angles = spread.iterate(solver, [ordinal], drawn: drawn)
      if WindowSmoothing.Schedule.standard.isDue(after: ordinal) {
        smoothing.apply(
          spread.scan.volume.start, sinogram: spread.scan.sinogram.start, slots: spread.count,
          angles: ([ordinal] + drawn).map { spread.scan.angles[$0] }, seen: ordinal + 1, spread: draw,
          executor: SerialExecutor())
      }
      return angles
    }
    let words = "\(order), \(moves ? "moving" : "still"): \(old.qualities) and \(new.qualities) dB"
    #expect(zip(old.qualities, new.qualities).allSatisfy { $1 >= $0 }, "\(words)")
    #expect(Double(new.angles) <= 0.15 * Double(old.angles))
  }
}
