import Simulation
import Testing

@testable import Benchmarks

/// The figures that pictures are judged by, on pictures whose figures are known.
@Suite struct PictureFigureTests {
  private static let columns = 64
  private static let cracks = KnownSlice(.cracks, columns: columns, thetas: [0], seed: 3)

  @Test func `the truth has all of its detail, half of it half, and noise none`() {
    let truth = Self.cracks.truth, judge = TruthJudge(Self.cracks)
    let whole = judge.compare(truth)
    #expect(whole.psnr == .infinity && abs(whole.detail - 1) < 1e-6)
    #expect(abs(judge.compare(truth.map { $0 / 2 }).detail - 0.5) < 1e-6)
    #expect(abs(judge.compare(truth.indices.map { $0 % 2 == 0 ? 0.01 : -0.01 }).detail) < 0.2)
  }

  @Test func `of faint cracks the detail is that of the cracks alone`() {
    let faint = KnownSlice(.faintCracks, columns: Self.columns, thetas: [0], seed: 3), judge = TruthJudge(faint)
    #expect(abs(judge.compare(faint.truth).detail - 1) < 1e-6)
    #expect(abs(judge.compare(faint.background).detail) < 1e-6)
  }

  @Test func `air, edges and ring are where they should be`() {
    let columns = 100, middle = 49.5
    func picture(_ value: (_ radius: Double, _ index: Int) -> Float) -> [Float] {
      (0..<columns * columns).map { index in
        let (x, y) = (Double(index % columns) - middle, Double(index / columns) - middle)
        return value((x * x + y * y).squareRoot(), index)
      }
    }
    let masks = SceneMasks(picture { radius, _ in radius < 20 ? 1 : 0 }, columns: columns, width: 100)
    let clean = masks.look(at: picture { radius, _ in radius < 20 ? 1 : 0 })
    #expect(clean.air == 0 && clean.ring == 0 && clean.edges > 0.2)
    #expect(masks.look(at: picture { radius, _ in radius < 20 ? 0.5 : 0 }).edges == clean.edges / 2)
    let spoilt = masks.look(
      at: picture { radius, index in radius > 45 ? 0.3 : radius > 30 ? (index % 2 == 0 ? 0.1 : -0.1) : 0 })
    #expect(abs(spoilt.ring - 0.3) < 1e-6 && abs(spoilt.air - 0.1) < 0.01 && spoilt.edges == 0)
  }
}
