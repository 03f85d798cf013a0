/// How far `distribute` is. Every order carries the progress after it, so that a successor goes on exactly there.
///
/// ```
/// metadata of an order, behind its 48 bytes (80 B, little-endian)
///   48  input u64 (next event of projections)     56  projections u64     64  updates u32     68  state u32
///   72  acquired u64 (known with the end)        80  windowEnd u64         88  updateInterval u32
///   92  level u8, coarse u8 (1: updates are made on a coarse grid), decimation u16 (0 for 1)
///   96  fields u32, late fields u32             104  axis f64, its error f64 (0, 0: not known by any order)
///  120  orders about the axis u32, projections when it was last looked for u32
///       state: 0 while projections come; 1 + reason of the end afterwards, plus 256 once the final iterations were
///       ordered, plus 512 once the axis of all projections was
/// ```
package struct DistributionProgress: Equatable, Sendable {
  /// The next event of `projections` to be looked at.
  package var input: UInt64 = 0
  /// Projections handed out.
  package var projections = 0
  /// Projections that were acquired; 0 until they end.
  package var acquired = 0
  /// Updates ordered.
  package var updates = 0
  /// Where the window of the last update ended, in projections; beyond the last one while windows drain.
  package var windowEnd = 0
  /// Steps from a window's end to the next: 1, or more while the workers do not keep up.
  package var updateInterval = 1
  /// Steps of the ladder that are in effect, because the workers do not keep up; 0 for none.
  package var level = 0
  /// Updates take the newest projections whose number is a multiple of this.
  package var decimation = 1
  /// Whether updates are made on a grid of half the columns and rows.
  package var isCoarse = false
  /// Flats and darks handed out.
  package var fields = 0
  /// Those of them that came behind a projection. While there are none, the first orders are those for the fields.
  package var lateFields = 0
  /// Why the projections ended; nil while they come.
  package var end: EndEvent.Reason?
  /// Whether the final iterations were ordered.
  package var isFinalOrdered = false
  /// The rotation axis as the last order about it says; nil before the first.
  package var axis: FoundAxis?
  /// Orders about it.
  package var axisOrders = 0
  /// Projections handed out when it was last looked for, whether it was found or not.
  package var axisSought = 0
  /// Whether that of all projections was ordered.
  package var isAxisFinal = false

  /// The beginning.
  package init() {}

  /// Takes over how often updates are made, of which projections, and whether on a coarse grid.
  package mutating func take(interval: Int, level: Int, _ decimation: Int, isCoarse: Bool = false) {
    (updateInterval, self.level, self.decimation, self.isCoarse) = (interval, level, decimation, isCoarse)
  }

  /// Takes the same over as somebody has decided it before.
  package mutating func take(_ pace: DistributionProgress) {
    take(interval: pace.updateInterval, level: pace.level, pace.decimation, isCoarse: pace.isCoarse)
  }

  /// An interval that no scan reaches the end of: no updates are made.
  package static let intervalPaused = 1 << 24
  /// Whether none are made for now.
  package var isPaused: Bool { updateInterval == Self.intervalPaused }

  /// The largest interval of updates that are made.
  package static let intervalMax = 65_534
  /// The largest level.
  static let levelMax = 255
  private static let (intervalOfAll, intervalOfNone) = (UInt16(0), UInt16.max)

  /// The interval as images carry it: 0 where every update is made, 65,535 where none is.
  package var interval: UInt16 {
    get { isPaused ? Self.intervalOfNone : updateInterval == 1 ? Self.intervalOfAll : UInt16(updateInterval) }
    set {
      updateInterval = newValue == Self.intervalOfNone ? Self.intervalPaused : max(1, Int(newValue))
    }
  }

  /// Orders that were made, if no projection was handed out twice.
  package var orders: Int { fields + projections + updates + axisOrders + (isFinalOrdered ? 1 : 0) }

  static let offset = 48
  static let byteCount = 80

  func encode(into metadata: UnsafeMutableRawBufferPointer) {
    precondition(updateInterval >= 1, "windows \(updateInterval) steps apart")
    metadata.store(input, at: Self.offset)
    metadata.store(UInt64(projections), at: Self.offset + 8)
    metadata.store(UInt32(updates), at: Self.offset + 16)
    metadata.store(UInt64(acquired), at: Self.offset + 24)
    metadata.store(UInt64(windowEnd), at: Self.offset + 32)
    metadata.store(UInt32(updateInterval), at: Self.offset + 40)
    metadata.store(UInt16(level + (isCoarse ? Self.levelMax + 1 : 0)), at: Self.offset + 44)
    metadata.store(UInt16(decimation == 1 ? 0 : decimation), at: Self.offset + 46)
    metadata.store(UInt32(clamping: fields), at: Self.offset + 48)
    metadata.store(UInt32(clamping: lateFields), at: Self.offset + 52)
    metadata.store(
      (end.map { 1 + $0.rawValue } ?? 0) + (isFinalOrdered ? 256 : 0) + (isAxisFinal ? 512 : 0), at: Self.offset + 20)
    metadata.store(axis?.axis ?? 0, at: Self.offset + 56)
    metadata.store(axis?.error ?? 0, at: Self.offset + 64)
    metadata.store(UInt32(clamping: axisOrders), at: Self.offset + 72)
    metadata.store(UInt32(clamping: axisSought), at: Self.offset + 76)
  }

  /// Reads the progress from an order's metadata; throws where a field has no meaning.
  package init(decoding metadata: UnsafeRawBufferPointer) throws(EventError) {
    let fields = try WorkerOrder.fields(metadata)
    input = UInt64(try fields.count(at: Self.offset, "input"))
    projections = try fields.count(at: Self.offset + 8, "projections")
    updates = Int(fields.u32(at: Self.offset + 16))
    acquired = try fields.count(at: Self.offset + 24, "acquired")
    windowEnd = try fields.count(at: Self.offset + 32, "window end")
    updateInterval = Int(fields.u32(at: Self.offset + 40))
    guard updateInterval >= 1 else { throw .malformed("windows 0 steps apart") }
    let pace = Int(fields.u16(at: Self.offset + 44))
    (level, isCoarse) = (pace % (Self.levelMax + 1), pace > Self.levelMax)
    decimation = max(1, Int(fields.u16(at: Self.offset + 46)))
    guard pace <= 2 * Self.levelMax + 1, decimation <= WorkerOrder.everyMax else {
      throw .malformed("every \(decimation). projection at level \(pace)")
    }
    (self.fields, lateFields) = (Int(fields.u32(at: Self.offset + 48)), Int(fields.u32(at: Self.offset + 52)))
    guard lateFields <= self.fields else { throw .malformed("\(lateFields) of \(self.fields) fields came late") }
    (axisOrders, axisSought) = (Int(fields.u32(at: Self.offset + 72)), Int(fields.u32(at: Self.offset + 76)))
    if axisOrders > 0 {
      axis = try FoundAxis(axis: fields.f64(at: Self.offset + 56), error: fields.f64(at: Self.offset + 64))
    }
    let state = fields.u32(at: Self.offset + 20)
    (isFinalOrdered, isAxisFinal) = (state & 256 > 0, state & 512 > 0)
    guard state < 1024 else { throw .malformed("order state \(state)") }
    if state % 256 > 0 {
      guard let reason = EndEvent.Reason(rawValue: state % 256 - 1) else { throw .malformed("order state \(state)") }
      end = reason
    }
  }
}
