package import Alarms
package import Host
package import Rings
import Synchronization

/// The figures of a run, in one place: what the stage `watch` sees at each look, what the supervisor alone knows, and
/// what `watch` asks of `distribute`. Every word has one writer, and stands for itself.
///
/// ```
///     0  magic u32 "SLPG", layout u32        8  runID 16 B       24  gauges u64
///   128  of the supervisor: restarts u64 atomic, stages without room on disk u64 atomic
///   256  of watch: looks u64 atomic, gauge n at 256 + 8 (n + 1) f64 atomic, NaN for unknown
///   768  of watch, to distribute: no updates before this time u64 atomic (ns of the monotonic clock, 0 for none),
///        how often updates are to be made half as often u64 atomic, not nearer again before this time u64 atomic
///   792  of watch, to its successor: the first alarm whose hooks are not over, by its place in the topic u64 atomic
///  1024
/// ```
package final class GaugesRegion: @unchecked Sendable {
  private let region: SharedRegion

  /// Bytes of the region.
  static let byteCount = 1024
  private static let magic: UInt32 = 0x4750_4C53
  private static let layoutVersion: UInt32 = 3
  private static let (supervisorOffset, watchOffset, ordersOffset) = (128, 256, 768)
  /// An order holds for so long, unless it is given again: a stage that died pauses nothing.
  private static let orderNanoseconds: UInt64 = 2_000_000_000

  private init(_ region: SharedRegion) { self.region = region }

  private static func header(_ runID: RunID) -> [UInt64] {
    [UInt64(magic) | UInt64(layoutVersion) << 32, runID.low, runID.high, UInt64(Gauge.allCases.count)]
  }

  /// Makes the region of a run, in which nothing is known.
  package static func create(_ names: RegionNames, _ runID: RunID) throws(HostError) -> GaugesRegion {
    let region = try SharedRegion.create(name: names.gauges, byteCount: byteCount)
    for (index, word) in header(runID).enumerated() {
      region.base.storeBytes(of: word, toByteOffset: 8 * index, as: UInt64.self)
    }
    let gauges = GaugesRegion(region)
    for gauge in Gauge.allCases { gauges.store(.nan, gauge) }
    return gauges
  }

  /// Attaches to the region of a run; refuses one of another run or layout.
  package static func attach(_ names: RegionNames, _ runID: RunID) throws(HostError) -> GaugesRegion {
    let region = try SharedRegion.attach(name: names.gauges)
    guard region.byteCount == byteCount else {
      throw .regionRefused(name: names.gauges, reason: "it has \(region.byteCount) B, gauges \(byteCount) B")
    }
    let words = (0..<4).map { region.base.load(fromByteOffset: 8 * $0, as: UInt64.self) }
    guard words == header(runID) else {
      throw .regionRefused(name: names.gauges, reason: "its header is not that of this run's gauges")
    }
    return GaugesRegion(region)
  }

  private func word(_ offset: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
    precondition(offset >= 32 && offset % 8 == 0 && offset < Self.byteCount, "a word at \(offset)")
    // Sound: the word is 8-aligned inside the mapping and only ever accessed atomically.
    return (region.base + offset).assumingMemoryBound(to: Atomic<UInt64>.self)
  }

  private func store(_ value: Double, _ gauge: Gauge) {
    word(Self.watchOffset + 8 + 8 * gauge.place).pointee.store(value.bitPattern, ordering: .relaxed)
  }

  // All relaxed: each word stands for itself, and nothing else is read on the strength of it.

  /// What the supervisor alone knows; any value is a possible one.
  package var supervised: (restarts: UInt64, withoutRoom: UInt64) {
    get {
      (
        word(Self.supervisorOffset).pointee.load(ordering: .relaxed),
        word(Self.supervisorOffset + 8).pointee.load(ordering: .relaxed)
      )
    }
    set {
      word(Self.supervisorOffset).pointee.store(newValue.restarts, ordering: .relaxed)
      word(Self.supervisorOffset + 8).pointee.store(newValue.withoutRoom, ordering: .relaxed)
    }
  }

  /// Looks that were made.
  package var looks: UInt64 { word(Self.watchOffset).pointee.load(ordering: .relaxed) }

  /// A figure as it was last known; nil where it never was.
  package func value(_ gauge: Gauge) -> Double? {
    let value = Double(bitPattern: word(Self.watchOffset + 8 + 8 * gauge.place).pointee.load(ordering: .relaxed))
    return value.isFinite ? value : nil
  }

  /// Takes over what a look has found; what it does not know stays as it was.
  package func note(_ sample: GaugeSample) {
    for gauge in Gauge.allCases { if let value = sample[gauge] { store(value, gauge) } }
    word(Self.watchOffset).pointee.wrappingAdd(1, ordering: .relaxed)
  }

  /// Asks for no updates for the next two seconds, or takes that back.
  package func askForPause(_ isPaused: Bool) {
    order(isPaused, Self.ordersOffset)
  }

  /// Whether no updates are to be made now.
  package var isPaused: Bool { isOrdered(Self.ordersOffset) }

  /// Asks that updates come no nearer to each other for the next two seconds, or takes that back.
  package func askToStayWide(_ isWide: Bool) { order(isWide, Self.ordersOffset + 16) }

  /// Whether updates are to come no nearer to each other now.
  package var staysWide: Bool { isOrdered(Self.ordersOffset + 16) }

  private func order(_ isGiven: Bool, _ offset: Int) {
    word(offset).pointee.store(
      isGiven ? Machine.monotonicNanoseconds + Self.orderNanoseconds : 0, ordering: .relaxed)
  }

  /// Whether an order holds. A time too far ahead is none.
  private func isOrdered(_ offset: Int) -> Bool {
    let (until, now) = (word(offset).pointee.load(ordering: .relaxed), Machine.monotonicNanoseconds)
    return until > now && until - now <= Self.orderNanoseconds
  }

  /// The first alarm whose hooks are not over, by its place in the topic; a successor of who looks begins with it.
  package var hooksDue: UInt64 {
    get { word(Self.ordersOffset + 24).pointee.load(ordering: .relaxed) }
    set { word(Self.ordersOffset + 24).pointee.store(newValue, ordering: .relaxed) }
  }

  /// Asks for updates half as often.
  package func askForWidening() { word(Self.ordersOffset + 8).pointee.wrappingAdd(1, ordering: .relaxed) }

  /// How often that was asked for.
  package var widenings: UInt64 { word(Self.ordersOffset + 8).pointee.load(ordering: .relaxed) }
}

extension RegionNames {
  /// The run's figures.
  package var gauges: String { prefix + "gauges" }
}
