import Glibc
import Host
import ScanFiles

/// Scan after scan from a detector that writes a TIFF file for each image into a folder, or into a folder in it for
/// each scan. The last digits of a name count the images. What lies there is taken once, also by a successor, and
/// stays where it is.
final class WatchedFolderFeed: FollowedFeed {
  private let path: String
  private let memory: (any WatchMemory)?
  private var listing: WatchedFiles
  private var settling = SettlingFiles()
  /// What was taken.
  private var known: [NumberedFiles.Name: NumberedFiles] = [:]
  /// The folder of the scan that is open, or was the last one.
  private var folder: String?
  /// Files that wait, in order.
  private var waiting: ArraySlice<WatchedFile> = []
  /// The file of the last step, which is taken when the next one is asked for.
  private var given: (file: WatchedFile, modified: Int)?
  /// When one was taken the last time.
  private var lastTaken: ContinuousClock.Instant?
  /// Whether the notes are to be written before another image is given.
  private var isFolderNew = false
  private var image: UnsafeMutableRawBufferPointer = .allocate(byteCount: 0, alignment: 64)
  private(set) var format = FrameFormat(rows: 1, columns: 1, pixel: .uint8)
  private(set) var announcement = ScanAnnouncement()

  private static let poll: Duration = .milliseconds(20)
  /// The folder of the next scan is gone on with when nothing came in that of the last one for so long.
  private static let changeWait: Duration = .seconds(1)
  private static let (edges, byteCountMax) = (1...65_536, 1 << 30)

  /// Watches the folder at `path`, from `place` on where a predecessor left a scan open.
  /// - Throws: `.refused` where there is no such folder, or what is noted of it cannot be read.
  init(_ path: String, _ memory: (any WatchMemory)?, from place: DetectorAddress.Place?) throws(StreamError) {
    (self.path, self.memory, listing) = (path, memory, WatchedFiles(path))
    do {
      if let notes = try memory?.read() {
        folder = notes.folder
        for files in notes.files { known[files.name] = files }
      }
    } catch { throw .refused(address: DetectorAddress.folderScheme + path, reason: "\(error)") }
    try list()
    if let place { pass(place) }
  }

  deinit { image.deallocate() }

  /// A follower goes on by its notes.
  func resume(after _: UInt64, last _: UInt64) {}

  func next(timeout: Duration) throws -> FeedStep {
    take()
    if isFolderNew {
      try write()
      isFolderNew = false
    }
    let deadline = ContinuousClock.now + timeout
    repeat {
      if waiting.isEmpty { try list() }
      if let file = listing.takeUnnumbered().first {
        return .notice(.remark("\(plainLine(file.utf8)) is left alone: its name has no number that counts images"))
      }
      if let step = try look() { return step }
      usleep(UInt32(Self.poll / .microseconds(1)))
    } while ContinuousClock.now < deadline
    // What waits behind a file that is not complete has come all the same.
    return waiting.count > 1 ? .held : .nothing
  }

  func settle(withLast: Bool) throws {
    if withLast { take() }
    try write()
  }

  /// Passes over what is in the scan that a predecessor left open.
  private func pass(_ place: DetectorAddress.Place) {
    var passed: Set<UInt64> = []
    for file in waiting where folder == nil || file.name.folder == folder {
      guard place.has(file.number), passed.insert(file.number).inserted else { continue }
      note(file, file.modified)
      folder = file.name.folder
    }
    putBack()
  }

  /// Lists the files that wait once more, later.
  private func putBack() {
    listing.putBack(waiting)
    waiting = []
  }

  private func list() throws(StreamError) {
    guard let files = try listing.list(known, current: folder) else { return }
    waiting = WatchedFiles.ordered(files, known, current: folder)[...]
  }

  /// The step that the first file makes; nil where it is not complete yet.
  private func look() throws(StreamError) -> FeedStep? {
    guard let file = waiting.first else { return nil }
    settling.look(at: waiting.prefix(SettlingFiles.lengthMax).lazy.map(\.path))
    switch settling.condition(of: file.path) {
    case .settling: return nil
    case .missing:
      waiting = waiting.dropFirst()
      return nil
    case .settled(let modified): return try look(at: file, modified)
    }
  }

  private func look(at file: WatchedFile, _ modified: Int) throws(StreamError) -> FeedStep? {
    if file.name.folder != folder {
      if known[file.name]?.isMissing(file.number) == true {
        drop(file, modified)
        return .notice(.remark("\(plainLine(file.path.utf8)) came after its scan had ended, and is left alone"))
      }
      if let lastTaken, .now - lastTaken < Self.changeWait {
        putBack()
        return nil
      }
      (folder, isFolderNew, announcement) = (file.name.folder, true, Self.announcement(of: file.name))
      return .series(0)
    }
    announcement = Self.announcement(of: file.name)
    let name = plainLine(file.path.dropFirst(path.utf8.count + 1).utf8)
    var fault: FeedStep?
    do throws(TIFFFault) {
      try readTIFF(path: file.path) { rows, columns, pixel throws(TIFFFault) in
        guard Self.edges.contains(rows), Self.edges.contains(columns),
          rows * columns * pixel.byteCount <= Self.byteCountMax
        else { throw .shape }
        return room(FrameFormat(rows: rows, columns: columns, pixel: pixel))
      }
    } catch {
      switch error {
      // As while somebody puts another file in its place.
      case .unreadable(let reason): fault = .fault(.size, "\(name): \(reason)")
      case .incomplete: fault = .fault(.size, "\(name) is cut short")
      case .shape: fault = .fault(.shape, name)
      case .pixel: fault = .fault(.pixel, name)
      case .layout: fault = .fault(.encoding, name)
      }
      let mayStillCome = if case .fault(.size, _)? = fault { true } else { false }
      if mayStillCome, !settling.isHopeless(file.path) { return nil }
    }
    if let fault {
      drop(file, modified)
      return fault
    }
    given = (file, modified)
    waiting = waiting.dropFirst()
    return .frame(FrameHeader(number: file.number), UnsafeRawBufferPointer(image))
  }

  /// Memory for an image.
  private func room(_ new: FrameFormat) -> UnsafeMutableRawBufferPointer {
    format = new
    if image.count != new.byteCount {
      image.deallocate()
      image = .allocate(byteCount: new.byteCount, alignment: 64)
    }
    return image
  }

  /// Takes a file that nobody needs.
  private func drop(_ file: WatchedFile, _ modified: Int) {
    waiting = waiting.dropFirst()
    note(file, modified)
  }

  private func take() {
    guard let (file, modified) = given else { return }
    given = nil
    lastTaken = .now
    note(file, modified)
  }

  private func note(_ file: WatchedFile, _ modified: Int) {
    known[file.name, default: NumberedFiles(file.name)].take(file.number, modified: modified)
  }

  /// Writes down what was taken of what is there.
  private func write() throws {
    known = known.filter { listing.has($0.key) }
    try memory?.write(WatchNotes(files: known.values.sorted { $0.name < $1.name }, folder: folder))
  }

  /// A scan is named after its folder, or as its files are.
  private static func announcement(of name: NumberedFiles.Name) -> ScanAnnouncement {
    var announcement = ScanAnnouncement()
    let stem = name.pattern.prefix { $0 != "*" }
    let trimmed = String(stem.reversed().drop { "_-. ".contains($0) }.reversed())
    announcement.sample = ScanAnnouncement.sample((name.folder.isEmpty ? trimmed : name.folder).utf8)
    return announcement
  }
}
