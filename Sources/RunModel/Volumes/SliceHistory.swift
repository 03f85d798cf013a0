import CLinux
package import Host
package import Rings
import Synchronization

/// One slice of a worker's volume in shared memory, as it was after each of its last updates that are looked at: what
/// `control` compares. The worker keeps them, so which updates are compared does not depend on when anybody looks.
///
/// ```
/// header
///    0  magic "SLPH", layout u32        8  runID 16 B       24  partition u32, slots u32
///   32  columns u32, spacing u32       40  CRC32C of bytes 0–39
///  128 + 48 i, for slot i:
///         0  update u64 atomic: its number + 1, 0 while there is none
///         8  end of its window u64     16  acquired u64: nanoseconds since 1970     24  CRC32C of 8–23 and the slice
/// from the next multiple of 4096 on: slot 0, then 1 …: columns × columns float32, row 0 on top
/// ```
///
/// Update n is kept where n + 1 is a multiple of the spacing, in slot ((n + 1) / spacing) mod slots.
package final class SliceHistory: @unchecked Sendable {
  /// What is kept.
  package struct Shape: Equatable, Sendable {
    /// Edge of the slice.
    package let columns: Int
    /// From one update that is kept to the next.
    let spacing: Int
    /// Updates that are kept.
    let slots: Int

    /// `slots` are `slotsMax` at most.
    package init(columns: Int, spacing: Int, slots: Int) {
      precondition(columns > 0 && spacing > 0, "slices of \(columns) columns, every \(spacing) updates")
      precondition((1...SliceHistory.slotsMax).contains(slots), "\(slots) slices of at most \(SliceHistory.slotsMax)")
      (self.columns, self.spacing, self.slots) = (columns, spacing, slots)
    }
  }

  /// A slice that was kept.
  package struct Kept: Sendable {
    /// The end of the update's window, in projections.
    package let projections: Int
    /// When the newest of them was acquired: nanoseconds since 1970, 0 where that is not known.
    package let acquiredAt: UInt64
    /// columns × columns pixels in 1/pixel.
    package let pixels: [Float]
  }

  /// The most slices that are kept.
  package static let slotsMax = 1024
  /// What is kept.
  package let shape: Shape
  private let region: SharedRegion

  private static let magic: UInt32 = 0x4850_4C53
  private static let layoutVersion: UInt32 = 1
  private static let (recordsOffset, recordByteCount) = (128, 48)

  private init(region: SharedRegion, shape: Shape) {
    precondition(
      region.byteCount == Self.byteCount(shape), "region \(region.name) of \(region.byteCount) B for \(shape)")
    (self.region, self.shape) = (region, shape)
  }

  /// Bytes of the region.
  package static func byteCount(_ shape: Shape) -> Int { headerByteCount(shape) + shape.slots * sliceByteCount(shape) }

  private static func headerByteCount(_ shape: Shape) -> Int {
    let page = EventHeader.pageByteCount
    return (recordsOffset + shape.slots * recordByteCount + page - 1) / page * page
  }

  private static func sliceByteCount(_ shape: Shape) -> Int {
    shape.columns * shape.columns * MemoryLayout<Float>.stride
  }

  /// Creates the region without a slice, from memory of NUMA node `node` where one is given.
  package static func create(
    name: String, runID: RunID, partition: Int, shape: Shape, node: Int?
  ) throws(HostError) -> SliceHistory {
    let region = try SharedRegion.create(name: name, byteCount: byteCount(shape), node: node, hugePages: true)
    region.begin(with: header(runID, partition, shape))
    return SliceHistory(region: region, shape: shape)
  }

  /// Attaches to the region of worker `partition`; refuses one of another run, worker or shape.
  package static func attach(
    name: String, runID: RunID, partition: Int, shape: Shape
  ) throws(HostError) -> SliceHistory {
    let region = try SharedRegion.attach(name: name)
    try region.check(
      isFor: "slices.\(partition) of this run", byteCount: byteCount(shape), header: header(runID, partition, shape))
    return SliceHistory(region: region, shape: shape)
  }

  private static func header(_ runID: RunID, _ partition: Int, _ shape: Shape) -> InlineArray<11, UInt32> {
    regionWords(
      magic: magic, layout: layoutVersion, runID, UInt32(partition), UInt32(shape.slots), UInt32(shape.columns),
      UInt32(shape.spacing))
  }

  /// Whether the slice is kept after update `number`.
  package func keeps(update number: Int) -> Bool { (number + 1) % shape.spacing == 0 }

  /// Whether it is there, and the newest that its place has.
  package func isKept(update number: Int) -> Bool {
    word(slot(of: number)).pointee.load(ordering: .relaxed) == UInt64(number) + 1
  }

  /// Keeps the slice after update `number`, whose window ends at `projections`; `fill` gets its place. Twice is once: a
  /// successor keeps what its predecessor may not have.
  package func keep(
    update number: Int, projections: Int, acquiredAt: UInt64, fill: (UnsafeMutableBufferPointer<Float>) -> Void
  ) {
    precondition(number >= 0 && keeps(update: number), "update \(number) is not kept")
    let slot = slot(of: number), record = record(slot), word = word(slot)
    word.pointee.store(0, ordering: .relaxed)
    // SYNC keep → slice: nothing of the new slice is stored before the word that named the old one is gone.
    atomicMemoryFence(ordering: .releasing)
    record.storeBytes(of: UInt64(projections), toByteOffset: 8, as: UInt64.self)
    record.storeBytes(of: acquiredAt, toByteOffset: 16, as: UInt64.self)
    fill(slice(slot))
    record.storeBytes(
      of: Self.checksum(record, UnsafeRawBufferPointer(slice(slot))), toByteOffset: 24, as: UInt32.self)
    // SYNC keep → slice: everything of it was stored before the word that names it.
    word.pointee.store(UInt64(number) + 1, ordering: .releasing)
  }

  /// The slice after update `number`; nil where it is not kept yet, not any more, or damaged.
  package func slice(after number: Int) -> Kept? {
    precondition(number >= 0 && keeps(update: number), "update \(number) is not kept")
    let slot = slot(of: number), name = UInt64(number) + 1
    // SYNC slice ← keep: the word is read before what it names, and once more afterwards.
    guard word(slot).pointee.load(ordering: .acquiring) == name else { return nil }
    let record = InlineArray<4, UInt64> { self.record(slot).load(fromByteOffset: 8 * $0, as: UInt64.self) }
    let pixels = Array(slice(slot))
    atomicMemoryFence(ordering: .acquiring)
    guard word(slot).pointee.load(ordering: .relaxed) == name else { return nil }
    let crc = withUnsafeBytes(of: record) { record in
      pixels.withUnsafeBytes { Self.checksum(record.baseAddress, $0) }
    }
    guard crc == UInt32(truncatingIfNeeded: record[3]), let projections = Int(exactly: record[1]) else { return nil }
    return Kept(projections: projections, acquiredAt: record[2], pixels: pixels)
  }

  private static func checksum(_ record: UnsafeRawPointer?, _ slice: UnsafeRawBufferPointer) -> UInt32 {
    clinux_crc32c(clinux_crc32c(0, record.map { $0 + 8 }, 16), slice.baseAddress, slice.count)
  }

  private func slot(of number: Int) -> Int { (number + 1) / shape.spacing % shape.slots }

  private func record(_ slot: Int) -> UnsafeMutableRawPointer {
    region.base + Self.recordsOffset + Self.recordByteCount * slot
  }

  private func slice(_ slot: Int) -> UnsafeMutableBufferPointer<Float> {
    let start = region.base + Self.headerByteCount(shape) + slot * Self.sliceByteCount(shape)
    return UnsafeMutableBufferPointer(
      start: start.assumingMemoryBound(to: Float.self), count: shape.columns * shape.columns)
  }

  // Sound: the word is 8-aligned inside the mapped header page and only ever accessed atomically.
  private func word(_ slot: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
    record(slot).assumingMemoryBound(to: Atomic<UInt64>.self)
  }
}
