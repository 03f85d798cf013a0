/// What `analyse` finds in a volume.
package struct VolumeAnalysis: Codable, Equatable, Sendable {
  /// Counts of voxels by their values.
  package struct Histogram: Codable, Equatable, Sendable {
    /// The lowest and the highest value; bins between them are equally wide.
    package var low, high: Double
    /// By bin.
    package var counts: [UInt64]
  }

  /// The part of the slices' width that was looked at.
  package let within: Double
  /// Pores are below it; nil where another stage said what pores are.
  package let threshold: Double?
  /// Voxels that were looked at.
  private(set) var voxels = 0
  /// Those of them that are pores.
  private(set) var poreVoxels = 0
  /// Their part of the whole.
  package private(set) var porosity = 0.0
  /// The same of each slice, from the top.
  package private(set) var porosityOfSlices: [Double] = []
  /// Voxels of each pore, the largest first.
  package var sizes: [Int] = []
  /// Of the voxels' values; nil where they are not known.
  package var histogram: Histogram?

  /// Bins of the histogram.
  static let binsMax = 256

  init(within: Double, threshold: Double?) { (self.within, self.threshold) = (within, threshold) }

  /// Takes the next slice.
  mutating func add(pores: Int, of all: Int) {
    precondition(0...all ~= pores, "\(pores) of \(all)")
    voxels += all
    poreVoxels += pores
    porosity = Double(poreVoxels) / Double(max(1, voxels))
    porosityOfSlices.append(Double(pores) / Double(max(1, all)))
  }

  /// What is shown of it while it changes.
  var figures: [String: Double] {
    var figures = [
      "porosity": porosity, "pores": Double(sizes.count), "largest-pore": Double(sizes.first ?? 0),
      "median-pore": Double(sizes.isEmpty ? 0 : sizes[sizes.count / 2]),
    ]
    figures["threshold"] = threshold
    return figures
  }
}
