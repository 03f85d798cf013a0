import Glibc

/// What can be chosen about filtered backprojection.
package struct FBPOptions: Sendable, Equatable {
  /// Windows on the ramp filter, over u = 0 … 1 from zero to the highest frequency of the detector.
  package enum Filter: String, Codable, Sendable, CaseIterable {
    /// None: sharpest, and all of the noise.
    case ramp
    /// sin(πu / 2) / (πu / 2) (L. A. Shepp and B. F. Logan, IEEE Trans. Nucl. Sci. 21, 1974).
    case sheppLogan = "shepp-logan"
    /// (1 + cos πu) / 2
    case hann
    /// 1 − 6 u² (1 − u) up to u = ½, 2 (1 − u)³ above it (E. Parzen, Technometrics 3, 1961).
    case parzen

    func window(_ u: Double) -> Double {
      switch self {
      case .ramp: 1
      case .sheppLogan: u == 0 ? 1 : sin(0.5 * .pi * u) / (0.5 * .pi * u)
      case .hann: 0.5 * (1 + cos(.pi * u))
      case .parzen: u <= 0.5 ? 1 - 6 * u * u * (1 - u) : 2 * (1 - u) * (1 - u) * (1 - u)
      }
    }
  }

  /// The window.
  var filter: Filter
  /// Set voxels whose centres lie beyond columns / 2 from the rotation axis to zero.
  var diskMask: Bool

  /// The plain ramp unless told otherwise.
  package init(filter: Filter = .ramp, diskMask: Bool = false) {
    self.filter = filter
    self.diskMask = diskMask
  }
}
