import RunModel

/// How similar the volume was to what it was `stop-distance` updates before, and to a reference, over the projections
/// of a scan: what control scored.
struct SimilarityCurves {
  /// By worker, then by the end of the update's window.
  private var scores: [Int: [Int: ScoreEvent]] = [:]
  private let (projectionsMax, workers): (Int, Int)
  /// Rises with every score.
  private(set) var version = 0

  /// The run's own figures bound what is kept.
  init(projectionsMax: Int, workers: Int) { (self.projectionsMax, self.workers) = (projectionsMax, workers) }

  /// Takes a score; one that no worker of this run can have is left out.
  mutating func add(_ score: ScoreEvent) {
    guard (0..<workers).contains(score.worker), (0...projectionsMax).contains(score.projections) else { return }
    scores[score.worker, default: [:]][score.projections] = score
    version += 1
  }

  /// Points of a curve: projections and the lowest of the workers' latest scores, 1 for equal slices.
  struct Line: Codable, Equatable {
    var projections: [Int] = []
    var scores: [Double] = []
  }

  /// Both curves, each of at most about `pointsMax` points.
  func lines(pointsMax: Int) -> (similarity: Line, truth: Line) {
    (line(\.similarity, pointsMax), line(\.truth, pointsMax))
  }

  /// The scan ends when every worker's slice is similar, so the curve is that of the worker that lets it wait.
  private func line(_ value: (ScoreEvent) -> Double?, _ pointsMax: Int) -> Line {
    var all: [Int: [(worker: Int, value: Double)]] = [:]
    for (worker, scores) in scores {
      for (projections, score) in scores {
        if let value = value(score) { all[projections, default: []].append((worker, value)) }
      }
    }
    var latest: [Int: Double] = [:]
    let points = all.sorted { $0.key < $1.key }.map { projections, scores in
      for score in scores { latest[score.worker] = score.value }
      return (projections, latest.values.min() ?? 0)
    }
    let chosen = points.thinned(to: pointsMax)
    return Line(projections: chosen.map(\.0), scores: chosen.map(\.1))
  }
}

extension Array {
  /// At most about `countMax` elements, one in so many. The last one is always there.
  func thinned(to countMax: Int) -> [Element] {
    let step = Swift.max(1, count / countMax)
    return enumerated().filter { ($0.offset + 1) % step == 0 || $0.offset == count - 1 }.map(\.element)
  }
}

/// All curves of the page, as `/api/curves` gives them.
struct DrawnCurves: Encodable {
  let window: Curves.Line
  let final: Curves.Line
  let similarity: SimilarityCurves.Line
  let truth: SimilarityCurves.Line
  /// The similarity that ends the scan, and the projections from which on it does; nil where none does.
  let similarityMin: Double?
  let projectionsMin: Int?
  /// What stages beside the run said.
  let stages: [StageCurves.Line]

  init(
    _ curves: Curves, _ scores: SimilarityCurves?, _ stages: StageCurves, goal: (min: Double, projections: Int)?,
    pointsMax: Int
  ) {
    (window, final) = curves.lines(pointsMax: pointsMax)
    self.stages = stages.lines(pointsMax: pointsMax)
    (similarity, truth) = scores?.lines(pointsMax: pointsMax) ?? (.init(), .init())
    (similarityMin, projectionsMin) = (goal?.min, goal?.projections)
  }
}
