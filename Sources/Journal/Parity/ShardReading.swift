internal import CLinux
internal import Host

/// Reads the content of a set of shards, each piece checked, those that are missing or damaged made from others. Use
/// from one thread.
final class ShardReading {
  let set: ShardSet
  private let folders: ShardFolders
  private var common: ShardHeader.Common { self.set.common }
  /// What is open, by index.
  private var open: [Int: (place: Int, file: JournalFile, table: [UInt32])] = [:]
  /// The shards of which a piece was found damaged, or that could not be opened.
  private(set) var damaged: Set<Int> = []
  /// The stripe's data, then room for its parity.
  private let memory: AlignedMemory
  private var loaded: Int?
  /// How the missing pieces are made, as long as it is the same ones.
  private var recovery: (present: [Int], wanted: [Int], with: ErasureCode.Recovery)?

  init(_ set: ShardSet, _ folders: ShardFolders) {
    (self.set, self.folders) = (set, folders)
    memory = AlignedMemory(byteCount: set.common.pieceByteCount * (set.common.data + set.common.parity))
    for (index, shard) in set.shards {
      if let opened = Self.open(shard, index, set.common, folders) {
        open[index] = opened
      } else {
        damaged.insert(index)
        folders.forget(shard.name, shard.place)
      }
    }
  }

  deinit { close() }

  func close() {
    for (place, file, _) in open.values { folders.places[place].device?.close(file) }
    open.removeAll()
  }

  /// Opens a shard whose table is whole; nil for one whose is not.
  private static func open(
    _ shard: ShardSet.Shard, _ index: Int, _ common: ShardHeader.Common, _ folders: ShardFolders
  ) -> (place: Int, file: JournalFile, table: [UInt32])? {
    guard let device = folders.device(shard.place) else { return nil }
    let memory = AlignedMemory(byteCount: ShardHeader.byteCount + common.tableByteCount)
    do throws(HostError) {
      let file = try device.open(shard.name, forWriting: false)
      for _ in 0..<2 {
        guard try device.byteCount(of: file) == common.shardByteCount,
          try device.read(file, into: memory.bytes, at: 0) == memory.bytes.count,
          let header = ShardHeader(UnsafeRawBufferPointer(memory.bytes)), header.common == common,
          header.index == index
        else { continue }
        let table = UnsafeRawBufferPointer(rebasing: memory.bytes[ShardHeader.byteCount...])
        guard clinux_crc32c(0, table.baseAddress, table.count) == header.tableChecksum else { continue }
        let sums = (0..<common.stripeCount).map {
          UInt32(littleEndian: table.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self))
        }
        return (shard.place, file, sums)
      }
      device.close(file)
    } catch {
      // As one that is damaged.
    }
    return nil
  }

  private func room(_ index: Int) -> UnsafeMutableRawBufferPointer {
    let size = common.pieceByteCount
    return UnsafeMutableRawBufferPointer(rebasing: memory.bytes[index * size..<(index + 1) * size])
  }

  /// Reads a piece into its place in memory; false where it is missing or not what was written.
  private func load(_ index: Int, of stripe: Int) -> Bool {
    guard let shard = open[index], let device = folders.places[shard.place].device else { return false }
    let room = room(index), offset = common.piecesOffset + stripe * common.pieceByteCount
    for _ in 0..<2 {
      do throws(HostError) {
        guard try device.read(shard.file, into: room, at: offset) == room.count else { continue }
      } catch { continue }
      if clinux_crc32c(0, room.baseAddress, room.count) == shard.table[stripe] { return true }
    }
    damaged.insert(index)
    return false
  }

  /// The data of a stripe: `data` pieces one after the other, valid until the next call. Throws EIO where too few
  /// pieces are whole.
  func stripe(_ stripe: Int) throws(HostError) -> UnsafeRawBufferPointer {
    precondition((0..<common.stripeCount).contains(stripe), "stripe \(stripe) of \(common.stripeCount)")
    let all = UnsafeRawBufferPointer(rebasing: memory.bytes[..<(common.data * common.pieceByteCount)])
    if loaded == stripe { return all }
    loaded = nil
    var present = (0..<common.data).filter { load($0, of: stripe) }
    let wanted = (0..<common.data).filter { !present.contains($0) }
    for index in common.data..<common.data + common.parity where present.count < common.data {
      if load(index, of: stripe) { present.append(index) }
    }
    guard present.count == common.data else {
      throw .system(call: "pread", subject: "the shards of \(set.segment)", errno: Errno(rawValue: Self.ioError))
    }
    if !wanted.isEmpty {
      if recovery?.present != present || recovery?.wanted != wanted {
        recovery = (present, wanted, common.code.recovery(of: wanted, from: present))
      }
      recovery?.with.apply(present.map { UnsafeRawBufferPointer(room($0)) }, into: wanted.map(room))
    }
    loaded = stripe
    return all
  }

  /// Reads the content from an offset on; what lies behind it, in the segment's file, is zeros. Returns how many bytes
  /// there are before that file's end.
  func read(into bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws(HostError) -> Int {
    let count = max(0, min(bytes.count, common.segmentByteCount - offset))
    let width = common.data * common.pieceByteCount
    var done = 0
    while done < count {
      let position = offset + done
      let left = UnsafeMutableRawBufferPointer(rebasing: bytes[done..<count])
      guard position < common.contentByteCount else {
        left.initializeMemory(as: UInt8.self, repeating: 0)
        return count
      }
      let from = position % width, part = min(left.count, width - from, common.contentByteCount - position)
      left.copyMemory(from: UnsafeRawBufferPointer(rebasing: try stripe(position / width)[from..<from + part]))
      done += part
    }
    return count
  }

  /// Reads every piece of every shard. Afterwards `damaged` has all that are; false where `goesOn` ended it, which
  /// hears how many bytes were read each time.
  func verify(goesOn: (Int) -> Bool) -> Bool {
    loaded = nil
    for index in open.keys.sorted() {
      for stripe in 0..<common.stripeCount {
        if !load(index, of: stripe) { break }
        guard goesOn(common.pieceByteCount) else { return false }
      }
    }
    return true
  }

  /// Whether every stripe can be made again from what is whole; to be asked after `verify`, or instead of it.
  func isReadable(goesOn: (Int) -> Bool) -> Bool {
    for index in 0..<common.stripeCount {
      do throws(HostError) { _ = try stripe(index) } catch { return false }
      guard goesOn(common.data * common.pieceByteCount) else { return false }
    }
    return true
  }

  private static let ioError: Int32 = 5  // EIO
}
