package import RunModel
import Tomography

// In pixels of the detector.
extension FoundAxis {
  /// Whether it is known well enough to reconstruct without a look.
  package var isSure: Bool { error <= RotationAxisEstimate.errorMax }

  /// What a person should know of it.
  package var words: String {
    let place = (axis * 100).rounded() / 100
    let advice =
      "look at slices of others (slipring sweep --vary rotation-axis=FIRST:LAST:STEP) and give --rotation-axis"
    if isGuess {
      return
        "no rotation axis was found: the volume is made about \(place) px, which may be wrong by as much; \(advice)"
    }
    let words = "rotation axis found at \(place) px from the detector's left edge"
    return isSure ? words : "\(words), but it may be \((error * 10).rounded(.up) / 10) px off: \(advice)"
  }
}
