import Viewing

/// Answers what viewers ask of one volume. Use from one thread.
///
/// A plane is read once for all viewers and kept for a while with its levels, so that the tiles of one look are of one
/// version of it, however fast the volume changes: `stats` names the newest version, and the rest is asked for by its
/// name (`g`). What is named so never changes and may be kept for ever; one that is gone is gone (410), and the viewer
/// begins with `stats` again.
final class VolumeDesk {
  private let source: any ViewedVolume
  private let budget: RenderBudget
  /// What else the viewer can show, by the first part of its address.
  private let others: [String]
  private var snapshots: [Snapshot] = []
  private var uses = 0
  private var overviews: [Int: KnownOverview] = [:]
  private var builder: (edge: Int, builder: OverviewBuilder)?

  private final class Snapshot {
    let cut: VolumeRequest.Cut
    let plane: Plane
    let pyramid: PlanePyramid
    let tag: VersionTag
    /// What the volume was when the plane was read last, and when that was.
    var generations: [UInt64]
    var readAt: ContinuousClock.Instant
    var lastUse = 0
    lazy var statistics = PlaneStatistics(plane.values)

    init(_ cut: VolumeRequest.Cut, _ plane: Plane, _ tag: VersionTag, _ generations: [UInt64]) {
      (self.cut, self.plane, self.tag, self.generations, readAt) = (cut, plane, tag, generations, .now)
      pyramid = PlanePyramid(plane)
    }
  }

  private struct KnownOverview {
    let overview: Overview
    let tag: VersionTag
    let generations: [UInt64]
    let madeAt: ContinuousClock.Instant
  }

  /// Of all planes that are kept; one is, however large.
  private static let snapshotBytesMax = 192 << 20
  private static let snapshotsMax = 64
  /// Of one cut: what is on the screens, and what comes next.
  private static let versionsMax = 2
  /// Edges of overviews that are kept.
  private static let overviewsMax = 2
  /// An overview of a volume that changes is new enough for so long.
  private static let overviewFreshFor: Duration = .seconds(5)
  /// One request makes so much of an overview.
  private static let overviewTurn: Duration = .milliseconds(60)

  init(_ source: any ViewedVolume, _ budget: RenderBudget, others: [String] = []) {
    (self.source, self.budget, self.others) = (source, budget, others)
  }

  /// Why there is no answer.
  private enum Refusal: Error {
    case missing
    case malformed
    case gone
    case busy
    case underWay
    case unreadable(String)
  }

  /// The answer to a request for `path`, behind the volume's own address. With `isOver` nothing is there that looking
  /// could slow; a plane is new enough for `freshFor`.
  func respond(to request: Request, path: Substring, isOver: Bool, freshFor: Duration) -> Response {
    do throws(Refusal) {
      guard let wanted = VolumeRequest(path, query: request.query) else { throw .malformed }
      let named = try request.query["g"].map { text throws(Refusal) in
        guard let tag = VersionTag(text) else { throw .malformed }
        return tag
      }
      return try answer(wanted, named, known: request.headers["if-none-match"], isOver: isOver, freshFor: freshFor)
    } catch {
      switch error {
      case .missing: return .init(status: 404, "the volume has no such part")
      case .malformed: return .init(status: 400, "this is no question about a volume; see the dashboard's page")
      case .gone: return .init(status: 410, "this version of the volume is gone: ask stats for the newest")
      case .busy:
        let words = "this is not made yet, or there is no time for it now"
        return .init(status: 503, words, headers: [("Retry-After", "1")])
      case .underWay: return .init(status: 202, "the volume is being read", headers: [("Retry-After", "1")])
      case .unreadable(let reason): return .init(status: 500, reason)
      }
    }
  }

