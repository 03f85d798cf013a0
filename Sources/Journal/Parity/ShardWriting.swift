internal import CLinux
internal import Host

/// Writes shards of one segment, stripe by stripe, each under a name of its own that takes the shard's place when it is
/// durable. A folder that fails is left out, and the others go on. Use from one thread.
final class ShardWriting {
  private struct Target {
    let index: Int
    let place: Int
    /// The file's name when it is whole.
    let name: String
    let device: any JournalDevice
    let file: JournalFile
    var table: [UInt32] = []
  }

  private var common: ShardHeader.Common
  private let folders: ShardFolders
  private let code: ErasureCode
  private var targets: [Target] = []
  private let parity: AlignedMemory
  private var checksum: UInt32 = 0
  private var stripes = 0

  /// Begins the shards `indexes`, each in the folder of that place. `common` has everything but the content's checksum.
  init(_ segment: String, _ common: ShardHeader.Common, _ indexes: [(index: Int, place: Int)], _ folders: ShardFolders)
  {
    (self.common, self.folders, code) = (common, folders, common.code)
    parity = AlignedMemory(byteCount: common.parity * common.pieceByteCount)
    for (index, place) in indexes {
      let name = folders.freeName(segment, end: common.end, index: index, place)
      let temporary = name + FileName.unfinishedSuffix
      let made = folders.attempt(place) { (device) throws(HostError) in
        if try device.names().contains(temporary) { try device.unlink(temporary) }
        return Target(
          index: index, place: place, name: name, device: device,
          file: try device.create(temporary, byteCount: common.shardByteCount))
      }
      if let made { targets.append(made) }
    }
  }

  deinit { abandon() }

  /// Whether anybody takes anything yet.
  var isAlive: Bool { !targets.isEmpty }

  /// Adds a stripe: `data` pieces, of which `count` bytes are content and the rest is zeros.
  func add(_ stripe: UnsafeRawBufferPointer, count: Int) {
    let size = common.pieceByteCount
    precondition(
      stripe.count == common.data * size && stripes < common.stripeCount && count <= stripe.count,
      "stripe \(stripes) of \(common.stripeCount) has \(count) of \(stripe.count) B")
    checksum = clinux_crc32c(checksum, stripe.baseAddress, count)
    let data = (0..<common.data).map { UnsafeRawBufferPointer(rebasing: stripe[$0 * size..<($0 + 1) * size]) }
    let others = (0..<common.parity).map {
      UnsafeMutableRawBufferPointer(rebasing: parity.bytes[$0 * size..<($0 + 1) * size])
    }
    if targets.contains(where: { $0.index >= common.data }) { code.encode(data, into: others) }
    let offset = common.piecesOffset + stripes * size
    for (number, target) in targets.enumerated().reversed() {
      let isData = target.index < common.data
      let piece = isData ? data[target.index] : UnsafeRawBufferPointer(others[target.index - common.data])
      do throws(HostError) {
        try target.device.write(target.file, piece, at: offset)
        targets[number].table.append(clinux_crc32c(0, piece.baseAddress, piece.count))
      } catch {
        fail(number, error)
      }
    }
    stripes += 1
  }

  private func fail(_ number: Int, _ error: HostError) {
    let target = targets.remove(at: number)
    folders.fail(target.place, error)
    target.device.close(target.file)
    remove(target)
  }

  /// What a failed disk keeps of it is removed by who codes next.
  private func remove(_ target: Target) {
    do throws(HostError) { try target.device.unlink(target.name + FileName.unfinishedSuffix) } catch {}
  }

  /// The content's checksum, once all of it was added.
  var contentChecksum: UInt32 { checksum }

  /// Makes what was written durable, then gives it its names. Returns the shards that are there now.
  func commit() -> [Int] {
    precondition(stripes == common.stripeCount, "\(stripes) of \(common.stripeCount) stripes")
    common.contentChecksum = checksum
    let head = AlignedMemory(byteCount: ShardHeader.byteCount + common.tableByteCount)
    for (number, target) in targets.enumerated().reversed() {
      do throws(HostError) {
        fill(head, target)
        try target.device.write(target.file, UnsafeRawBufferPointer(head.bytes), at: 0)
        try target.device.sync(target.file)
      } catch {
        fail(number, error)
      }
    }
    var done: [Int] = []
    for target in targets {
      target.device.close(target.file)
      let name = target.name
      let isThere: Void? = folders.attempt(target.place) { (device) throws(HostError) in
        try device.rename(name + FileName.unfinishedSuffix, to: name)
        try device.syncFolder()
      }
      folders.forget(name, target.place)
      if isThere != nil { done.append(target.index) }
    }
    targets.removeAll()
    return done
  }

  private func fill(_ head: AlignedMemory, _ target: Target) {
    head.bytes.initializeMemory(as: UInt8.self, repeating: 0)
    let table = UnsafeMutableRawBufferPointer(rebasing: head.bytes[ShardHeader.byteCount...])
    for (stripe, sum) in target.table.enumerated() {
      table.storeBytes(of: sum.littleEndian, toByteOffset: 4 * stripe, as: UInt32.self)
    }
    ShardHeader(
      common: common, index: target.index, tableChecksum: clinux_crc32c(0, table.baseAddress, table.count)
    ).encode(into: UnsafeMutableRawBufferPointer(rebasing: head.bytes[..<ShardHeader.byteCount]))
  }

  /// Leaves no file of what was begun.
  func abandon() {
    for target in targets {
      target.device.close(target.file)
      remove(target)
    }
    targets.removeAll()
  }
}
