package import Host

/// A file that a device has open.
package struct JournalFile: Hashable, Sendable {
  let id: Int32
}

/// The files of one journal's folder: the seam between a journal's rules and the machine.
///
/// Offsets, addresses and sizes of reads and writes are multiples of 4096 bytes. `submit` and `reap` are asynchronous
/// where the device can; every other call returns when it is done. Use from one thread at a time. Every call throws
/// `HostError.system` with the call's errno.
package protocol JournalDevice: AnyObject {
  /// The folder's path, for messages.
  var folder: String { get }
  /// What the device does its work with, for messages.
  var mechanism: String { get }

  /// The names in the folder, sorted.
  func names() throws(HostError) -> [String]
  /// Takes the folder's lock, which says that one process recovers and writes this journal; false if another had it for
  /// all of `wait`.
  func lockFolder(wait: Duration) throws(HostError) -> Bool
  /// Gives the folder's lock back, if this device has it.
  func unlockFolder()

  /// Makes a file of `byteCount` zeros whose blocks are all allocated, locks it and opens it for writing. A failed call
  /// leaves no file.
  func create(_ name: String, byteCount: Int) throws(HostError) -> JournalFile
  /// Opens a file that exists.
  func open(_ name: String, forWriting: Bool) throws(HostError) -> JournalFile
  /// Takes the lock of the file's own descriptor. It outlives a killed process exactly as long as that process's writes
  /// can still land. False if another had it for all of `wait`.
  func lock(_ file: JournalFile, wait: Duration) throws(HostError) -> Bool
  /// Closes the file, and with it its lock; none of its batches may be in flight.
  func close(_ file: JournalFile)

  /// The file's size.
  func byteCount(of file: JournalFile) throws(HostError) -> Int
  /// Reads what the medium holds, past any cache of this machine's memory; returns how many bytes there were before the
  /// file's end.
  func read(_ file: JournalFile, into bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws(HostError) -> Int
  /// How many copies of its files the device has: one, but for a ``MirroredDevice``.
  var copyCount: Int { get }
  /// Reads one of the copies, of which the first is believed most; nothing where that one lacks the file.
  func read(_ file: JournalFile, copy: Int, into bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws(HostError)
    -> Int
  /// Writes all of `bytes`; durable after `sync`.
  func write(_ file: JournalFile, _ bytes: UnsafeRawBufferPointer, at offset: Int) throws(HostError)
  /// Makes the file's bytes and size durable.
  func sync(_ file: JournalFile) throws(HostError)

  /// Gives a file another name, in place of a file that has it; durable after `syncFolder`.
  func rename(_ name: String, to newName: String) throws(HostError)
  /// Has two files that are there take each other's names, at once; durable after `syncFolder`. Throws ENOENT where one
  /// is not there, and an error of `HostError.cannotExchange` where the file system has no such thing.
  func exchange(_ name: String, with other: String) throws(HostError)
  /// Removes a name; durable after `syncFolder`.
  func unlink(_ name: String) throws(HostError)
  /// Makes creations, renamings and removals durable.
  func syncFolder() throws(HostError)

  /// Pins memory that records will be written from, where that makes writing faster; says whether it did. Once for a
  /// device.
  func register(_ memory: UnsafeRawBufferPointer) -> Bool
  /// Starts the writes of a batch, in their order, and after they all succeeded a sync of the file's data. The memory
  /// stays as it is until the batch is complete. At most `WriteBatch.inFlightLimit` batches are in flight.
  func submit(_ batch: WriteBatch) throws(HostError)
  /// Fills in the results of what ended, waiting up to `wait` for the first; returns how many batches became complete.
  func reap(wait: Duration) throws(HostError) -> Int
}

extension JournalDevice {
  /// Not on this device.
  package func exchange(_ name: String, with other: String) throws(HostError) {
    throw .system(call: "renameat2", subject: folder, errno: Errno(rawValue: HostError.notSupported))
  }

  /// One.
  package var copyCount: Int { 1 }

  /// Reads the one copy.
  package func read(
    _ file: JournalFile, copy: Int, into bytes: UnsafeMutableRawBufferPointer, at offset: Int
  ) throws(HostError) -> Int {
    precondition(copy == 0, "there is no copy \(copy) of file \(file.id)")
    return try read(file, into: bytes, at: offset)
  }
}

/// Writes to one file, and the sync that makes them durable.
package final class WriteBatch {
  /// The most batches in flight on a device.
  static let inFlightLimit = 2
  /// The most writes of a batch.
  static let writeLimit = 64

  /// One write.
  package struct Write {
    /// What is written.
    var bytes: UnsafeRawBufferPointer
    /// Where to.
    var offset: Int
    /// The number of bytes written, or −errno; −ECANCELED if an earlier write of the batch was not whole.
    package internal(set) var result: Int32 = 0
  }

  /// The file.
  package internal(set) var file = JournalFile(id: -1)
  /// The writes, in the order of their offsets.
  package internal(set) var writes: [Write] = []
  /// 0 or −errno of the sync; −ECANCELED if a write was not whole.
  package internal(set) var syncResult: Int32 = 0
  /// Whether every result is there.
  package internal(set) var isComplete = false

  /// An empty batch with room for all its writes.
  package init() { writes.reserveCapacity(Self.writeLimit) }

  /// Forgets the writes.
  package func reset(file: JournalFile) {
    self.file = file
    writes.removeAll(keepingCapacity: true)
    syncResult = 0
    isComplete = false
  }

  /// Adds a write, joined to the one before where both memory and file go on.
  package func add(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
    precondition(
      !bytes.isEmpty && bytes.count % 4096 == 0 && offset % 4096 == 0,
      "\(bytes.count) B at \(offset) are not whole blocks")
    let endBefore = writes.last.map { $0.offset + $0.bytes.count } ?? 0
    precondition(endBefore <= offset, "a write at \(offset) after one that ends at \(endBefore)")
    if let last = writes.last, let end = last.bytes.baseAddress.map({ $0 + last.bytes.count }),
      end == bytes.baseAddress,
      last.offset + last.bytes.count == offset, last.bytes.count + bytes.count <= Self.joinedByteLimit
    {
      writes[writes.count - 1].bytes = UnsafeRawBufferPointer(
        start: last.bytes.baseAddress, count: last.bytes.count + bytes.count)
    } else {
      precondition(writes.count < Self.writeLimit, "a batch of more than \(Self.writeLimit) writes")
      writes.append(Write(bytes: bytes, offset: offset))
    }
  }

  /// A batch is submitted once, and once more where `prepareAgain` or `reset` was called.
  func requireNew() {
    precondition(!isComplete && !writes.isEmpty, "a batch of \(writes.count) writes that is complete: \(isComplete)")
  }

  /// The most bytes of a joined write: well below what one call takes.
  private static let joinedByteLimit = 1 << 30
}

extension HostError {
  static let notSupported: Int32 = 95  // EOPNOTSUPP
  private static let invalid: Int32 = 22  // EINVAL

  /// Whether names cannot be exchanged here.
  var cannotExchange: Bool {
    if case .system("renameat2", _, let errno) = self {
      errno.rawValue == Self.notSupported || errno.rawValue == Self.invalid
    } else {
      false
    }
  }
}
