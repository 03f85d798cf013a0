import CLinux
package import Host
package import Rings

/// What the solver of a worker's final iterations has in its memory, saved in shared memory now and then: a successor
/// goes on at the newest subset that was saved, not at the first one of the block.
///
/// ```
/// header page
///    0  magic u32 "SLPS", layout u32      8  runID 16 B       24  partition u32, reserved u32
///   32  state bytes u64                  40  CRC32C of bytes 0–39
///  128, 256  for slots 0, 1: generation u64, block u32, step u32, projections u64, bytes u64, residual² f64,
///            data² f64, CRC32C of these 48 bytes and of the checksums of the slot's pieces
/// 4096  slot 0, then 1: state bytes each, to a multiple of 4096
///  end  for slots 0, 1: CRC32C u32 of each piece (1 MiB), to a multiple of 4096
/// ```
///
/// The slots are written in turns, so that one is whole at any time. A state is what its checksums say or nothing.
package final class SolverStateRegion: @unchecked Sendable {
  /// Where the solver was, and what it had summed up.
  package struct Place: Equatable, Sendable {
    /// The generation of the volume that is being made.
    var generation: UInt64
    /// The block that is worked on.
    var block: Int
    /// The next subset of all of its sweeps.
    package var step: Int
    /// Projections of the scan.
    var projections: Int
    /// Bytes of the state.
    package var byteCount: Int
    /// Of the subsets of the sweep that are done: ‖b − A x‖².
    package var residualSquared: Double
    /// ‖b‖²
    package var dataSquared: Double

    /// A place as given.
    package init(
      generation: UInt64, block: Int, step: Int, projections: Int, byteCount: Int, residualSquared: Double,
      dataSquared: Double
    ) {
      (self.generation, self.block, self.step) = (generation, block, step)
      (self.projections, self.byteCount) = (projections, byteCount)
      (self.residualSquared, self.dataSquared) = (residualSquared, dataSquared)
    }
  }

  /// A state that a slot holds.
  package struct State: Sendable {
    /// Where the solver was.
    package let place: Place
    /// Its bytes, valid as long as the region object lives.
    package nonisolated(unsafe) let base: UnsafeRawPointer
    let slot: Int
  }

  /// Bytes of a state, at most.
  let stateByteCount: Int
  private let region: SharedRegion
  /// The slot that is written next.
  private var next = 0

  private static let magic: UInt32 = 0x5350_4C53
  private static let layoutVersion: UInt32 = 1
  private static let slotCount = 2
  private static let pageByteCount = 4096
  private static let pieceByteCount = 1 << 20
  private static let (recordsOffset, recordStride, recordByteCount) = (128, 128, 48)

  private init(region: SharedRegion, stateByteCount: Int) {
    precondition(
      region.byteCount == Self.byteCount(stateByteCount: stateByteCount),
      "region \(region.name) of \(region.byteCount) B for states of \(stateByteCount) B")
    (self.region, self.stateByteCount) = (region, stateByteCount)
  }

  /// Bytes of the region for states of so many bytes.
  package static func byteCount(stateByteCount: Int) -> Int {
    checksumOffset(stateByteCount) + inPages(slotCount * pieceCount(stateByteCount) * MemoryLayout<UInt32>.stride)
  }

  private static func inPages(_ count: Int) -> Int { (count + pageByteCount - 1) / pageByteCount * pageByteCount }
  private static func pieceCount(_ count: Int) -> Int { (count + pieceByteCount - 1) / pieceByteCount }
  private static func checksumOffset(_ count: Int) -> Int { pageByteCount + slotCount * inPages(count) }

  /// Creates the region without a state, from memory of NUMA node `node` where one is given.
  package static func create(
    name: String, runID: RunID, partition: Int, stateByteCount: Int, node: Int?
  ) throws(HostError) -> SolverStateRegion {
    precondition(stateByteCount > 0, "states of \(stateByteCount) B")
    let region = try SharedRegion.create(
      name: name, byteCount: byteCount(stateByteCount: stateByteCount), node: node, hugePages: true)
    region.begin(with: header(runID, partition, stateByteCount))
    return SolverStateRegion(region: region, stateByteCount: stateByteCount)
  }

  /// Attaches to the region of worker `partition`; refuses one of another run, worker or size.
  package static func attach(
    name: String, runID: RunID, partition: Int, stateByteCount: Int
  ) throws(HostError) -> SolverStateRegion {
    let region = try SharedRegion.attach(name: name)
    try region.check(
      isFor: "solver.\(partition) of this run", byteCount: byteCount(stateByteCount: stateByteCount),
      header: header(runID, partition, stateByteCount))
    return SolverStateRegion(region: region, stateByteCount: stateByteCount)
  }

  private static func header(_ runID: RunID, _ partition: Int, _ stateByteCount: Int) -> InlineArray<11, UInt32> {
    regionWords(
      magic: magic, layout: layoutVersion, runID, UInt32(partition), 0, UInt32(truncatingIfNeeded: stateByteCount),
      UInt32(stateByteCount >> 32))
  }

  /// Pieces of a state of so many bytes, each of which has a checksum.
  package func pieces(of byteCount: Int) -> Range<Int> {
    precondition((1...stateByteCount).contains(byteCount), "a state of \(byteCount) of \(stateByteCount) B")
    return 0..<Self.pieceCount(byteCount)
  }

  /// Where the next state is to be written. What was there is no state any more.
  package func begin() -> UnsafeMutableRawPointer {
    // Whatever the record says, its checksum is another one.
    store(~recordChecksum(next), at: recordOffset(next) + Self.recordByteCount)
    return base(next)
  }

  /// Takes note of what a piece of the next state, which has so many bytes, is. Several threads may do so for different
  /// pieces.
  package func seal(piece: Int, of byteCount: Int) {
    store(checksum(piece, next, byteCount), at: sealOffset(piece, next))
  }

  /// Says that the next state is there, with every piece sealed, and of which place it is.
  package func save(_ place: Place) {
    let record = UnsafeMutableRawBufferPointer(
      start: region.base + recordOffset(next), count: Self.recordByteCount)
    record.store(place.generation, at: 0)
    record.store(UInt32(place.block), at: 8)
    record.store(UInt32(place.step), at: 12)
    record.store(UInt64(place.projections), at: 16)
    record.store(UInt64(place.byteCount), at: 24)
    record.store(place.residualSquared, at: 32)
    record.store(place.dataSquared, at: 40)
    store(recordChecksum(next), at: recordOffset(next) + Self.recordByteCount)
    next = (next + 1) % Self.slotCount
  }

  /// The states of a block of a generation over so many projections whose records are sound, the newest first.
  package func states(of block: Int, generation: UInt64, projections: Int) -> [State] {
    (0..<Self.slotCount).compactMap { slot in
      record(slot).map { State(place: $0, base: UnsafeRawPointer(base(slot)), slot: slot) }
    }.filter { state in
      let place = state.place
      return place.block == block && place.generation == generation && place.projections == projections
    }.sorted { $0.place.step > $1.place.step }
  }

  /// Whether a piece of a state is what was saved.
  package func isWhole(piece: Int, of state: State) -> Bool {
    checksum(piece, state.slot, state.place.byteCount) == load(at: sealOffset(piece, state.slot))
  }

  /// Keeps a state that a successor went on with until the next one is there.
  package func keep(_ state: State) { next = (state.slot + 1) % Self.slotCount }

  private func record(_ slot: Int) -> Place? {
    guard recordChecksum(slot) == load(at: recordOffset(slot) + Self.recordByteCount),
      let fields = try? MetadataFields(
        UnsafeRawBufferPointer(start: region.base + recordOffset(slot), count: Self.recordByteCount),
        byteCount: Self.recordByteCount, of: "solver's state"),
      let projections = try? fields.count(at: 16, "projections"),
      let byteCount = try? fields.count(at: 24, "bytes"), (1...stateByteCount).contains(byteCount)
    else { return nil }
    return Place(
      generation: fields.u64(at: 0), block: Int(fields.u32(at: 8)), step: Int(fields.u32(at: 12)),
      projections: projections, byteCount: byteCount, residualSquared: fields.f64(at: 32),
      dataSquared: fields.f64(at: 40))
  }

  private func recordChecksum(_ slot: Int) -> UInt32 {
    let record = clinux_crc32c(0, region.base + recordOffset(slot), Self.recordByteCount)
    let pieces = Self.pieceCount(stateByteCount)
    return clinux_crc32c(record, region.base + sealOffset(0, slot), pieces * MemoryLayout<UInt32>.stride)
  }

  private func checksum(_ piece: Int, _ slot: Int, _ byteCount: Int) -> UInt32 {
    let offset = piece * Self.pieceByteCount
    return clinux_crc32c(0, base(slot) + offset, min(Self.pieceByteCount, byteCount - offset))
  }

  private func base(_ slot: Int) -> UnsafeMutableRawPointer {
    region.base + Self.pageByteCount + slot * Self.inPages(stateByteCount)
  }

  private func recordOffset(_ slot: Int) -> Int {
    precondition((0..<Self.slotCount).contains(slot), "the record of slot \(slot) of \(Self.slotCount)")
    return Self.recordsOffset + slot * Self.recordStride
  }

  private func sealOffset(_ piece: Int, _ slot: Int) -> Int {
    let pieces = Self.pieceCount(stateByteCount)
    precondition((0..<pieces).contains(piece), "piece \(piece) of \(pieces)")
    return Self.checksumOffset(stateByteCount) + (slot * pieces + piece) * MemoryLayout<UInt32>.stride
  }

  private func load(at offset: Int) -> UInt32 { region.base.load(fromByteOffset: offset, as: UInt32.self) }

  private func store(_ checksum: UInt32, at offset: Int) {
    region.base.storeBytes(of: checksum, toByteOffset: offset, as: UInt32.self)
  }
}
