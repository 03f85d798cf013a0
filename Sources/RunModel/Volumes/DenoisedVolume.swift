import CLinux
package import Host
package import Rings
import Synchronization

/// The denoised volume in shared memory: every slice of the run in plain order, for whoever wants to look at it.
///
/// ```
/// header page
///    0  magic u32 "SLPD", layout u32      8  runID 16 B       24  slices u32, columns u32
///   32  CRC32C of bytes 0–31
///  128  complete u64 atomic: slices that are as they will stay, from the top
///  136  noise f32, CRC32C of it u32
/// 4096  slices, each columns × columns float32, row 0 on top, one after the other: (z, y, x)
///  end  CRC32C u32 of each slice, to a multiple of 4096
/// ```
///
/// One process writes it, the stage `denoise`. A successor goes on behind the slices that are complete; a region that
/// is made anew after a restart of the machine has none.
package final class DenoisedVolume: @unchecked Sendable {
  /// Slices of the run.
  package let slices: Int
  /// Edge of a slice.
  package let columns: Int
  private let region: SharedRegion

  private static let magic: UInt32 = 0x4450_4C53
  private static let layoutVersion: UInt32 = 2
  private static let headerByteCount = 4096
  private static let completeOffset = 128, noiseOffset = 136, noiseSealOffset = 140

  private init(region: SharedRegion, slices: Int, columns: Int) {
    precondition(
      region.byteCount == Self.byteCount(slices: slices, columns: columns),
      "region \(region.name) of \(region.byteCount) B for \(slices) slices of \(columns) columns")
    (self.region, self.slices, self.columns) = (region, slices, columns)
  }

  /// Bytes of the region.
  package static func byteCount(slices: Int, columns: Int) -> Int {
    precondition(slices > 0 && columns > 0, "\(slices) slices of \(columns) columns")
    let checksums = (slices * MemoryLayout<UInt32>.stride + headerByteCount - 1) / headerByteCount * headerByteCount
    return headerByteCount + slices * columns * columns * MemoryLayout<Float>.stride + checksums
  }

  /// Creates the region, without a complete slice.
  package static func create(name: String, runID: RunID, slices: Int, columns: Int, node: Int?) throws(HostError)
    -> DenoisedVolume
  {
    let region = try SharedRegion.create(
      name: name, byteCount: byteCount(slices: slices, columns: columns), node: node, hugePages: true)
    region.begin(with: header(runID, slices, columns))
    return DenoisedVolume(region: region, slices: slices, columns: columns)
  }

  /// Attaches to the region; refuses one that belongs to another run or has another shape.
  /// With `isReadOnly` nothing of it may be written.
  package static func attach(
    name: String, runID: RunID, slices: Int, columns: Int, isReadOnly: Bool = false
  ) throws(HostError) -> DenoisedVolume {
    let region = try SharedRegion.attach(name: name, isReadOnly: isReadOnly)
    try region.check(
      isFor: "the denoised volume of this run", byteCount: byteCount(slices: slices, columns: columns),
      header: header(runID, slices, columns))
    return DenoisedVolume(region: region, slices: slices, columns: columns)
  }

  private static func header(_ runID: RunID, _ slices: Int, _ columns: Int) -> InlineArray<9, UInt32> {
    regionWords(
      magic: magic, layout: layoutVersion, runID, UInt32(slices), UInt32(columns))
  }

  /// Slices that are complete, from the top.
  package var complete: Int {
    // SYNC complete ← markComplete
    min(Int(clamping: completeWord.pointee.load(ordering: .acquiring)), slices)
  }

  /// Says that the first `count` slices are as they will stay.
  package func markComplete(_ count: Int) {
    precondition((0...slices).contains(count), "\(count) of \(slices) slices")
    // SYNC markComplete → complete: every voxel of the slices was stored before the word that counts them.
    completeWord.pointee.store(UInt64(count), ordering: .releasing)
  }

  /// The noise that was found in the volume, in its unit; to be read once a slice is complete. Zero where the region
  /// holds no such number.
  package var noise: Float {
    get {
      let noise = region.base.load(fromByteOffset: Self.noiseOffset, as: Float.self)
      return noise.isFinite && noise >= 0 ? noise : 0
    }
    set {
      region.base.storeBytes(of: newValue, toByteOffset: Self.noiseOffset, as: Float.self)
      region.base.storeBytes(of: noiseChecksum, toByteOffset: Self.noiseSealOffset, as: UInt32.self)
    }
  }

  /// Whether the noise is what was found.
  package var isNoiseWhole: Bool {
    region.base.load(fromByteOffset: Self.noiseSealOffset, as: UInt32.self) == noiseChecksum
  }

  private var noiseChecksum: UInt32 { clinux_crc32c(0, region.base + Self.noiseOffset, MemoryLayout<Float>.size) }

  /// Takes note of what slices are, once they are as they will stay.
  package func seal(_ slices: Range<Int>) { for index in slices { seals[index] = checksum(index) } }

  /// Complete slices from the top that are what was taken note of.
  package var wholeSlices: Int { (0..<complete).first { seals[$0] != checksum($0) } ?? complete }

  /// Takes slices back that are not to be believed.
  package func goBack(to count: Int) { if count < complete { markComplete(count) } }

  private func checksum(_ index: Int) -> UInt32 {
    clinux_crc32c(0, slice(index), columns * columns * MemoryLayout<Float>.stride)
  }

  // Sound: the checksums lie behind the slices, 4-aligned, inside the mapping.
  private var seals: UnsafeMutablePointer<UInt32> {
    (region.base + Self.headerByteCount + slices * columns * columns * MemoryLayout<Float>.stride)
      .assumingMemoryBound(to: UInt32.self)
  }

  /// The first voxel of a slice; slices lie one behind the other.
  package func slice(_ index: Int) -> UnsafeMutablePointer<Float> {
    precondition((0..<slices).contains(index), "slice \(index) of \(slices)")
    return (region.base + Self.headerByteCount).assumingMemoryBound(to: Float.self) + index * columns * columns
  }

  // Sound: the word is 8-aligned inside the mapped header page and only ever accessed atomically.
  private var completeWord: UnsafeMutablePointer<Atomic<UInt64>> {
    (region.base + Self.completeOffset).assumingMemoryBound(to: Atomic<UInt64>.self)
  }
}
