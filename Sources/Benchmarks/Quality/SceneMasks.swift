import Glibc
import Tomography

/// Where a picture without a truth is looked at. Found on a picture by many iterations of SIRT, which is blurred and
/// has little noise, in discs around the rotation axis; their radii are parts of the width that all projections see.
struct SceneMasks {
  private let columns: Int
  private let air, edges, ring: [Int]

  private static let (sampleRadius, ringRadii) = (0.42, 0.46..<0.495)
  /// Of the picture's upper values: less is air, at so many pixels from anything that is more.
  private static let (airMax, airDistance) = (Float(0.05), 6)
  /// Edges are the two steepest percent.
  private static let edgeShare = 0.02

  init(_ picture: [Float], columns: Int, width: Double) {
    self.columns = columns
    func radius(_ index: Int) -> Double {
      let middle = 0.5 * Double(columns - 1)
      return hypot(Double(index % columns) - middle, Double(index / columns) - middle) / width
    }
    let sample = picture.indices.filter { radius($0) < Self.sampleRadius }
    ring = picture.indices.filter { Self.ringRadii.contains(radius($0)) }
    let sorted = picture.sorted(), bright = sorted[(sorted.count - 1) * 995 / 1000]
    let soft = gaussianSmoothed(picture, columns: columns, sigma: 3)
    let isAir = Self.eroded(soft.map { $0 < Self.airMax * bright }, columns: columns, by: Self.airDistance)
    air = sample.filter { isAir[$0] }
    let steepness = Self.steepness(gaussianSmoothed(picture, columns: columns, sigma: 1), columns)
    let ranked = sample.map { steepness[$0] }.sorted()
    let least = ranked.isEmpty ? 0 : ranked[Int(Double(ranked.count - 1) * (1 - Self.edgeShare))]
    edges = sample.filter { steepness[$0] > least }
  }

  func look(at picture: [Float]) -> QualityReport.Looks {
    func mean(_ places: [Int], _ value: (Int) -> Double) -> Double {
      places.isEmpty ? 0 : places.reduce(0) { $0 + value($1) } / Double(places.count)
    }
    let level = mean(air) { Double(picture[$0]) }, steepness = Self.steepness(picture, columns)
    return QualityReport.Looks(
      air: mean(air) { (Double(picture[$0]) - level) * (Double(picture[$0]) - level) }.squareRoot(),
      edges: mean(edges) { Double(steepness[$0]) }, ring: mean(ring) { abs(Double(picture[$0])) })
  }

  /// Length of the gradient after a little smoothing, by central differences; 0 at the border.
  private static func steepness(_ picture: [Float], _ columns: Int) -> [Float] {
    let soft = gaussianSmoothed(picture, columns: columns, sigma: 0.5)
    return soft.indices.map { index in
      let (x, y) = (index % columns, index / columns)
      guard x > 0, y > 0, x < columns - 1, y < columns - 1 else { return 0 }
      return 0.5 * hypot(soft[index + 1] - soft[index - 1], soft[index + columns] - soft[index - columns])
    }
  }

  /// What stays where each pixel without all four neighbours goes, so many times.
  private static func eroded(_ mask: [Bool], columns: Int, by steps: Int) -> [Bool] {
    (0..<steps).reduce(mask) { mask, _ in
      mask.indices.map { index in
        let (x, y) = (index % columns, index / columns)
        return x > 0 && y > 0 && x < columns - 1 && y < columns - 1 && mask[index] && mask[index - 1] && mask[index + 1]
          && mask[index - columns] && mask[index + columns]
      }
    }
  }
}
