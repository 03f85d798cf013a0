import Stages

extension RunStatus {
  /// How images stand on their way to nodes, in words; nil where none do.
  package var uplinkWords: String? { uplink?.words }

  /// The same as a figure.
  package var uplinkFigure: String {
    uplink.map { "\($0.acknowledged) of \($0.events)" + ($0.away == nil ? "" : ", waiting") } ?? "–"
  }
}
