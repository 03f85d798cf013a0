import Glibc
import Simulation
import Tomography

/// Compares pictures with the truth.
struct TruthJudge {
  private let truth: KnownSlice
  /// Fine structure: what is not looked for, what is, and where there is some of that.
  private let background, structure: [Float]
  private let places: [Int]

  /// Everything happens in the disc of this part of the columns.
  private static let radius = 0.45
  /// Fine is what a Gaussian of so many pixels takes away.
  private static let sigma = 1.5
  /// Of the truth's range: less is no structure.
  private static let structureMin: Float = 0.02

  init(_ truth: KnownSlice) {
    let columns = truth.columns, reach = Self.radius * Double(columns)
    self.truth = truth
    // Nothing, where everything is detail.
    let rest = truth.background.isEmpty ? truth.truth.map { _ in 0 } : truth.background
    let searched = zip(truth.truth, rest).map { $0 - $1 }, structure = Self.fine(searched, columns)
    let least = Self.structureMin * ((searched.max() ?? 0) - (searched.min() ?? 0))
    places = structure.indices.filter { index in
      let (row, column) = (Double(index / columns), Double(index % columns)), middle = 0.5 * Double(columns - 1)
      return hypot(row - middle, column - middle) < reach && abs(structure[index]) > least
    }
    (self.structure, background) = (structure, Self.fine(rest, columns))
  }

  func compare(_ picture: [Float]) -> QualityReport.Known {
    let fine = Self.fine(picture, truth.columns)
    var (product, square) = (0.0, 0.0)
    for index in places {
      product += Double(fine[index] - background[index]) * Double(structure[index])
      square += Double(structure[index]) * Double(structure[index])
    }
    let quality = picture.withUnsafeBufferPointer { picture in
      truth.truth.withUnsafeBufferPointer {
        psnr(picture, reference: $0, columns: truth.columns, radiusFraction: Self.radius)
      }
    }
    return QualityReport.Known(psnr: quality, detail: square > 0 ? product / square : 1)
  }

  private static func fine(_ image: [Float], _ columns: Int) -> [Float] {
    zip(image, gaussianSmoothed(image, columns: columns, sigma: sigma)).map { $0 - $1 }
  }
}
