/// What `distribute` tells every worker. All get the same orders one after the other, each for its own rows. They
/// decide everything a worker computes, so replaying them repeats the same volume.
///
/// ```
/// metadata (104 B, little-endian)
///    0  action u32            1 rows   2 update   3 final
///    4  count u32             rows: rows      update, final: iterations
///    8  first u64             rows: sequence in projections    update: first projection     final: projections
///   16  end u64               rows: first row                  update: end projection       final: subsets
///   24  index u64             rows: ordinal of the projection  update: number of the update
///   32  role u32              rows: 1 projection 2 flat 3 dark
///   36  reserved u32
///   40  theta f64                rows: of the projection, in radians; 0 of a field
///   48  progress, see DistributionProgress
/// ```
package enum WorkerOrder: Equatable, Sendable {
  /// Take your rows of the event `sequence` of `projections`; a projection is number `ordinal` of the scan, from 0, at
  /// the angle `theta`: who only has to know where it is does not read it.
  case rows(role: ImageRole, sequence: UInt64, ordinal: Int, theta: Double = 0)
  /// Run `iterations` over the projections with these ordinals. `index` counts the updates from 0.
  case update(index: Int, projections: Range<Int>, iterations: Int)
  /// Run `iterations` over all `projections` of the scan, each in `subsets` ordered subsets.
  case final(iterations: Int, subsets: Int, projections: Int)

  /// Bytes of metadata.
  package static let byteCount = DistributionProgress.offset + DistributionProgress.byteCount

  /// Writes the order to the worker of `rows`, and the progress after it, into a slot's metadata; returns the bytes
  /// used.
  package func encode(
    into metadata: UnsafeMutableRawBufferPointer, rows: Range<Int>, progress: DistributionProgress
  ) -> Int {
    let (action, count, first, end, index, role): (UInt32, Int, UInt64, Int, Int, UInt32) =
      switch self {
      case .rows(let role, let sequence, let ordinal, _):
        (1, rows.count, sequence, rows.lowerBound, ordinal, role.rawValue)
      case .update(let index, let projections, let iterations):
        (2, iterations, UInt64(projections.lowerBound), projections.upperBound, index, 0)
      case .final(let iterations, let subsets, let projections): (3, iterations, UInt64(projections), subsets, 0, 0)
      }
    metadata.store(action, at: 0)
    metadata.store(UInt32(count), at: 4)
    metadata.store(first, at: 8)
    metadata.store(UInt64(end), at: 16)
    metadata.store(UInt64(index), at: 24)
    metadata.store(role, at: 32)
    metadata.store(UInt32(0), at: 36)
    if case .rows(_, _, _, let theta) = self { metadata.store(theta, at: 40) } else { metadata.store(0.0, at: 40) }
    progress.encode(into: metadata)
    assert(
      (try? Self(decoding: UnsafeRawBufferPointer(rebasing: metadata[..<Self.byteCount]), rows: rows)) == self,
      "\(self) does not read back")
    return Self.byteCount
  }

  /// Reads an order to the worker of `rows` back; throws where a field has no meaning, or where it is another worker's.
  package init(decoding metadata: UnsafeRawBufferPointer, rows: Range<Int>) throws(EventError) {
    let fields = try MetadataFields(metadata, byteCount: Self.byteCount, of: "order")
    let count = Int(fields.u32(at: 4))
    let end = try fields.count(at: 16, "end")
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
      self = .update(index: index, projections: first..<end, iterations: count)
    case 3:
      let projections = try fields.count(at: 8, "projections")
      guard count > 0, end > 0 else { throw .malformed("final sweep of \(count) iterations, \(end) subsets") }
      self = .final(iterations: count, subsets: end, projections: projections)
    case let other: throw .malformed("order action \(other)")
    }
  }
}
