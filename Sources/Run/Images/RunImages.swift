import Glibc
import Rings
import RunModel
import ScanPlan
import Topics

/// The images of a run as somebody looks at them: the newest projection, and one row of many projections (a sinogram),
/// as they came and as they are reconstructed. Holds no stage; every question takes a bounded time. Use from one thread
/// at a time.
package final class RunImages {
  /// Which images.
  package enum Form: String, CaseIterable, Sendable {
    /// As they came from the source, in its counts.
    case raw
    /// Filtered where the run filters, divided by the flat field, and −log where the run takes it.
    case corrected
  }

  /// Pixels of an image, thinned to `edgeMax` along a side.
  package struct Image: Sendable {
    /// Pixels of a line.
    package let columns: Int
    /// Lines.
    package let rows: Int
    /// rows × columns values, line by line; NaN where a pixel has none.
    package let values: [Float]
    /// The number of the projection in the scan; of a sinogram that of its last line.
    package let projection: UInt64
    /// Its angle in radians.
    package let theta: Double
    /// Changes where the pixels do.
    package let version: UInt64
    /// Whether nothing of it is still to be read.
    package let isComplete: Bool
  }

  /// What a run's projections are.
  package struct Description: Codable, Equatable, Sendable {
    /// Detector rows and columns.
    package let rows: Int
    package let columns: Int
    /// Projections of the scan.
    let projections: Int
    /// The newest one; nil before the first.
    package let newest: UInt64?
    /// Its angle in degrees.
    let thetaDegrees: Double?
    /// Whether a sinogram has one projection in so many.
    package let step: Int
  }

  /// The most pixels along a side, and the most lines of a sinogram.
  package static let (edgeMax, linesMax) = (768, 512)
  /// Rows whose sinograms are kept.
  private static let sinogramsMax = 4
  /// What comes before the newest projection: fields, and the end.
  private static let newestSearchMax: UInt64 = 512

  private let plan: RunPlan
  private let (raw, corrected): (ImageTopic, ImageTopic)
  private let isWhole: () -> Bool
  private var newest: [Form: (published: UInt64, sequence: UInt64)] = [:]
  private var sinograms: [(form: Form, row: Int, lines: SinogramLines)] = []
  private var fields: ImageFields

  /// The images of a run that goes on. `isWhole` says whether nobody cut its memory short, which would end who reads.
  init(_ plan: RunPlan, _ folder: RunFolder, rings: [Topic: Ring], isWhole: @escaping () -> Bool) {
    func history(_ topic: Topic) -> TopicHistory? {
      // A topic in memory has none.
      plan.scan.durability == .durable
        ? try? TopicHistory(
          folder: folder.journal(topic), mirror: folder.mirror(topic, plan), specification: plan.ring(topic)) : nil
    }
    func observer(_ topic: Topic) -> TopicObserver? {
      rings[topic].map { TopicObserver(ring: $0, history: history(topic)) }
    }
    raw = ImageTopic(observer(.projections))
    corrected = plan.images == .projections ? raw : ImageTopic(observer(plan.images))
    (self.plan, self.isWhole) = (plan, isWhole)
    fields = ImageFields(corrected, plan)
  }

  /// The images of a run that is over, as far as its folder still has them.
  /// - Throws: where it has none, or they cannot be read.
  package init(folder: RunFolder) throws {
    let plan = try folder.readPlan()
    func observer(_ topic: Topic) throws -> TopicObserver {
      try TopicObserver(
        history: TopicHistory(
          folder: folder.journal(topic), mirror: folder.mirror(topic, plan), specification: plan.ring(topic)))
    }
    raw = ImageTopic(try observer(.projections))
    corrected = plan.images == .projections ? raw : ImageTopic(try observer(plan.images))
    (self.plan, isWhole) = (plan, { true })
    fields = ImageFields(corrected, plan)
  }

  private func topic(_ form: Form) -> ImageTopic { form == .raw ? raw : corrected }

  /// What there is.
  package func describe() -> Description {
    let header = isWhole() ? newestSequence(.raw).flatMap { raw.header(at: $0) } : nil
    return Description(
      rows: plan.shape.rows, columns: plan.shape.columns, projections: plan.shape.projections,
      newest: header?.projection, thetaDegrees: header.map { $0.theta * 180 / .pi }, step: step)
  }

  /// A number that changes where the newest image of this form does; nil where there is none.
  package func version(_ form: Form) -> UInt64? { isWhole() ? newestSequence(form) : nil }

  /// The newest projection; nil where there is none, or it could not be read. The first corrected one takes as long as
  /// its fields, which are read until `deadline` and further at the next call.
  package func projection(_ form: Form, until deadline: ContinuousClock.Instant) -> Image? {
    guard isWhole(), let sequence = newestSequence(form) else { return nil }
    let picks = ImagePicks(rows: plan.shape.rows, columns: plan.shape.columns, edgeMax: Self.edgeMax)
    if form == .corrected {
      guard fields.take(picks, until: deadline) else { return nil }
    }
    guard let event = topic(form).image(at: sequence, rows: 0..<plan.shape.rows), var values = picks.values(of: event)
    else { return nil }
    if form == .corrected { fields.correct(&values) }
    return Image(
      columns: picks.columns.count, rows: picks.rows.count, values: values, projection: event.header.projection,
      theta: event.header.theta, version: sequence, isComplete: true)
  }

  /// One row of the projections so far, a line each, the first one on top; of long scans every second, third, …
  /// projection, so that there are `linesMax` at most. What was not read by `deadline` comes with the next call; nil
  /// before there is a line. `row` is one of the detector's.
  package func sinogram(_ form: Form, row: Int, until deadline: ContinuousClock.Instant) -> Image? {
    precondition((0..<plan.shape.rows).contains(row), "row \(row) of \(plan.shape.rows)")
    guard isWhole() else { return nil }
    let found = sinograms.firstIndex { $0.form == form && $0.row == row }
    var lines =
      found.map { sinograms.remove(at: $0).lines }
      ?? SinogramLines(topic(form), plan, row: row, isCorrected: form == .corrected, step: step)
    let isComplete = lines.read(until: deadline)
    sinograms = sinograms.suffix(Self.sinogramsMax - 1) + [(form, row, lines)]
    return lines.image(isComplete: isComplete)
  }

  /// Sequences from one line of a sinogram to the next.
  private var step: Int {
    max(1, (plan.shape.projections + plan.shape.flatsAndDarks + Self.linesMax - 1) / Self.linesMax)
  }

  private func newestSequence(_ form: Form) -> UInt64? {
    let topic = topic(form), published = topic.published
    if let known = newest[form], known.published == published { return known.sequence }
    var sequence = published
    while sequence > 0, published - sequence < Self.newestSearchMax {
      sequence -= 1
      guard topic.header(at: sequence)?.kind == .projection else { continue }
      newest[form] = (published, sequence)
      return sequence
    }
    return newest[form]?.sequence
  }
}

extension RunFolder {
  /// Whether the projections of the run are still here.
  package var hasImages: Bool { access(journal(.projections), F_OK) == 0 && access(plan, F_OK) == 0 }
}
