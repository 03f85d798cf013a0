import RunModel
import Stages

extension RunStatus {
  /// The rotation axis, in words; `not known yet` before a live scan shows it.
  package var axisWords: String {
    guard let rotationAxis else { return "not known yet" }
    let place = "\((rotationAxis * 100).rounded() / 100)"
    guard let error = rotationAxisError else { return "\(place) px" }
    return "\(place) ± \((error * 100).rounded(.up) / 100) px"
  }
}

extension RunResult {
  /// What is wrong with the rotation axis; nil for nothing.
  package var axisWarning: String? {
    guard volumeSHA256 != nil, let rotationAxisError else { return nil }
    let axis = FoundAxis(rotationAxis, error: rotationAxisError)
    return axis.isSure ? nil : axis.words
  }
}
