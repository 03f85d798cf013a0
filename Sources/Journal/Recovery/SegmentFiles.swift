internal import Host

/// The files of a journal that are read, by their names: opened when they are needed, a few at a time, however many
/// there are. Who comes last finds the one closed that was not used for longest.
final class SegmentFiles {
  /// The most files that are open at a time. A reader goes through them one after the other; a few more are for one
  /// that looks back.
  static let openLimit = 4

  private let device: any JournalDevice
  /// Whether files are opened for writing too, and how long to wait for the lock of each; nil for no lock.
  private var mode: (isWriting: Bool, lockWait: Duration?) = (false, nil)
  /// The least recently used first.
  private var open: [(name: String, file: JournalFile)] = []

  init(device: any JournalDevice) { self.device = device }

  deinit { closeAll() }

  /// From now on files are opened for reading, or for writing too, with the lock of their own descriptor: a lock that
  /// is free says that what a dead writer had in flight has landed.
  func begin(isWriting: Bool, lockWait: Duration?) {
    guard mode != (isWriting, lockWait) else { return }
    closeAll()
    mode = (isWriting, lockWait)
  }

  /// The file of this name, open until `openLimit` others were asked for. Throws `.locked` where its lock was not free
  /// in time.
  func file(_ name: String) throws(JournalError) -> JournalFile {
    if let index = open.lastIndex(where: { $0.name == name }) {
      let found = open[index]
      if index < open.count - 1 { open.append(open.remove(at: index)) }
      return found.file
    }
    while open.count >= Self.openLimit { device.close(open.removeFirst().file) }
    let file = try hosted { () throws(HostError) in try device.open(name, forWriting: mode.isWriting) }
    open.append((name, file))
    if let lockWait = mode.lockWait {
      guard try hosted({ () throws(HostError) in try device.lock(file, wait: lockWait) }) else {
        throw .locked(folder: device.folder, waited: lockWait)
      }
    }
    return file
  }

  /// Hands the file over, open as it is, to who closes it.
  func take(_ name: String) throws(JournalError) -> JournalFile {
    let file = try file(name)
    open.removeAll { $0.name == name }
    return file
  }

  /// Closes all.
  func closeAll() {
    for (_, file) in open { device.close(file) }
    open.removeAll(keepingCapacity: true)
  }
}
