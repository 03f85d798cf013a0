import KernelTypes
import Testing

@testable import ScanPlan

@Suite struct ScanGeometryTests {
  @Test func `A slice reaches as far from the axis as the detector does`() {
    func geometry(_ axis: Double, isHalf: Bool = true) -> SliceLayout {
      ScanGeometry(detectorColumns: 64, rotationAxis: axis, isHalf: isHalf).layout(rows: 3)
    }
    #expect(geometry(12) == SliceLayout(columns: 104, measured: 40..<104, rows: 3))
    #expect(geometry(52.4) == SliceLayout(columns: 106, measured: 0..<64, rows: 3))
    #expect(geometry(11.5) == SliceLayout(columns: 106, measured: 42..<106, rows: 3))
    #expect(geometry(32) == SliceLayout(columns: 64, rows: 3))
    #expect(geometry(12, isHalf: false) == SliceLayout(columns: 64, rows: 3))
  }

  @Test func `A binned detector has its axis where it was, and slices reach as far from it`() {
    for (columns, axis, isHalf) in [(64, 30.25, false), (65, 31, false), (64, 12, true), (63, 52.4, true)] {
      for factor in [2, 4, 8] {
        let whole = ScanGeometry(detectorColumns: columns, rotationAxis: axis, isHalf: isHalf)
        let binned = whole.binned(by: factor), layout = binned.layout(rows: 3)
        #expect(layout.measured.count == columns / factor)
        #expect(
          binned
            == ScanGeometry(detectorColumns: columns / factor, rotationAxis: axis / Double(factor), isHalf: isHalf))
        let covered = factor * layout.columns
        #expect(covered > whole.columns - factor)
        #expect(covered <= columns || isHalf && covered < whole.columns + 2 * factor)
      }
    }
  }

  @Test func `Workers begin where rows that become one begin, and slabs and blocks too`() {
    var scan = ScanDescription(input: "a.h5", outputFolder: "out")
    for (binning, step, expected) in [
      (0, 1, 1), (0, 48, 48), (1, 1, 2), (3, 1, 8), (1, 16, 16), (3, 4, 8), (2, 48, 48), (3, 12, 24), (2, 7, 28),
    ] {
      scan.liveBinning = .exponent(binning)
      #expect(scan.rowAlignment(step) == expected, "\(binning), \(step)")
    }
  }

  @Test func `A turn is one whatever the order of its angles, and a half turn is none`() {
    func isTurn(_ degrees: [Double]) -> Bool { ScanGeometry.widestGap(degrees.map { $0 * .pi / 180 })?.isTurn ?? false }
    let turn = (0..<240).map { Double($0) * 1.5 }
    #expect(isTurn(turn) && isTurn(turn + [360]) && isTurn(turn.map { 1000 - $0 }) && isTurn(turn + turn))
    #expect(isTurn((0..<8).map { Double($0) * 45 }))
    // The golden ratio's distances differ by 2.6 at most.
    #expect(isTurn((0..<89).map { Double($0) * 360 * 0.618_033_988_749_895 }))
    #expect(!isTurn((0..<180).map(Double.init)) && !isTurn((0...180).map(Double.init)) && !isTurn([0, 60, 120]))
    #expect(!isTurn((0..<340).map(Double.init)) && !isTurn([]) && !isTurn([0, 180]))
    #expect(isTurn((0..<356).map(Double.init)))
  }

  @Test func `The outer part of a detector is outside its middle quarter`() {
    for (axis, isOuter) in [(12.0, true), (23.9, true), (24, false), (32, false), (40, false), (40.1, true)] {
      #expect(ScanGeometry.isOuter(axis: axis, columns: 64) == isOuter, "\(axis)")
    }
  }
}
