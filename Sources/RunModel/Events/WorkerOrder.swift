/// What `distribute` tells every worker. All get the same orders one after the other, each for its own rows. They
/// decide everything a worker computes, so replaying them repeats the same volume.
///
/// ```
/// metadata (128 B and 24 for each spread projection, little-endian)
///    0  action u32            1 rows   2 update   3 final   4 axis
///    4  count u32             rows: rows      update, final: iterations      axis: 1 where the volume begins anew
///    8  first u64             rows: sequence in projections    update: first projection     final, axis: projections
///   16  end u64               rows: first row                  update: end projection       final: subsets
///       end f64                  axis: standard error, in columns
///   24  index u64             rows: ordinal of the projection  update: number of the update
///   32  role u32              rows: 1 projection 2 flat 3 dark
///       every u32                update: of the newest projections only those whose number is a multiple; 0 for all
///   36  spread u32               update: spread projections
///   40  theta f64                rows: of the projection, in radians; 0 of a field
///       axis f64                 axis: in columns of a projection's payload, from its left edge
///   48  progress, see DistributionProgress
///  128  spread projections       each: ordinal u64, sequence in projections u64, theta f64; ordinals rise
/// ```
package enum WorkerOrder: Equatable, Sendable {
  /// Take your rows of the event `sequence` of `projections`; a projection is number `ordinal` of the scan, from 0, at
  /// the angle `theta`: who only has to know where it is does not read it.
  case rows(role: ImageRole, sequence: UInt64, ordinal: Int, theta: Double = 0)
  /// Run `iterations` over the projections with these ordinals, of which only the multiples of `every`, then over those
  /// that are spread. `index` counts the updates from 0.
  case update(index: Int, projections: Range<Int>, every: Int = 1, spread: [SpreadProjection] = [], iterations: Int)
  /// Run `iterations` over all `projections` of the scan, each in `subsets` ordered subsets.
  case final(iterations: Int, subsets: Int, projections: Int)
  /// The rotation axis is here, as the first `projections` show it, until the next such order. Where the volume begins
  /// anew, what was made about another axis is left behind: the next update starts from nothing.
  case axis(FoundAxis, projections: Int, startsOver: Bool)

  /// An earlier projection that an update uses: all that a worker needs to find it again.
  package struct SpreadProjection: Equatable, Sendable {
    /// Its number, below those of the end of the newest ones.
    package let ordinal: Int
    /// Its sequence in the topic of the images.
    package let sequence: UInt64
    /// In radians.
    package let theta: Double

    /// A projection as distribute knows it.
    package init(ordinal: Int, sequence: UInt64, theta: Double) {
      (self.ordinal, self.sequence, self.theta) = (ordinal, sequence, theta)
    }

    static let byteCount = 24
  }

  /// Bytes of metadata of an order without spread projections.
  package static let byteCount = DistributionProgress.offset + DistributionProgress.byteCount

  /// The fewest of the newest projections that an update uses: one in so many.
  package static let everyMax = 64

  /// Spread projections that an order has room for.
  package static let spreadMax = 64

  /// Writes the order to the worker of `rows`, and the progress after it, into a slot's metadata; returns the bytes
  /// used.
  package func encode(
    into metadata: UnsafeMutableRawBufferPointer, rows: Range<Int>, progress: DistributionProgress
  ) -> Int {
    let (action, count, first, end, index, role): (UInt32, Int, UInt64, UInt64, Int, UInt32) =
      switch self {
      case .rows(let role, let sequence, let ordinal, _):
        (1, rows.count, sequence, UInt64(rows.lowerBound), ordinal, role.rawValue)
      case .update(let index, let projections, let every, _, let iterations):
        (
          2, iterations, UInt64(projections.lowerBound), UInt64(projections.upperBound), index,
          every == 1 ? 0 : UInt32(every)
        )
      case .final(let iterations, let subsets, let projections):
        (3, iterations, UInt64(projections), UInt64(subsets), 0, 0)
      case .axis(let found, let projections, let startsOver):
        (4, startsOver ? 1 : 0, UInt64(projections), found.error.bitPattern, 0, 0)
      }
    metadata.store(action, at: 0)
    metadata.store(UInt32(count), at: 4)
    metadata.store(first, at: 8)
    metadata.store(end, at: 16)
    metadata.store(UInt64(index), at: 24)
    metadata.store(role, at: 32)
    metadata.store(UInt32(spread.count), at: 36)
    metadata.store(place, at: 40)
    progress.encode(into: metadata)
    for (number, projection) in spread.enumerated() {
      let offset = Self.byteCount + number * SpreadProjection.byteCount
      metadata.store(UInt64(projection.ordinal), at: offset)
      metadata.store(projection.sequence, at: offset + 8)
      metadata.store(projection.theta, at: offset + 16)
    }
    let byteCount = Self.byteCount + spread.count * SpreadProjection.byteCount
    let written = UnsafeRawBufferPointer(rebasing: metadata[..<byteCount])
    assert((try? Self(decoding: written, rows: rows)) == self, "\(self) does not read back")
    assert((try? DistributionProgress(decoding: written)) == progress, "\(progress) does not read back")
    return byteCount
  }

  /// What stands where the theta of a projection does.
  private var place: Double {
    switch self {
    case .rows(_, _, _, let theta): theta
    case .axis(let found, _, _): found.axis
    case .update, .final: 0
    }
  }

  private var spread: [SpreadProjection] {
    if case .update(_, _, _, let spread, _) = self { spread } else { [] }
  }

  /// The fields of an order, of the length that it says it has.
  static func fields(_ metadata: UnsafeRawBufferPointer) throws(EventError) -> MetadataFields {
    let fixed = try MetadataFields(
      UnsafeRawBufferPointer(rebasing: metadata.prefix(byteCount)), byteCount: byteCount, of: "order")
    let spread = Int(fixed.u32(at: 36))
    guard spread <= spreadMax, spread == 0 || fixed.u32(at: 0) == 2 else {
      throw .malformed("order with \(spread) spread projections")
    }
    return try MetadataFields(metadata, byteCount: byteCount + spread * SpreadProjection.byteCount, of: "order")
  }

  private static func spread(_ fields: MetadataFields, below end: Int) throws(EventError) -> [SpreadProjection] {
    var spread: [SpreadProjection] = []
    for number in 0..<Int(fields.u32(at: 36)) {
      let offset = byteCount + number * SpreadProjection.byteCount
      let projection = SpreadProjection(
        ordinal: try fields.count(at: offset, "spread projection"), sequence: fields.u64(at: offset + 8),
        theta: fields.f64(at: offset + 16))
      guard projection.ordinal < end, projection.ordinal > spread.last?.ordinal ?? -1, projection.theta.isFinite else {
        throw .malformed("spread projection \(projection.ordinal) at theta \(projection.theta) of \(end)")
      }
      spread.append(projection)
    }
    return spread
  }

  /// Reads an order to the worker of `rows` back; throws where a field has no meaning, or where it is another worker's.
  package init(decoding metadata: UnsafeRawBufferPointer, rows: Range<Int>) throws(EventError) {
    let fields = try Self.fields(metadata)
    let count = Int(fields.u32(at: 4)), isAxis = fields.u32(at: 0) == 4
    let end = isAxis ? 0 : try fields.count(at: 16, "end")
    let index = try fields.count(at: 24, "index")
    switch fields.u32(at: 0) {
    case 1:
      guard let role = ImageRole(rawValue: fields.u32(at: 32)) else {
        throw .malformed("order role \(fields.u32(at: 32))")
      }
      guard rows == end..<end + count else {
        throw .malformed("an order for rows \(end..<end + count) came to the worker of rows \(rows)")
      }
      let theta = fields.f64(at: 40)
      guard theta.isFinite else { throw .malformed("an order for an image at theta \(theta)") }
      self = .rows(role: role, sequence: fields.u64(at: 8), ordinal: index, theta: theta)
    case 2:
      let first = try fields.count(at: 8, "first projection")
      guard first < end, count > 0 else { throw .malformed("update over \(first)..<\(end), \(count) iterations") }
      let every = max(1, Int(fields.u32(at: 32)))
      guard every <= Self.everyMax, (end - 1) / every * every >= first else {
        throw .malformed("update over every \(every). of \(first)..<\(end)")
      }
      self = .update(
        index: index, projections: first..<end, every: every, spread: try Self.spread(fields, below: end),
        iterations: count)
    case 3:
      let projections = try fields.count(at: 8, "projections")
      guard count > 0, end > 0 else { throw .malformed("final sweep of \(count) iterations, \(end) subsets") }
      self = .final(iterations: count, subsets: end, projections: projections)
    case 4:
      guard count <= 1 else { throw .malformed("an order about the axis with \(count)") }
      let found = try FoundAxis(axis: fields.f64(at: 40), error: fields.f64(at: 16))
      self = .axis(found, projections: try fields.count(at: 8, "projections"), startsOver: count == 1)
    case let other: throw .malformed("order action \(other)")
    }
  }
}
