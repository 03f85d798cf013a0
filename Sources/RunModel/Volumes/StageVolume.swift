package import Host
package import Rings
import Synchronization

/// What a program of `--stage` makes of a volume, in shared memory: the newest complete generation, and one that is
/// being written.
///
/// ```
/// header page
///    0  magic u32 "SLPL", layout u32      8  runID 16 B       24  slices u32, columns u32
///   32  code of the pixel type u32, 0 u32                     40  CRC32C of bytes 0–39
///  128  newest u64 atomic: generation << 2 | complete << 1 | slot; 0 before the first
///  192, 256  for slots 0, 1: the generation of what it was made from u64
/// 4096  slot 0, then 1: slices, each columns × columns pixels, row 0 on top, to a multiple of 4096
/// ```
///
/// Its owner is the run, which makes it and takes its name away; one process at a time writes it. A generation is
/// written to the slot that is not the newest and then named with one store. Who died while writing has changed nothing
/// that anybody reads. `complete` says that it was made from the finished volume.
package final class StageVolume: @unchecked Sendable {
  /// A generation that can be read.
  package struct Generation: Equatable, Sendable {
    /// Counts what was published, from 1; 0 where there is nothing.
    package let number: UInt64
    /// Whether it was made from the finished volume.
    package let isComplete: Bool
    let slot: Int
  }

  /// Slices of the run.
  package let slices: Int
  /// Edge of a slice.
  package let columns: Int
  /// What a voxel is.
  package let pixel: PixelType
  private let region: SharedRegion

  private static let magic: UInt32 = 0x4C50_4C53
  private static let layoutVersion: UInt32 = 1
  private static let (headerByteCount, slotCount) = (4096, 2)
  private static let newestOffset = 128

  private init(region: SharedRegion, slices: Int, columns: Int, pixel: PixelType) {
    precondition(
      region.byteCount == Self.byteCount(slices: slices, columns: columns, pixel: pixel),
      "region \(region.name) of \(region.byteCount) B for \(slices) slices of \(columns) columns")
    (self.region, self.slices, self.columns, self.pixel) = (region, slices, columns, pixel)
  }

  /// Bytes of the region.
  package static func byteCount(slices: Int, columns: Int, pixel: PixelType) -> Int {
    headerByteCount + slotCount * slotByteCount(slices: slices, columns: columns, pixel: pixel)
  }

  private static func slotByteCount(slices: Int, columns: Int, pixel: PixelType) -> Int {
    precondition(slices > 0 && columns > 0, "\(slices) slices of \(columns) columns")
    return (slices * columns * columns * pixel.byteCount + headerByteCount - 1) / headerByteCount * headerByteCount
  }

  /// Creates the region, with nothing in it.
  package static func create(
    name: String, runID: RunID, slices: Int, columns: Int, pixel: PixelType, node: Int?
  ) throws(HostError) -> StageVolume {
    let region = try SharedRegion.create(
      name: name, byteCount: byteCount(slices: slices, columns: columns, pixel: pixel), node: node, hugePages: true)
    region.begin(with: header(runID, slices, columns, pixel))
    return StageVolume(region: region, slices: slices, columns: columns, pixel: pixel)
  }

  /// Attaches to the region; refuses one that belongs to another run or has another shape. With `isReadOnly` nothing of
  /// it may be written.
  package static func attach(
    name: String, runID: RunID, slices: Int, columns: Int, pixel: PixelType, isReadOnly: Bool
  ) throws(HostError) -> StageVolume {
    let region = try SharedRegion.attach(name: name, isReadOnly: isReadOnly)
    try region.check(
      isFor: "a stage's volume of this run", byteCount: byteCount(slices: slices, columns: columns, pixel: pixel),
      header: header(runID, slices, columns, pixel))
    return StageVolume(region: region, slices: slices, columns: columns, pixel: pixel)
  }

  private static func header(_ runID: RunID, _ slices: Int, _ columns: Int, _ pixel: PixelType)
    -> InlineArray<11, UInt32>
  {
    regionWords(
      magic: magic, layout: layoutVersion, runID, UInt32(slices), UInt32(columns), UInt32(pixel.code), 0)
  }

  /// The newest complete generation.
  package var newest: Generation {
    // SYNC newest ← publish: everything of the generation was stored before the word that names it.
    let word = newestWord.pointee.load(ordering: .acquiring)
    return Generation(number: word >> 2, isComplete: word & 2 != 0, slot: Int(word & 1))
  }

  /// Whether what was read of a generation up to now is its own: the next one may be written over it once another one
  /// is complete.
  package func isCurrent(_ generation: Generation) -> Bool {
    // SYNC isCurrent ← publish: the word is read once more after the voxels. While it names this slot nobody writes it.
    atomicMemoryFence(ordering: .acquiring)
    return newestWord.pointee.load(ordering: .relaxed) >> 2 == generation.number
  }

  /// The generation of what it was made from; of a current one.
  package func source(of generation: Generation) -> UInt64 { sources[8 * generation.slot] }

  /// The first byte of a slice of a generation; slices lie one behind the other.
  package func slice(_ index: Int, of generation: Generation) -> UnsafeRawPointer {
    UnsafeRawPointer(pixels(index, slot: generation.slot))
  }

  /// Where a slice of the next generation is to be written.
  package func nextSlice(_ index: Int) -> UnsafeMutableRawPointer { pixels(index, slot: 1 - newest.slot) }

  /// Makes what was written the newest generation, made from generation `source`.
  package func publish(source: UInt64, isComplete: Bool) {
    let newest = newest, slot = 1 - newest.slot
    sources[8 * slot] = source
    // SYNC publish → newest, isCurrent
    newestWord.pointee.store((newest.number + 1) << 2 | (isComplete ? 2 : 0) | UInt64(slot), ordering: .releasing)
    // What is stored from here on follows the word for whoever sees it.
    atomicMemoryFence(ordering: .releasing)
  }

  private func pixels(_ index: Int, slot: Int) -> UnsafeMutableRawPointer {
    precondition((0..<slices).contains(index), "slice \(index) of \(slices)")
    return region.base + Self.headerByteCount
      + slot * Self.slotByteCount(slices: slices, columns: columns, pixel: pixel)
      + index * columns * columns * pixel.byteCount
  }

  // Sound: these words are 8-aligned inside the mapped header page; the first one is only ever accessed atomically.
  private var newestWord: UnsafeMutablePointer<Atomic<UInt64>> {
    (region.base + Self.newestOffset).assumingMemoryBound(to: Atomic<UInt64>.self)
  }
  private var sources: UnsafeMutablePointer<UInt64> {
    (region.base + 192).assumingMemoryBound(to: UInt64.self)
  }
}
