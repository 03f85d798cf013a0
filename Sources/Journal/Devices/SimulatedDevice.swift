internal import Glibc
package import Host

/// One process's view of a simulated disk.
package final class SimulatedDevice: JournalDevice {
  /// "simulated".
  package let folder = "simulated"
  /// "simulated".
  package let mechanism = "simulated"
  /// The disk.
  let disk: SimulatedDisk
  private let id: Int
  private let rules: JournalRules
  private var files: [Int32: SimulatedDisk.Node] = [:]
  private var filesOpened: Int32 = 0
  /// The most files that were open at a time.
  package private(set) var filesOpenMax = 0
  private var inFlight: [WriteBatch] = []

  /// A new process on the disk.
  package convenience init(disk: SimulatedDisk) { self.init(disk: disk, rules: JournalRules()) }

  package init(disk: SimulatedDisk, rules: JournalRules) {
    self.disk = disk
    self.rules = rules
    id = disk.join()
  }

  deinit { kill() }

  /// Ends the process as SIGKILL does: what it submitted may land later, until `SimulatedDisk.landOrphans` or until
  /// somebody takes the lock of the file. The device cannot be used any more.
  package func kill() {
    guard disk.alive.contains(id) else { return }
    var writes: [(node: SimulatedDisk.Node, offset: Int, bytes: [UInt8])] = []
    for batch in inFlight {
      guard let node = files[batch.file.id] else { continue }
      for write in batch.writes { writes.append((node, write.offset, Array(write.bytes))) }
    }
    inFlight.removeAll()
    disk.leave(id, writes: writes)
  }

  /// The names in the folder, sorted.
  package func names() throws(HostError) -> [String] { disk.names }

  /// Takes the folder's lock.
  package func lockFolder(wait: Duration) throws(HostError) -> Bool {
    if let owner = disk.folderOwner, owner != id, disk.alive.contains(owner) { return false }
    disk.folderOwner = id
    return true
  }

  /// Gives the folder's lock back.
  package func unlockFolder() {
    if disk.folderOwner == id { disk.folderOwner = nil }
  }

  /// Makes a file.
  package func create(_ name: String, byteCount: Int) throws(HostError) -> JournalFile {
    try require(disk.nodes[name] == nil, "openat", name, EEXIST)
    try fail(disk.strike(.allocate), "posix_fallocate", name)
    try require(disk.usedByteCount + byteCount <= disk.capacity, "posix_fallocate", name, ENOSPC)
    let node = SimulatedDisk.Node(byteCount: byteCount)
    node.owner = id
    disk.add(name, node)
    return remember(node)
  }

  /// Opens a file.
  package func open(_ name: String, forWriting: Bool) throws(HostError) -> JournalFile {
    guard let node = disk.nodes[name] else { throw failure("openat", name, ENOENT) }
    return remember(node)
  }

  /// Takes the file's lock; the writes of a killed owner land first.
  package func lock(_ file: JournalFile, wait: Duration) throws(HostError) -> Bool { disk.lock(node(file), for: id) }

  /// Closes the file.
  package func close(_ file: JournalFile) {
    let node = node(file)
    files[file.id] = nil
    if node.owner == id, !files.values.contains(where: { $0 === node }) { node.owner = nil }
  }

  /// The file's size.
  package func byteCount(of file: JournalFile) throws(HostError) -> Int { node(file).current.count }

  /// Reads the disk.
  package func read(_ file: JournalFile, into bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws(HostError)
    -> Int
  {
    let effect = disk.strike(.read)
    try fail(effect, "pread", "file \(file.id)")
    let node = node(file)
    let count = max(0, min(bytes.count, node.current.count - offset))
    if count > 0 {
      node.current.withUnsafeBytes {
        bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + count]))
      }
    }
    if effect == .garbled { for index in 0..<count { bytes[index] ^= 0x5A } }
    return count
  }

  /// Writes a page.
  package func write(_ file: JournalFile, _ bytes: UnsafeRawBufferPointer, at offset: Int) throws(HostError) {
    try fail(disk.strike(.writePage), "pwrite", "file \(file.id)")
    node(file).store(bytes, at: offset)
  }

  /// Makes the file durable.
  package func sync(_ file: JournalFile) throws(HostError) {
    let effect = disk.strike(.syncPage)
    if case .error = effect { disk.failSync(node(file)) }
    try fail(effect, "fsync", "file \(file.id)")
    node(file).makeDurable()
  }

  /// Gives a file another name.
  package func rename(_ name: String, to newName: String) throws(HostError) {
    try fail(disk.strike(.rename), "renameat", name)
    try require(disk.nodes[name] != nil, "renameat", name, ENOENT)
    disk.rename(name, to: newName)
  }

  /// Has two files take each other's names.
  package func exchange(_ name: String, with other: String) throws(HostError) {
    try fail(disk.strike(.rename), "renameat2", name)
    for name in [name, other] { try require(disk.nodes[name] != nil, "renameat2", name, ENOENT) }
    disk.exchange(name, other)
  }

  /// Removes a name.
  package func unlink(_ name: String) throws(HostError) {
    try fail(disk.strike(.unlink), "unlinkat", name)
    try require(disk.nodes[name] != nil, "unlinkat", name, ENOENT)
    disk.unlink(name)
  }

  /// Makes the folder durable.
  package func syncFolder() throws(HostError) {
    try fail(disk.strike(.syncFolder), "fsync", folder)
    disk.syncFolder()
  }

  /// Nothing can be pinned.
  package func register(_ memory: UnsafeRawBufferPointer) -> Bool { false }

  /// Keeps the batch for `reap`.
  package func submit(_ batch: WriteBatch) throws(HostError) {
    precondition(inFlight.count < WriteBatch.inFlightLimit, "too many batches in flight")
    precondition(
      batch.writes.allSatisfy { $0.offset % 4096 == 0 && $0.bytes.count % 4096 == 0 }, "a write is not aligned")
    inFlight.append(batch)
  }

  /// Carries out one batch: the oldest one, unless the plan delays it.
  package func reap(wait: Duration) throws(HostError) -> Int {
    guard !inFlight.isEmpty else { return 0 }
    let isDelayed = disk.strike(.complete) == .delayed && inFlight.count > 1
    carryOut(inFlight.remove(at: isDelayed ? 1 : 0))
    return 1
  }
}

