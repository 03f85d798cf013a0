import KernelTypes
import RunModel
import Tomography

/// Scores the monitored slices of all workers, each against what it was when its window had no projection in common
/// with the present one.
///
/// ```
/// updates      ·····························    window of each: the projections before it
/// looked at    |      |      |      |      |    four in a window's length
///              └────── compared ──────────┘     windows without a common projection
/// ```
struct SliceScores {
  private struct Look {
    let projections: Int
    let slice: [Float]
  }

  private struct Watched {
    let slice: MonitoredSlice
    var looks: [Look] = []
    /// Projections at which to look next.
    var due: Int
    var streak = 0
  }

  private let configuration: ControlConfiguration
  private var workers: [Watched]
  /// The grey range of the whole run; nil until there is a slice to take it from.
  private var range: ClosedRange<Float>?

  /// Outliers on either side of the grey range, in percent.
  private static let outliers = 0.5

  /// `range` is what a predecessor compared with.
  init(_ configuration: ControlConfiguration, slices: [MonitoredSlice], range: ClosedRange<Double>?) {
    self.configuration = configuration
    // Windows that are still filling up say nothing about later ones.
    let first = max(configuration.windows.length, configuration.scoredFrom - configuration.windows.length)
    workers = slices.map { Watched(slice: $0, due: first) }
    self.range = range.map { Float($0.lowerBound)...Float($0.upperBound) }
  }

  /// Whether every worker's scores have been high enough, often enough.
  var areSimilar: Bool {
    configuration.similarityMin != nil && workers.allSatisfy { $0.streak >= configuration.patience }
  }

  /// Looks at the volume of a worker that has made `update`, if it is time to; nil where there is nothing to say.
  mutating func look(at worker: Int, after update: UpdateEvent) throws -> ScoreEvent? {
    guard update.phase == .window, update.projections.upperBound >= workers[worker].due else { return nil }
    let volume = workers[worker].slice.volume, columns = volume.layout.columns
    guard columns >= MultiScaleSimilarity.columnsMin else { return nil }
    var newest: UpdateEvent?
    let slice = try [Float](unsafeUninitializedCapacity: columns * columns) { buffer, count in
      newest = try volume.snapshot(row: MonitoredSlice.row(of: volume.layout.rows), into: buffer)
      count = newest == nil ? 0 : columns * columns
    }
    // The final iterations have begun: the scan has ended.
    guard let newest, newest.phase == .window, let range = range(for: slice) else { return nil }
    workers[worker].due =
      newest.projections.upperBound + max(1, configuration.windows.length / ControlConfiguration.scoresPerWindow)
    return score(worker, newest, slice, range)
  }

  private mutating func score(_ worker: Int, _ update: UpdateEvent, _ slice: [Float], _ range: ClosedRange<Float>)
    -> ScoreEvent?
  {
    let end = update.projections.upperBound
    let looks = workers[worker].looks
    let earlier = looks.last { $0.projections <= end - configuration.windows.length }
    let comparison = MultiScaleSimilarity(
      columns: workers[worker].slice.volume.layout.columns, range: range,
      radiusFraction: ControlConfiguration.radiusFraction)
    let similarity = earlier.map { comparison.score($0.slice, slice) }
    let truth = workers[worker].slice.truth.map { comparison.score($0, slice) }
    // Those before the one that was compared are of no use any more.
    workers[worker].looks =
      looks.filter { $0.projections >= earlier?.projections ?? 0 } + [Look(projections: end, slice: slice)]
    if let similarity, end >= configuration.scoredFrom {
      // A score that is no number reaches nothing.
      let isHigh = configuration.similarityMin.map { similarity >= $0 } ?? false
      workers[worker].streak = isHigh ? workers[worker].streak + 1 : 0
    }
    guard similarity != nil || truth != nil else { return nil }
    return ScoreEvent(
      worker: worker, streak: workers[worker].streak, update: update.index, projections: end,
      against: earlier?.projections,
      similarity: similarity, truth: truth, range: Double(range.lowerBound)...Double(range.upperBound))
  }

  /// The run's grey range: that of the first reference, or of the first slice that was looked at; nil where that is all
  /// the same.
  private mutating func range(for slice: [Float]) -> ClosedRange<Float>? {
    if range == nil {
      let image = workers.lazy.compactMap(\.slice.truth).first ?? slice
      let found = image.withUnsafeBufferPointer { greyRange($0, percentile: Self.outliers) }
      if found.lowerBound < found.upperBound { range = found }
    }
    return range
  }
}

extension MultiScaleSimilarity {
  fileprivate func score(_ first: [Float], _ second: [Float]) -> Double {
    first.withUnsafeBufferPointer { first in second.withUnsafeBufferPointer { score(first, $0) } }
  }
}
