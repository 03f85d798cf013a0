package import Tomography

/// Which projections the updates of a live scan work on, and how: what `bench windows` compares.
package struct WindowPolicy: Sendable, Equatable {
  /// What it is called in a report.
  let name: String
  /// Newest projections of an update, and projections that it draws beside them.
  let newest, drawn: Int
  /// Projections from one update to the next.
  let step: Int
  /// λ of an update.
  let relaxation: Double
  /// What the newest projections count for of a whole update; nil where the drawn ones have an update of their own.
  let newestPart: Float?
  /// When the volume is smoothed; nil for never.
  let smoothing: WindowSmoothing.Schedule?

  /// The published windows: the newest projections alone, a whole step.
  static func sliding(length: Int) -> WindowPolicy {
    WindowPolicy(
      name: "sliding, \(length)", newest: length, drawn: 0, step: 1, relaxation: 1, newestPart: 1, smoothing: nil)
  }

  /// What auto does.
  package static let standard = spread(newest: 1, drawn: 2)

  /// The newest projections and drawn ones in one update; `name` where the counts do not tell all.
  package static func spread(
    newest: Int, drawn: Int, step: Int = 1, relaxation: Double = 1, newestPart: Float = AngularSpread.newestPart,
    smoothing: WindowSmoothing.Schedule? = .standard, name: String? = nil
  ) -> WindowPolicy {
    WindowPolicy(
      name: name ?? "\(newest) + \(drawn)\(smoothing == nil ? ", not smoothed" : "")", newest: newest, drawn: drawn,
      step: step, relaxation: relaxation, newestPart: newestPart, smoothing: smoothing)
  }

  /// An update over the newest projections, then one over drawn ones, each half a step.
  package static func inTurn(newest: Int, drawn: Int, smoothing: WindowSmoothing.Schedule? = .standard) -> WindowPolicy
  {
    WindowPolicy(
      name: "\(newest), then \(drawn)\(smoothing == nil ? ", not smoothed" : "")", newest: newest, drawn: drawn,
      step: 1,
      relaxation: 0.5, newestPart: nil, smoothing: smoothing)
  }

  /// What an update goes through, one group after the other.
  func groups(newest: [WindowAngle], drawn: [WindowAngle]) -> [[WindowAngle]] {
    guard !drawn.isEmpty else { return [newest] }
    guard let newestPart else { return [newest, drawn] }
    return [AngularSpread.together(newest: newest, others: drawn, newestPart: newestPart)]
  }
}
