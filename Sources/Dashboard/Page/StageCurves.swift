import Run

/// What stages beside the run said of the volume, over the projections that were reconstructed then.
struct StageCurves {
  /// Points of a curve.
  struct Line: Codable, Equatable {
    let stage: String
    let name: String
    var projections: [Int] = []
    var values: [Double] = []
  }

  private var lines: [Line] = []
  private var latest: [String: [String: Double]] = [:]
  /// Rises with every new figure.
  private(set) var version = 0

  private static let pointsMax = 1000
  /// Of the stage's own work, and not of the volume.
  private static let others: Set = ["skipped", "generation"]

  /// Takes what is new in figures.
  mutating func add(_ programs: [ProgramStatus], projections: Int) {
    for program in programs where latest[program.name] != program.figures && !program.figures.isEmpty {
      latest[program.name] = program.figures
      version += 1
      for (name, value) in program.figures where !Self.others.contains(name) {
        add(value, projections, stage: program.name, name: name)
      }
    }
  }

  private mutating func add(_ value: Double, _ projections: Int, stage: String, name: String) {
    var index = lines.firstIndex { $0.stage == stage && $0.name == name }
    if index == nil {
      lines.append(Line(stage: stage, name: name))
      lines.sort { ($0.stage, $0.name) < ($1.stage, $1.name) }
      index = lines.firstIndex { $0.stage == stage && $0.name == name }
    }
    guard let index else { preconditionFailure("it was just added") }
    if lines[index].values.count >= Self.pointsMax {
      // Every second point, the last one among them.
      lines[index].projections = lines[index].projections.thinned(to: Self.pointsMax / 2)
      lines[index].values = lines[index].values.thinned(to: Self.pointsMax / 2)
    }
    lines[index].projections.append(projections)
    lines[index].values.append(value)
  }

  /// All curves by stage and name, each of at most about `pointsMax` points.
  func lines(pointsMax: Int) -> [Line] {
    lines.map { line in
      var line = line
      (line.projections, line.values) = (line.projections.thinned(to: pointsMax), line.values.thinned(to: pointsMax))
      return line
    }
  }
}
