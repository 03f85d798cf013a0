import Run
import ScanFiles
import Tomography

/// Answers what pages ask of a run's images: the newest projection, raw and corrected, and the sinogram of a row. Use
/// from one thread.
///
/// A picture is made once for all who want it, when there is processor time for pictures; until then the last one is
/// sent again. What takes longer than a turn, as the first lines of a long sinogram do, comes with the next requests.
final class ImageDesk {
  private let images: RunImages
  private let budget: RenderBudget
  private var pictures: [ImageRequest: Entry] = [:]
  private var uses = 0

  private struct Entry {
    let png: [UInt8]
    let image: RunImages.Image
    let window: ClosedRange<Float>
    let madeAt: ContinuousClock.Instant
    var lastUse: Int
  }

  /// One request reads for so long.
  private static let turn: Duration = .milliseconds(40)
  private static let picturesMax = 8
  private static let percentile = 0.5

  init(_ images: RunImages, _ budget: RenderBudget) { (self.images, self.budget) = (images, budget) }

  /// The answer to a request for `path`, behind the images' own address; a picture is new enough for `freshFor`.
  func respond(to request: Request, path: Substring, isOver: Bool, freshFor: Duration) -> Response {
    if path == "info" { return .init(type: "application/json", RunSite.json(images.describe())) }
    guard let wanted = ImageRequest(path, query: request.query) else {
      return .init(status: 404, "there is nothing at \(request.path)")
    }
    guard wanted.row ?? 0 < images.describe().rows else {
      return .init(status: 404, "the projections have no row \(wanted.row ?? 0)")
    }
    guard let entry = newest(wanted, isOver: isOver, freshFor: freshFor) else {
      return .init(status: 503, "there is no such picture yet", headers: [("Retry-After", "1")])
    }
    let tag = "\"\(entry.image.version)_\(wanted.row ?? -1)_\(wanted.form.rawValue)\""
    if request.headers["if-none-match"] == tag { return .unchanged(tag: tag) }
    return .init(
      type: "image/png", entry.png,
      headers: [
        ("Cache-Control", "no-cache"), ("ETag", tag), ("X-Projection", "\(entry.image.projection)"),
        ("X-Theta-Degrees", "\(entry.image.theta * 180 / .pi)"), ("X-Low", "\(entry.window.lowerBound)"),
        ("X-High", "\(entry.window.upperBound)"), ("X-Lines", "\(entry.image.rows)"),
        ("X-Complete", entry.image.isComplete ? "yes" : "no"),
      ])
  }

  private func newest(_ wanted: ImageRequest, isOver: Bool, freshFor: Duration) -> Entry? {
    let known = pictures[wanted], now = ContinuousClock.now
    uses += 1
    pictures[wanted]?.lastUse = uses
    if let known {
      let isNewest = wanted.row == nil && images.version(wanted.form) == known.image.version
      if isNewest || (known.image.isComplete && now - known.madeAt < freshFor) { return known }
    }
    guard isOver || budget.allows(isNew: known == nil, now: now), let made = budget.spend({ make(wanted, now) }) else {
      return known
    }
    pictures[wanted] = made
    if pictures.count > Self.picturesMax, let oldest = pictures.min(by: { $0.value.lastUse < $1.value.lastUse }) {
      pictures[oldest.key] = nil
    }
    return made
  }

  private func make(_ wanted: ImageRequest, _ now: ContinuousClock.Instant) -> Entry? {
    let deadline = now + Self.turn
    let image =
      if let row = wanted.row {
        images.sinogram(wanted.form, row: row, until: deadline)
      } else {
        images.projection(wanted.form, until: deadline)
      }
    guard let image else { return nil }
    let window = image.values.withUnsafeBufferPointer { greyRange($0, percentile: Self.percentile) }
    let grey = image.values.withUnsafeBufferPointer {
      greyLevels($0, low: window.lowerBound, high: window.upperBound)
    }
    // libpng fails only where there is no memory: then there is no picture either.
    guard let png = try? encodePNG(name: "image", columns: image.columns, rows: image.rows, grey: grey) else {
      return nil
    }
    return Entry(png: png, image: image, window: window, madeAt: now, lastUse: uses)
  }
}

/// Which picture of a run's images a page asks for.
struct ImageRequest: Hashable {
  let form: RunImages.Form
  /// Of a sinogram; nil for the newest projection.
  let row: Int?

  /// From `raw.png`, `corrected.png` or `sinogram.png` with `row` and, unless it is corrected, `of=raw`; nil where that
  /// is no picture.
  init?(_ path: Substring, query: [String: String]) {
    guard path.hasSuffix(".png") else { return nil }
    let name = path.dropLast(4)
    guard name == "sinogram" else {
      guard let form = RunImages.Form(rawValue: String(name)) else { return nil }
      (self.form, row) = (form, nil)
      return
    }
    guard let row = query["row"].flatMap(Int.init), (0..<Self.rowsMax).contains(row),
      let form = RunImages.Form(rawValue: query["of"] ?? RunImages.Form.corrected.rawValue)
    else { return nil }
    (self.form, self.row) = (form, row)
  }

  private static let rowsMax = 1_000_000
}
