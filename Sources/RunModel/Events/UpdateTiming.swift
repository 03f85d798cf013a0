/// When the projections that are new in an update came, and when the volume had them. Behind a windowed update's 112 B,
/// where it has new ones:
///
/// ```
/// 112  oldest acquired u64     120  newest acquired u64     128  published u64, all in nanoseconds since 1970
/// 136  new projections u32     140  level u32 (0: every update of every projection; otherwise steps of the ladder)
/// ```
package struct UpdateTiming: Equatable, Sendable {
  /// When the first and the last of them were acquired, in nanoseconds since 1970.
  package var acquired: ClosedRange<UInt64>
  /// When the volume was there that has them.
  package var published: UInt64
  /// How many they are.
  package var count: Int
  /// How many steps of the ladder were in effect.
  package var level: Int

  /// As given.
  package init(acquired: ClosedRange<UInt64>, published: UInt64, count: Int, level: Int) {
    (self.acquired, self.published, self.count, self.level) = (acquired, published, count, level)
  }

  static let byteCount = 32

  func encode(into metadata: UnsafeMutableRawBufferPointer, at offset: Int) {
    metadata.store(acquired.lowerBound, at: offset)
    metadata.store(acquired.upperBound, at: offset + 8)
    metadata.store(published, at: offset + 16)
    metadata.store(UInt32(clamping: count), at: offset + 24)
    metadata.store(UInt32(clamping: level), at: offset + 28)
  }

  init(_ fields: MetadataFields, at offset: Int) throws(EventError) {
    let (oldest, newest) = (fields.u64(at: offset), fields.u64(at: offset + 8))
    let (count, level) = (Int(fields.u32(at: offset + 24)), Int(fields.u32(at: offset + 28)))
    guard oldest > 0, oldest <= newest, count > 0, level <= DistributionProgress.levelMax else {
      throw .malformed("\(count) new projections from \(oldest) to \(newest) at level \(level)")
    }
    self.init(acquired: oldest...newest, published: fields.u64(at: offset + 16), count: count, level: level)
  }
}