extension SimulatedDevice {
  private func carryOut(_ batch: WriteBatch) {
    let node = node(batch.file)
    var isWhole = true
    for index in batch.writes.indices {
      let result = isWhole ? write(batch.writes[index], to: node) : -ECANCELED
      batch.writes[index].result = result
      isWhole = isWhole && Int(result) == batch.writes[index].bytes.count
    }
    batch.syncResult = isWhole || !rules.linksSyncToWrites ? syncData(node) : -ECANCELED
    batch.isComplete = true
  }

  private func write(_ write: WriteBatch.Write, to node: SimulatedDisk.Node) -> Int32 {
    let count = write.bytes.count
    switch disk.strike(.write) {
    case .error(let errno): return -errno.rawValue
    case .short(let stored):
      node.store(UnsafeRawBufferPointer(rebasing: write.bytes.prefix(stored)), at: write.offset)
      return Int32(min(stored, count))
    case .torn(let stored): node.store(UnsafeRawBufferPointer(rebasing: write.bytes.prefix(stored)), at: write.offset)
    case .lost: break
    case .misdirected(let distance): node.store(write.bytes, at: write.offset + distance)
    default: node.store(write.bytes, at: write.offset)
    }
    return Int32(count)
  }

  private func syncData(_ node: SimulatedDisk.Node) -> Int32 {
    switch disk.strike(.sync) {
    case .error(let errno):
      disk.failSync(node)
      return -errno.rawValue
    case .ignored: break
    default: node.makeDurable()
    }
    return 0
  }

  private func node(_ file: JournalFile) -> SimulatedDisk.Node {
    guard let node = files[file.id] else { preconditionFailure("file \(file.id) is not open") }
    return node
  }

  private func remember(_ node: SimulatedDisk.Node) -> JournalFile {
    filesOpened += 1
    files[filesOpened] = node
    filesOpenMax = max(filesOpenMax, files.count)
    return JournalFile(id: filesOpened)
  }

  private func failure(_ call: String, _ subject: String, _ errno: Int32) -> HostError {
    .system(call: call, subject: subject, errno: Errno(rawValue: errno))
  }

  private func require(_ condition: Bool, _ call: String, _ subject: String, _ errno: Int32) throws(HostError) {
    if !condition { throw failure(call, subject, errno) }
  }

  private func fail(_ effect: FaultPlan.Effect?, _ call: String, _ subject: String) throws(HostError) {
    if case .error(let errno) = effect { throw failure(call, subject, errno.rawValue) }
  }
}