  private func answer(
    _ wanted: VolumeRequest, _ named: VersionTag?, known: String?, isOver: Bool, freshFor: Duration
  ) throws(Refusal) -> Response {
    func snapshot(_ cut: VolumeRequest.Cut) throws(Refusal) -> Snapshot {
      try self.snapshot(cut, named, isOver: isOver, freshFor: freshFor)
    }
    switch wanted {
    case .info: return .init(type: "application/json", RunSite.json(VolumeInfo(source, others: others)))
    case .stats(let cut):
      let snapshot = try snapshot(cut)
      let tag = "\"\(snapshot.tag)\""
      if known == tag { return .unchanged(tag: tag) }
      let answer = StatsAnswer(snapshot.tag, isLive: source.isLive, budget.spend { snapshot.statistics })
      return .init(
        type: "application/json", RunSite.json(answer), headers: [("Cache-Control", "no-cache"), ("ETag", tag)])
    case .tile(let cut, let level, let row, let column):
      return try tile(snapshot(cut), level, row, column, isNamed: named != nil)
    case .region(let cut, let corners):
      let snapshot = try snapshot(cut)
      let (columns, rows) = (snapshot.plane.columns, snapshot.plane.rows)
      guard corners.x0 < corners.x1, corners.y0 < corners.y1, corners.x1 <= columns, corners.y1 <= rows else {
        throw .missing
      }
      let measure = budget.spend {
        snapshot.plane.measure(columns: corners.x0..<corners.x1, rows: corners.y0..<corners.y1)
      }
      return .init(type: "application/json", RunSite.json(RegionAnswer(snapshot.tag, measure)))
    case .line(let cut, let corners):
      let snapshot = try snapshot(cut)
      let (columns, rows) = (snapshot.plane.columns, snapshot.plane.rows)
      guard max(corners.x0, corners.x1) < columns, max(corners.y0, corners.y1) < rows else { throw .missing }
      let values = snapshot.plane.line(from: (corners.x0, corners.y0), to: (corners.x1, corners.y1))
      return .init(type: "application/json", RunSite.json(LineAnswer(snapshot.tag, values)))
    case .overview(let edge): return try overview(edge, named, known: known, isOver: isOver)
    }
  }

  private func tile(_ snapshot: Snapshot, _ level: Int, _ row: Int, _ column: Int, isNamed: Bool) throws(Refusal)
    -> Response
  {
    guard let tile = snapshot.pyramid.tile(level: level, row: row, column: column) else { throw .missing }
    var headers = [
      ("Cache-Control", isNamed ? "private, max-age=31536000, immutable" : "no-store"),
      ("X-Version", snapshot.tag.description), ("X-Columns", "\(tile.columns)"), ("X-Rows", "\(tile.rows)"),
    ]
    guard level > 0 else { return .init(type: "application/octet-stream", tile.float32, headers: headers) }
    let codes = budget.spend { tile.codes }
    headers += [("X-Low", "\(codes.low)"), ("X-High", "\(codes.high)")]
    return .init(type: "application/octet-stream", codes.bytes, headers: headers)
  }

  // MARK: Planes

  /// The version that is named, or the newest that there is time for.
  private func snapshot(
    _ cut: VolumeRequest.Cut, _ named: VersionTag?, isOver: Bool, freshFor: Duration
  ) throws(Refusal) -> Snapshot {
    guard cut.index < source.count(along: cut.axis), source.axes.contains(cut.axis) else { throw .missing }
    uses += 1
    if let named, let kept = snapshots.first(where: { $0.cut == cut && $0.tag == named }) {
      kept.lastUse = uses
      return kept
    }
    let newest = try newest(cut, isOver: isOver, freshFor: freshFor)
    newest.lastUse = uses
    guard named == nil || newest.tag == named else { throw .gone }
    return newest
  }

