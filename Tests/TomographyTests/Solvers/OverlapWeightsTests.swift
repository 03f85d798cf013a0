import Foundation
import Host
import Testing

@testable import KernelTypes
@testable import Tomography

@Suite struct OverlapWeightsTests {
  @Test(arguments: [12.0, 12.4, 31.7, 51.6, 60]) func `A ray and the opposite one count once together`(axis: Double) {
    let first = axis < 32 ? 2 * Int((64 - axis).rounded(.up)) - 64 : 0
    let columns = 2 * Int(max(axis, 64 - axis).rounded(.up)), middle = axis + Double(first)
    let weights = SliceLayout(columns: columns, measured: first..<first + 64, rows: 1)
      .overlapWeights(rotationAxis: middle)
    /// Linear between the bins, as rays are.
    func weight(_ distance: Double) -> Double {
      let place = middle + distance - 0.5, bin = Int(place.rounded(.down)), part = place - Double(bin)
      guard bin >= 0, bin + 1 < columns else { return bin < 0 ? Double(weights[0]) : Double(weights[columns - 1]) }
      return (1 - part) * Double(weights[bin]) + part * Double(weights[bin + 1])
    }
    for distance in stride(from: 0.0, to: Double(columns) / 2 - 1, by: 0.25) {
      #expect(abs(weight(distance) + weight(-distance) - 1) < 0.02, "\(distance): \(weight(distance))")
    }
    // Nothing where nothing is measured, and no step at the edge.
    for bin in 0..<columns where bin < first || bin >= first + 64 { #expect(weights[bin] == 0) }
    #expect(weights[axis < 32 ? first : first + 63] < 0.1)
    #expect(zip(weights, weights.dropFirst()).allSatisfy { axis < 32 ? $0 <= $1 : $0 >= $1 })
  }

  @Test func `Where all bins are measured they count as they are`() {
    let layout = SliceLayout(columns: 9, rows: 1)
    #expect(layout.overlapWeights(rotationAxis: 3) == Array(repeating: 1, count: 9) && layout.period == .pi)
    #expect(layout.overlapWeights(rotationAxis: 3, padding: 2).count == 13)
  }

  /// The same equations with a dense matrix, of which rows of unmeasured bins are taken away.
  @Test(arguments: 1...6) func `SIRT uses what is measured and nothing else`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let columns = Int.random(in: 6...14, using: &random), count = Int.random(in: 2...(columns - 1), using: &random)
    let first = Int.random(in: 0...(columns - count), using: &random), axis = Double(columns) / 2 + 0.3
    let thetas = (0..<5).map { _ in Double.random(in: -4...4, using: &random) }
    let layout = SliceLayout(columns: columns, measured: first..<first + count, rows: 3)
    let beam = ParallelBeam(columns: columns, rotationAxis: axis)
    let (volume, sinogram) = (
      Memory(byteCount: layout.volumeByteCount), Memory(byteCount: layout.sinogramBlockByteCount(slots: 5))
    )
    let data = thetas.map { _ in (0..<3 * count).map { _ in Float.random(in: -1...4, using: &random) } }
    for slot in 0..<5 {
      // What was there before is nobody's.
      memset(
        sinogram.start + layout.binOffset(block: 0, of: 0..<1, slot: slot, slots: 5), 1, 4 * columns * layout.lanes)
      layout.storeProjection(data[slot], blocks: 0..<1, slot: slot, slots: 5, into: sinogram.start)
      var back = [Float](repeating: 0, count: 3 * count)
      layout.copyProjection(slot: slot, slots: 5, from: sinogram.start, blocks: 0..<1, into: &back)
      #expect(back == data[slot])
    }
    let angles = thetas.enumerated().map { WindowAngle(theta: $1, slot: $0) }
    let solver = SIRTSolver(layout: layout, beam: beam, options: SIRTOptions(), anglesMax: 5, threads: 1)
    let residual = solver.update(
      volume: volume.start, next: volume.start, sinogram: sinogram.start, slots: 5, blocks: 0..<1, angles: angles,
      iterations: 1, executor: SerialExecutor())
    let reference = JosephReference(columns: columns, axis: axis)
    for row in 0..<3 {
      var (update, sums) = (
        [Double](repeating: 0, count: columns * columns), [Double](repeating: 0, count: columns * columns)
      )
      for (angle, theta) in thetas.enumerated() {
        for bin in 0..<count {
          var sum = 0.0
          reference.forEachWeight(theta: theta, bin: first + bin) { sum += $1 }
          reference.forEachWeight(theta: theta, bin: first + bin) {
            sums[$0] += $1
            if sum > 1e-3 { update[$0] += $1 * Double(data[angle][row * count + bin]) / sum }
          }
        }
      }
      let expected = zip(update, sums).map { $1 > 1e-3 ? $0 / $1 : 0 }
      var slice = [Float](repeating: 0, count: columns * columns)
      slice.withUnsafeMutableBufferPointer { layout.copySlice(row: row, from: volume.start, into: $0) }
      #expect(relativeDistance(slice.map(Double.init), expected) < 1e-5, "seed \(seed), row \(row)")
    }
    let squares = data.joined().reduce(0.0) { $0 + Double($1) * Double($1) }
    #expect(abs(residual.dataSquared - squares) < 1e-5 * squares && abs(residual.relative - 1) < 1e-5)
  }
}
