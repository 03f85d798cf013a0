package import Host

// Names and files.
extension MirroredDevice {
  /// The names in both folders; those in the one that went on without the other, where there is such a one.
  package func names() throws(HostError) -> [String] {
    let found = loss != nil ? try onEach { (device, _) throws(HostError) in try device.names() } : try readNames()
    let isMarked = found.contains { $0?.contains(FileName.aloneName) ?? false }
    let alone = isMarked ? Self.newest(try readMarks()) : nil
    if loss == nil {
      isOneBehind = alone != nil && order.count == 2
      order.sort()
      if isOneBehind, alone == 1 { order.reverse() }
    }
    if let alone, let names = found[alone] { return names }
    return Set(found.compactMap { $0 }.joined()).sorted()
  }

  /// What can be read of both folders.
  private func readNames() throws(HostError) -> [[String]?] {
    var (found, failure): ([[String]?], HostError?) = ([nil, nil], nil)
    for side in kept {
      do throws(HostError) { found[side] = try sides[side]?.names() } catch { failure = error }
    }
    if let failure, found.allSatisfy({ $0 == nil }) { throw failure }
    return found
  }

  /// Takes both folders' locks, or none.
  package func lockFolder(wait: Duration) throws(HostError) -> Bool {
    var taken: [Int] = []
    do throws(HostError) {
      for side in kept {
        guard try sides[side]?.lockFolder(wait: wait) ?? false else { break }
        taken.append(side)
      }
    } catch {
      for side in taken { sides[side]?.unlockFolder() }
      throw error
    }
    if taken.count == kept.count { return true }
    for side in taken { sides[side]?.unlockFolder() }
    return false
  }

  /// Gives both locks back.
  package func unlockFolder() { for side in sides { side?.unlockFolder() } }

  /// Makes a file in both folders.
  package func create(_ name: String, byteCount: Int) throws(HostError) -> JournalFile {
    remember(try onEach { (device, _) throws(HostError) in try device.create(name, byteCount: byteCount) })
  }

  /// Opens the file where it is.
  package func open(_ name: String, forWriting: Bool) throws(HostError) -> JournalFile {
    var (found, failure): ([JournalFile?], HostError?) = ([nil, nil], nil)
    for side in kept {
      do throws(HostError) { found[side] = try sides[side]?.open(name, forWriting: forWriting) } catch {
        failure = failure ?? error
      }
    }
    if let failure, found.allSatisfy({ $0 == nil }) { throw failure }
    return remember(found)
  }

  private func remember(_ copies: [JournalFile?]) -> JournalFile {
    filesOpened += 1
    files[filesOpened] = copies
    return JournalFile(id: filesOpened)
  }

  func copies(_ file: JournalFile) -> [JournalFile?] {
    guard let copies = files[file.id] else { preconditionFailure("file \(file.id) is not open in \(folder)") }
    return copies
  }

  /// Takes the locks of both copies.
  package func lock(_ file: JournalFile, wait: Duration) throws(HostError) -> Bool {
    let copies = self.copies(file)
    return try onEach { (device, side) throws(HostError) in
      try copies[side].map { (copy) throws(HostError) in try device.lock(copy, wait: wait) }
    }.allSatisfy { $0 != false }
  }

  /// Closes both copies. Those of a copy that is lost stay open while it may still be writing.
  package func close(_ file: JournalFile) {
    for (side, copy) in copies(file).enumerated() where loss?.side != side {
      if let copy { sides[side]?.close(copy) }
    }
    files[file.id] = nil
  }

  /// The larger size of both.
  package func byteCount(of file: JournalFile) throws(HostError) -> Int {
    var (count, failure): (Int?, HostError?) = (nil, nil)
    for (side, copy) in copies(file).enumerated() where loss?.side != side {
      guard let copy, let device = sides[side] else { continue }
      do throws(HostError) { count = max(count ?? 0, try device.byteCount(of: copy)) } catch { failure = error }
    }
    if let failure, count == nil { throw failure }
    return count ?? 0
  }

  /// Reads the copy that is believed first.
  package func read(_ file: JournalFile, into bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws(HostError)
    -> Int
  {
    try read(file, copy: 0, into: bytes, at: offset)
  }

  /// Reads one of the copies; nothing where it lacks the file.
  package func read(
    _ file: JournalFile, copy: Int, into bytes: UnsafeMutableRawBufferPointer, at offset: Int
  ) throws(HostError) -> Int {
    guard copy < order.count else { return 0 }
    let side = order[copy]
    guard let found = copies(file)[side], let device = sides[side] else { return 0 }
    return try device.read(found, into: bytes, at: offset)
  }

  /// Writes to both copies.
  package func write(_ file: JournalFile, _ bytes: UnsafeRawBufferPointer, at offset: Int) throws(HostError) {
    let copies = self.copies(file)
    _ = try onEach { (device, side) throws(HostError) in
      guard let copy = copies[side] else { throw Self.lacking(device) }
      try device.write(copy, bytes, at: offset)
    }
  }

  static func lacking(_ device: any JournalDevice) -> HostError {
    .system(call: "openat", subject: device.folder, errno: Errno(rawValue: badFile))
  }

  private static let badFile: Int32 = 9  // EBADF

  /// Makes both copies durable, where both are there.
  package func sync(_ file: JournalFile) throws(HostError) {
    let copies = self.copies(file)
    _ = try onEach { (device, side) throws(HostError) in if let copy = copies[side] { try device.sync(copy) } }
  }

  /// Renames in both folders.
  package func rename(_ name: String, to newName: String) throws(HostError) {
    _ = try onEach { (device, _) throws(HostError) in try device.rename(name, to: newName) }
  }

  /// Removes the name from both folders; it need not be in both.
  package func unlink(_ name: String) throws(HostError) {
    let isThere = try onEach { (device, _) throws(HostError) in
      do throws(HostError) { try device.unlink(name) } catch .system(_, _, let errno) where errno.isNoEntry {
        return false
      }
      return true
    }
    guard isThere.contains(true) else {
      throw .system(call: "unlinkat", subject: "\(folder)/\(name)", errno: Errno(rawValue: 2))
    }
  }

  /// Makes both folders durable.
  package func syncFolder() throws(HostError) {
    _ = try onEach { (device, _) throws(HostError) in try device.syncFolder() }
  }
}
