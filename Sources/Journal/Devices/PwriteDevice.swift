internal import Glibc
package import Host

/// The device of machines that refuse io_uring: pwrite(2) and fdatasync(2), done when `submit` returns.
package final class PwriteDevice: FileDevice, JournalDevice {
  /// "pwrite".
  package var mechanism: String { "pwrite" }
  /// Carried out, and not reaped.
  private var finished: [WriteBatch] = []

  /// Opens the folder, or makes it. Where the file system has no direct input and output, or for tests where
  /// `isDirect` is false, all goes through the system's cache, and is as durable.
  package init(folder: String, isDirect: Bool = true) throws(HostError) {
    try super.init(opening: folder, isDirect: isDirect)
  }

  /// Opens the folder for who only looks: nothing is made, and a folder that is not there has no files.
  package init(reading folder: String) throws(HostError) {
    try super.init(opening: folder, isDirect: true, makes: false)
  }

  /// Nothing can be pinned.
  package func register(_ memory: UnsafeRawBufferPointer) -> Bool { false }

  /// Writes and syncs the batch, and keeps its completion for `reap`.
  package func submit(_ batch: WriteBatch) throws(HostError) {
    precondition(finished.count < WriteBatch.inFlightLimit, "too many batches in flight")
    requireOpen(batch.file)
    batch.requireNew()
    var isWhole = true
    for index in batch.writes.indices {
      let write = batch.writes[index]
      let result =
        isWhole
        ? Self.result { pwrite(batch.file.id, write.bytes.baseAddress, write.bytes.count, off_t(write.offset)) }
        : -ECANCELED
      batch.writes[index].result = result
      isWhole = isWhole && Int(result) == write.bytes.count
    }
    batch.syncResult = isWhole ? Self.result { Int(fdatasync(batch.file.id)) } : -ECANCELED
    finished.append(batch)
  }

  /// Returns how many batches were submitted since the last call.
  package func reap(wait: Duration) throws(HostError) -> Int {
    for batch in finished { batch.isComplete = true }
    defer { finished.removeAll(keepingCapacity: true) }
    return finished.count
  }

  private static func result(_ call: () -> Int) -> Int32 {
    let value = call()
    return value < 0 ? -errno : Int32(value)
  }
}
