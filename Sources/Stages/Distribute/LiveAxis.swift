import Host
import Rings
import RunModel
import Tomography
import Topics

/// Finds the rotation axis of a scan from the projections that were handed out so far, in one row of them.
///
/// What it finds is a function of these images and their sequence. It keeps their rows as they pass by; what is not at
/// hand, because it is on disk by then, or a predecessor handed it out, is read when it is needed and not before.
final class LiveAxis {
  /// One image that was handed out.
  struct Image {
    let role: ImageRole
    let sequence: UInt64
    let theta: Double
    /// Its row; nil where that was not at hand.
    fileprivate(set) var row: (pixels: [UInt8], type: PixelType)?

    /// An image whose row is read later.
    init(role: ImageRole, sequence: UInt64, theta: Double) {
      (self.role, self.sequence, self.theta) = (role, sequence, theta)
    }
  }

  private let schedule: AxisSchedule
  private let images: TopicReader
  /// Of a successor: what its predecessors handed out, until that was asked for.
  private var recall: (() throws -> [Image])?
  private var counts: RowCounts
  private var thetas: [Double] = []
  /// What `counts` does not have yet.
  private var waiting: [Image] = []
  private let noticed: (String) -> Void

  /// `recall` gives all images that a predecessor handed out, nil where there was none. `noticed` hears why nothing is
  /// found.
  init(
    _ schedule: AxisSchedule, images: TopicReader, recall: (() throws -> [Image])?, noticed: @escaping (String) -> Void
  ) {
    (self.schedule, self.images, self.recall, self.noticed) = (schedule, images, recall, noticed)
    counts = RowCounts(columns: schedule.columns, minusLog: schedule.minusLog)
  }

  /// Takes note of an image that was handed out, while `event` is at hand.
  func note(_ role: ImageRole, theta: Double, _ event: Event) throws {
    var image = Image(role: role, sequence: event.header.sequence, theta: theta)
    // Of an image that is on disk already only the header is there.
    if !event.payload.isEmpty { image.row = try row(of: event) }
    if role == .projection { thetas.append(theta) }
    waiting.append(image)
  }

  /// What a search came to before the end.
  enum Search: Equatable {
    /// The projections are from too small a part of a turn, or cannot be corrected yet.
    case tooEarly
    /// They show no axis, or one that is too unsure to begin with it.
    case nothing
    /// In columns, where the plan means it.
    case found(FoundAxis)
  }

  /// Looks for the axis while projections come.
  func find() throws -> Search {
    try recallImages()
    guard let first = thetas.min(), let last = thetas.max(), thetas.count > 1,
      (last - first) * Double(thetas.count) / Double(thetas.count - 1) >= AxisSchedule.spanMin - 1e-6
    else { return .tooEarly }
    try fill()
    if schedule.needsFlats, counts.fields.flatCount == 0 { return .tooEarly }
    guard let found = try estimate(), found.error <= AxisSchedule.errorMax else { return .nothing }
    return .found(found)
  }

  /// The axis of all projections, as well as they show it; the one `before` where they show none, and the detector's
  /// middle where there is none.
  func findLast(before: FoundAxis?) throws -> FoundAxis {
    try recallImages()
    try fill()
    return try estimate() ?? before ?? .middle(ofColumns: schedule.columns)
  }

  private func estimate() throws -> FoundAxis? {
    FaultPoint.axisSearch.reach()
    let (lines, thetas) = counts.lineIntegrals()
    do throws(RotationAxisError) {
      guard !thetas.isEmpty else { throw .unusable(reason: "every projection is empty in row \(schedule.row)") }
      let found = try lines.withUnsafeBufferPointer { lines throws(RotationAxisError) in
        try estimateRotationAxis(sinogram: lines, angles: thetas, columns: schedule.columns)
      }
      let axis = found.axis - schedule.offset
      guard axis.isFinite, axis > 0 else { throw .unusable(reason: "it would lie outside the detector") }
      return FoundAxis(axis, error: min(found.error, 0.5 * Double(schedule.columns)))
    } catch {
      noticed("after \(thetas.count) projections: \(error)")
      return nil
    }
  }

  /// Asks what predecessors handed out.
  private func recallImages() throws {
    guard let before = try recall?() else { return }
    waiting = before + waiting
    thetas = before.filter { $0.role == .projection }.map(\.theta) + thetas
    recall = nil
  }

  /// Takes what is waiting, in its sequence.
  private func fill() throws {
    for image in waiting {
      let row = try image.row ?? read(image.sequence)
      row.pixels.withUnsafeBytes { pixels in
        switch image.role {
        case .projection: counts.add(projection: pixels, type: row.type, theta: image.theta)
        case .flat: counts.add(flat: pixels, type: row.type)
        case .dark: counts.add(dark: pixels, type: row.type)
        }
      }
    }
    waiting = []
  }

  private func read(_ sequence: UInt64) throws -> (pixels: [UInt8], type: PixelType) {
    try row(of: images.event(at: sequence, rows: schedule.row..<schedule.row + 1))
  }

  private func row(of event: Event) throws -> (pixels: [UInt8], type: PixelType) {
    let pixels = try RowPixels(event, rows: schedule.row..<schedule.row + 1, columns: schedule.columns)
    let byteCount = schedule.columns * pixels.type.byteCount
    return (Array(UnsafeRawBufferPointer(start: pixels.base, count: byteCount)), pixels.type)
  }
}
