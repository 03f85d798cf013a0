import KernelTypes
import Run
import ScanFiles
import Tomography

/// Makes pictures of a run's newest volume, each of them once for all who want it. Use from one thread.
final class Gallery {
  private let view: RunView
  private let budget: RenderBudget
  private var pictures: [PictureRequest: Entry] = [:]
  private var uses = 0
  private var range: (generations: [UInt64], window: GreyWindow)?

  private struct Entry {
    let picture: Picture
    let generations: [UInt64]
    /// What it was made with.
    let window: GreyWindow
    let madeAt: ContinuousClock.Instant
    var lastUse: Int
  }

  /// Pictures that are kept: the newest of what was asked for last.
  private static let picturesMax = 48
  /// Edge of the picture that the automatic window is taken from.
  private static let rangeEdge = 128
  private static let percentile = 0.5

  init(_ view: RunView, _ budget: RenderBudget) { (self.view, self.budget) = (view, budget) }

  /// Why there is no picture.
  enum Missing: Error {
    /// The volume has no such cut, or the run no such volume.
    case noSuchCut
    /// It is not denoised yet.
    case notDenoised
    /// It changes faster than it can be read, or pictures have taken their share of the machine: another time.
    case busy
  }

  /// The newest picture, or an older one while there is no processor time for a new one. One that is younger than
  /// `freshFor` is new enough, whatever came since: where many watch a volume that changes often, each of them would
  /// have its own otherwise. With `isOver` there is no run any more that it could slow.
  func picture(
    _ request: PictureRequest, isOver: Bool, freshFor: Duration, now: ContinuousClock.Instant
  ) throws(Missing) -> Picture {
    guard request.index < view.count(along: request.axis) else { throw .noSuchCut }
    let generations = try generations(of: request)
    uses += 1
    let known = pictures[request]
    let isNewest =
      known.map { $0.generations == generations && (request.window != nil || $0.window == range?.window) } ?? false
    if let known, isNewest || (!isOver && now - known.madeAt < freshFor) {
      pictures[request]?.lastUse = uses
      return known.picture
    }
    // A volume of zeros has no range: it is black in any.
    guard let window = request.window ?? automaticWindow(isOver: isOver) ?? GreyWindow(low: 0, high: 1),
      isOver || budget.allows(isNew: known == nil, now: now),
      let made = budget.spend({ make(request, generations, window) })
    else {
      guard let known else { throw .busy }
      return known.picture
    }
    pictures[request] = made
    if pictures.count > Self.picturesMax, let oldest = pictures.min(by: { $0.value.lastUse < $1.value.lastUse }) {
      pictures[oldest.key] = nil
    }
    return made.picture
  }

  /// What a picture changes with.
  private func generations(of request: PictureRequest) throws(Missing) -> [UInt64] {
    guard request.content == .denoised else { return view.generations }
    guard let complete = view.denoisedSlices else { throw .noSuchCut }
    guard request.axis == .z ? request.index < complete : complete > 0 else { throw .notDenoised }
    let live = view.denoisedGeneration.map { [$0] } ?? []
    return (request.axis == .z ? [] : [UInt64(complete)]) + live
  }

  /// From the 0.5 to the 99.5 percentile of the newest middle slice, inside the inscribed disk: what lies outside is
  /// seen by few projections and has the largest values; nil before there is one.
  func automaticWindow(isOver: Bool) -> GreyWindow? {
    let generations = view.generations
    if let range, range.generations == generations { return range.window }
    // While there is no time for a new one, the old one is good enough.
    guard isOver || range == nil || budget.allows(isNew: false, now: .now) else { return range?.window }
    let window = budget.spend { () -> GreyWindow? in
      guard let cut = view.cut(.z, at: view.slices / 2, edgeMax: Self.rangeEdge) else { return nil }
      let inside = Self.insideDisk(cut.values, columns: cut.columns, rows: cut.rows)
      let range = inside.withUnsafeBufferPointer { greyRange($0, percentile: Self.percentile) }
      return GreyWindow(low: range.lowerBound, high: range.upperBound)
    }
    if let window { range = (generations, window) }
    return window ?? range?.window
  }

  /// The values inside the disk that is inscribed in a slice.
  static func insideDisk(_ values: [Float], columns: Int, rows: Int) -> [Float] {
    precondition(columns == rows && values.count == columns * rows, "\(columns) × \(rows) is no slice")
    let disk = DiskMask(columns: columns, isDisk: true)
    return (0..<rows).flatMap { row in disk.columns(row: row).map { values[row * columns + $0] } }
  }

  /// `generations` were read before: what is newer in the picture is made once more then, and nothing newer is missed.
  private func make(_ request: PictureRequest, _ generations: [UInt64], _ window: GreyWindow) -> Entry? {
    let cut =
      switch request.content {
      case .reconstructed: view.cut(request.axis, at: request.index, edgeMax: request.edge)
      case .denoised: view.denoisedCut(request.axis, at: request.index, edgeMax: request.edge)
      }
    guard let cut else { return nil }
    let grey = cut.values.withUnsafeBufferPointer { greyLevels($0, low: window.low, high: window.high) }
    let name = "\(request.axis.rawValue)/\(request.index)"
    // libpng fails only where there is no memory: then there is no picture either.
    guard let png = try? encodePNG(name: name, columns: cut.columns, rows: cut.rows, grey: grey) else { return nil }
    let tag =
      "\"\(request.content.rawValue.prefix(1))\(cut.generations.map(String.init).joined(separator: "."))"
      + "_\(window.low)_\(window.high)\""
    let picture = Picture(png: png, generation: cut.generations.max() ?? 0, tag: tag)
    return Entry(picture: picture, generations: generations, window: window, madeAt: .now, lastUse: uses)
  }
}