  private func newest(_ cut: VolumeRequest.Cut, isOver: Bool, freshFor: Duration) throws(Refusal) -> Snapshot {
    let known = snapshots.last { $0.cut == cut }
    let (generations, now) = (source.generations, ContinuousClock.now)
    if let known, known.generations == generations || (!isOver && now - known.readAt < freshFor) { return known }
    guard isOver || budget.allows(isNew: known == nil, now: now) else {
      guard let known else { throw .busy }
      return known
    }
    let (source, edge) = (source, max(source.columns, source.slices))
    let made: Snapshot
    do throws(PlaneMissing) {
      made = try budget.spend { () throws(PlaneMissing) in
        let plane = try source.plane(cut.axis, at: cut.index, edgeMax: edge)
        return Snapshot(cut, plane, VersionTag(of: source.identity, plane.generations), generations)
      }
    } catch {
      if let known { return known }
      switch error {
      case .notNow: throw .busy
      case .unreadable(let reason): throw .unreadable(reason)
      }
    }
    if let known, known.tag == made.tag {
      (known.generations, known.readAt) = (generations, now)
      return known
    }
    keep(made)
    return made
  }

  private func keep(_ snapshot: Snapshot) {
    snapshot.lastUse = uses
    snapshots.append(snapshot)
    let versions = snapshots.indices.filter { snapshots[$0].cut == snapshot.cut }
    if versions.count > Self.versionsMax { snapshots.remove(at: versions[0]) }
    var bytes = snapshots.reduce(0) { $0 + $1.pyramid.byteCount }
    while snapshots.count > 1, bytes > Self.snapshotBytesMax || snapshots.count > Self.snapshotsMax {
      guard let oldest = snapshots.indices.min(by: { snapshots[$0].lastUse < snapshots[$1].lastUse }) else { return }
      bytes -= snapshots.remove(at: oldest).pyramid.byteCount
    }
  }

  // MARK: Overviews

  private func overview(_ edge: Int, _ named: VersionTag?, known: String?, isOver: Bool) throws(Refusal) -> Response {
    guard Overview.edges.contains(edge) else { throw .malformed }
    let existing = overviews[edge]
    if let existing, existing.tag == named { return Self.response(existing, known) }
    let isFresh = existing.map {
      $0.generations == source.generations || (!isOver && .now - $0.madeAt < Self.overviewFreshFor)
    }
    let made = isFresh == true ? existing : try build(edge, isOver: isOver) ?? existing
    guard let made else { throw .underWay }
    guard named == nil || made.tag == named else { throw .gone }
    return Self.response(made, known)
  }

  private static func response(_ known: KnownOverview, _ tag: String?) -> Response {
    let own = "\"\(known.tag)\""
    if tag == own { return .unchanged(tag: own) }
    let overview = known.overview
    return .init(
      type: "application/octet-stream", overview.bytes,
      headers: [
        ("Cache-Control", "no-cache"), ("ETag", own), ("X-Version", known.tag.description),
        ("X-Columns", "\(overview.columns)"), ("X-Slices", "\(overview.slices)"), ("X-Low", "\(overview.low)"),
        ("X-High", "\(overview.high)"),
      ])
  }

  /// Makes some more of an overview: of the whole when there is the time. Nil while it is not complete.
  private func build(_ edge: Int, isOver: Bool) throws(Refusal) -> KnownOverview? {
    if builder?.edge != edge { builder = (edge, OverviewBuilder(source, edge: edge)) }
    guard let builder = builder?.builder else { return nil }
    let end = ContinuousClock.now + Self.overviewTurn
    while !builder.isComplete {
      guard .now < end, isOver || budget.allows(isNew: overviews[edge] == nil, now: .now) else { return nil }
      do throws(PlaneMissing) { try budget.spend { () throws(PlaneMissing) in try builder.step() } } catch {
        self.builder = nil
        switch error {
        case .notNow: return nil
        case .unreadable(let reason): throw .unreadable(reason)
        }
      }
    }
    self.builder = nil
    let made = KnownOverview(
      overview: budget.spend { builder.finish() }, tag: VersionTag(of: source.identity, builder.generations),
      generations: builder.begunAt, madeAt: .now)
    overviews[edge] = made
    if overviews.count > Self.overviewsMax,
      let oldest = overviews.filter({ $0.key != edge }).min(by: { $0.value.madeAt < $1.value.madeAt })
    {
      overviews[oldest.key] = nil
    }
    return made
  }
}
