import RunModel
import Tomography

/// Scores the monitored slices of all workers, each against what it was a number of updates before (`LookSchedule`). A
/// function of the updates and of the slices that the workers keep: who looks later, or takes a dead one's place,
/// scores the same.
struct SliceScores {
  private struct Watched {
    let slice: MonitoredSlice
    var newest: ScoreEvent?
  }

  private let configuration: ControlConfiguration
  private var workers: [Watched]
  private var range: SettledRange
  /// The score that was made last, by this stage or a predecessor.
  private(set) var last: ScoreEvent?

  /// Outliers on either side of the grey range, in percent.
  private static let outliers = 0.5

  /// `earlier` are a predecessor's scores, the newest first, down to one of each worker that had any.
  init(_ configuration: ControlConfiguration, slices: [MonitoredSlice], after earlier: [ScoreEvent]) {
    self.configuration = configuration
    workers = slices.map { Watched(slice: $0) }
    last = earlier.first
    let settled = earlier.first { $0.isSettled }.map { Float($0.range.lowerBound)...Float($0.range.upperBound) }
    range = SettledRange(schedule: configuration.looks, value: settled)
    for score in earlier.reversed() { workers[score.worker].newest = score }
  }

  /// Whether the scores of each of these workers, of whom there is one, have been high enough, often enough.
  func areSimilar(amongst counted: [Int]) -> Bool {
    configuration.similarityMin != nil && !counted.isEmpty
      && counted.allSatisfy { workers[$0].newest?.streak ?? 0 >= configuration.patience }
  }

  /// The newest scores of these workers.
  func newest(amongst counted: [Int]) -> [ScoreEvent] { counted.compactMap { workers[$0].newest } }

  /// When the newest projection behind a score was acquired, in nanoseconds since 1970; nil where that is not known.
  func acquiredAt(_ score: ScoreEvent) -> UInt64? {
    guard workers.indices.contains(score.worker) else { return nil }
    return workers[score.worker].slice.history.slice(after: score.update)?.acquiredAt
  }

  /// Looks at what a worker has kept after `update`, if it is one to look at, and gives the scores that come of it: its
  /// own, or while the grey range has not settled those of all workers once each that is `counted` is there.
  mutating func look(at worker: Int, after update: UpdateEvent, amongst counted: [Int]) -> [ScoreEvent] {
    let history = workers[worker].slice.history, number = update.index
    // Windows that fill, or drain after the scan, say nothing about others.
    guard update.phase == .window,
      update.projections.count + update.spread == configuration.windows.projectionsPerUpdate,
      history.keeps(update: number), history.shape.columns >= MultiScaleSimilarity.columnsMin
    else { return [] }
    if let range = range.value { return score(worker, number, in: range).map { [$0] } ?? [] }
    guard let kept = history.slice(after: number) else { return [] }
    let own = kept.pixels.withUnsafeBufferPointer { greyRange($0, percentile: Self.outliers) }
    guard let all = range.add(own, worker: worker, update: number, amongst: counted) else { return [] }
    var scores = workers.indices.compactMap { score($0, number, in: all) }
    if let value = range.value {
      for (worker, later) in range.looks(after: number) { scores += score(worker, later, in: value).map { [$0] } ?? [] }
    }
    return scores
  }

  /// The score of a worker's slice after update `number`; nil where it has one, and where its slices are not kept any
  /// more.
  private mutating func score(_ worker: Int, _ number: Int, in range: ClosedRange<Float>) -> ScoreEvent? {
    let slice = workers[worker].slice, looks = configuration.looks
    guard number > workers[worker].newest?.update ?? -1, let new = slice.history.slice(after: number) else {
      return nil
    }
    let old = number >= looks.distance ? slice.history.slice(after: number - looks.distance) : nil
    let comparison = MultiScaleSimilarity(
      columns: slice.history.shape.columns, range: range, radiusFraction: ControlConfiguration.radiusFraction,
      scale: configuration.scale)
    let similarity = old.map { comparison.score($0.pixels, new.pixels) }
    let truth = slice.truth.map { comparison.score($0, new.pixels) }
    guard similarity != nil || truth != nil else { return nil }
    let value = SliceScore(
      update: number, projections: new.projections, against: old?.projections, similarity: similarity,
      streak: streak(worker, number, new, old, similarity), black: Double(range.lowerBound),
      white: Double(range.upperBound), isSettled: self.range.value != nil)
    let score = ScoreEvent(worker: worker, value, truth: truth)
    workers[worker].newest = score
    last = score
    return score
  }

  /// Scores in a row that reached the threshold, this one included.
  private func streak(
    _ worker: Int, _ number: Int, _ new: SliceHistory.Kept, _ old: SliceHistory.Kept?, _ similarity: Double?
  ) -> Int {
    let looks = configuration.looks
    // A score that is no number reaches nothing. Where updates were made less often meanwhile, volumes as many updates
    // apart are another number of projections apart, which scores of other scans are not.
    guard let limit = configuration.similarityMin, let similarity, let old, similarity >= limit, range.value != nil,
      new.projections >= configuration.scoredFrom,
      new.projections - old.projections == looks.distance * configuration.windows.step
    else { return 0 }
    guard let newest = workers[worker].newest, newest.update == number - looks.spacing else { return 1 }
    return newest.streak + 1
  }
}

extension MultiScaleSimilarity {
  fileprivate func score(_ first: [Float], _ second: [Float]) -> Double {
    first.withUnsafeBufferPointer { first in second.withUnsafeBufferPointer { score(first, $0) } }
  }
}
