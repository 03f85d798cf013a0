import Glibc
import Host

/// A TIFF file in a watched folder, or in a folder in it.
struct WatchedFile: Equatable {
  let name: NumberedFiles.Name
  let number: UInt64
  let path: String
  let modified: Int
}

/// Looks what TIFF files are in a folder and in the folders in it. A folder in which nothing has appeared is not read
/// again; files that are written anew under their names are looked for about once a second.
struct WatchedFiles {
  private let path: String
  /// The folders, by their names; the watched one by an empty name.
  private var folders: [String: WatchedSubfolder] = [:]
  private var others: Set<String> = []
  private var lookedClosely: ContinuousClock.Instant?
  private var next: ContinuousClock.Instant = .now
  /// Files that are no frame by their names, of which nobody was told.
  private(set) var unnumbered: [String] = []
  private var told = 0

  /// What a folder may hold in folders.
  static let foldersMax = 20_000
  private static let toldMax = 20
  private static let closePeriod: Duration = .seconds(1)
  /// Looking may take this part of the time.
  private static let share = 10

  private struct WatchedSubfolder {
    /// Nil where it is to be read whatever its time says.
    var stamp: Int?
    /// Since when it is like this, and when it was read last.
    var since, read: ContinuousClock.Instant
    var patterns: Set<String> = []
  }

  init(_ path: String) { self.path = path }

  /// Whether files of this name are there.
  func has(_ name: NumberedFiles.Name) -> Bool { folders[name.folder]?.patterns.contains(name.pattern) == true }

  /// The files that are new, in no order; `current` is the folder whose scan is open. Nil where it is too early to look
  /// again.
  mutating func list(_ known: [NumberedFiles.Name: NumberedFiles], current: String?) throws(StreamError)
    -> [WatchedFile]?
  {
    let began = ContinuousClock.now
    guard began >= next else { return nil }
    let isClose = lookedClosely.map { began - $0 >= max(Self.closePeriod, (next - $0) / 2) } ?? true
    var found: [WatchedFile] = []
    var names = [""]
    if try isChanged("", isClose) {
      let inside = try self.names(in: "")
      found += files(inside, in: "", known, isClose)
      names += inside.filter { isFolder($0) }
      guard names.count <= Self.foldersMax else {
        throw .refused(
          address: DetectorAddress.folderScheme + path,
          reason: "it has more than \(Self.foldersMax) folders; move those away whose scans are taken")
      }
      folders = folders.filter { names.contains($0.key) }
    } else {
      names += folders.keys.filter { !$0.isEmpty }
    }
    for name in names.dropFirst() {
      let isClose = isClose && name == current || folders[name] == nil
      // One that has gone meanwhile has no files.
      do throws(StreamError) {
        guard try isChanged(name, isClose) else { continue }
        found += files(try self.names(in: name), in: name, known, isClose)
      } catch { folders[name] = nil }
    }
    let cost = ContinuousClock.now - began
    next = .now + cost * Self.share
    if isClose { lookedClosely = .now + cost * Self.share }
    return found
  }

  /// Files that were listed are not taken now: their folders are read again.
  mutating func putBack(_ files: some Sequence<WatchedFile>) {
    for folder in Set(files.lazy.map(\.name.folder)) { folders[folder]?.stamp = nil }
  }

  /// The files of which people are to be told now.
  mutating func takeUnnumbered() -> [String] {
    defer { unnumbered = [] }
    return unnumbered
  }

  /// Whether something appeared in a folder, or it is to be read anyway.
  private mutating func isChanged(_ name: String, _ isClose: Bool) throws(StreamError) -> Bool {
    var status = stat()
    let path = whole(name)
    guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
      throw .refused(address: DetectorAddress.folderScheme + path, reason: "it is no folder that can be read")
    }
    let stamp = modificationTime(status)
    if let before = folders[name], before.stamp == stamp {
      // A name that appears within a tick of the clock after it was read leaves its time as it was.
      guard isClose || before.read - before.since < .seconds(2) else { return false }
      folders[name]?.read = .now
      return true
    }
    let now = ContinuousClock.now
    folders[name] = WatchedSubfolder(stamp: stamp, since: now, read: now, patterns: folders[name]?.patterns ?? [])
    return true
  }

  private func whole(_ name: String) -> String { name.isEmpty ? path : "\(path)/\(name)" }

  private func names(in folder: String) throws(StreamError) -> [String] {
    do throws(HostError) { return try Folder(whole(folder)).names().filter { !$0.hasPrefix(".") } } catch {
      throw .refused(address: DetectorAddress.folderScheme + whole(folder), reason: "\(error)")
    }
  }

  private mutating func isFolder(_ name: String) -> Bool {
    if folders[name] != nil { return true }
    if others.contains(name) || Self.parts(of: name) != nil { return false }
    var status = stat()
    if stat(whole(name), &status) == 0, status.st_mode & S_IFMT == S_IFDIR { return true }
    if others.count < Self.foldersMax { others.insert(name) }
    return false
  }

  private mutating func files(
    _ texts: [String], in folder: String, _ known: [NumberedFiles.Name: NumberedFiles], _ isClose: Bool
  ) -> [WatchedFile] {
    var patterns: Set<String> = []
    let files = texts.compactMap { text -> WatchedFile? in
      guard let parts = Self.parts(of: text) else { return nil }
      guard let number = parts.number else {
        tell(folder.isEmpty ? text : "\(folder)/\(text)")
        return nil
      }
      patterns.insert(parts.pattern)
      let name = NumberedFiles.Name(folder: folder, pattern: parts.pattern), taken = known[name]
      // Most files of a long scan were taken: they are asked for their times only now and then.
      if let taken, !isClose, number < taken.next, !taken.isMissing(number) { return nil }
      var status = stat()
      let path = "\(whole(folder))/\(text)"
      guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
      let modified = modificationTime(status)
      guard taken?.isNew(number, modified: modified) ?? true else { return nil }
      return WatchedFile(name: name, number: number, path: path, modified: modified)
    }
    folders[folder]?.patterns = patterns
    return files
  }

  private mutating func tell(_ file: String) {
    guard told < Self.toldMax, others.insert(file).inserted else { return }
    told += 1
    unnumbered.append(file)
  }

  /// The name of a TIFF with * for its last digits, and these; nil of what is none by its name. A number that counts no
  /// frames is nil.
  static func parts(of text: String) -> (pattern: String, number: UInt64?)? {
    let bytes = Array(text.utf8)
    guard let dot = bytes.lastIndex(of: UInt8(ascii: ".")) else { return nil }
    let ending = bytes[(dot + 1)...].map { $0 | 0x20 }
    guard ending == Array("tif".utf8) || ending == Array("tiff".utf8) else { return nil }
    func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
    guard let last = bytes[..<dot].lastIndex(where: isDigit) else { return (text, nil) }
    let first = bytes[...last].lastIndex { !isDigit($0) }.map { $0 + 1 } ?? 0
    let pattern = String(decoding: bytes[..<first] + [UInt8(ascii: "*")] + bytes[(last + 1)...], as: UTF8.self)
    let number = UInt64(String(decoding: bytes[first...last], as: UTF8.self))
    return (pattern, number.flatMap { $0 <= StreamDecoder.numberMax ? $0 : nil })
  }

  /// The order in which files that are new are taken: those of the folder whose scan is open; then scans as they were
  /// begun; of one scan by their numbers, and those behind that were written when the numbers had begun anew.
  static func ordered(
    _ files: [WatchedFile], _ known: [NumberedFiles.Name: NumberedFiles], current: String?
  ) -> [WatchedFile] {
    let groups = Dictionary(grouping: files, by: \.name).map { name, files -> (Bool, Int, [WatchedFile]) in
      let taken = known[name]
      let again = files.filter { taken?.isAgain($0.number) == true }.map(\.modified).min() ?? Int.max
      let ordered = files.sorted { first, second in
        let (one, other) = (first.modified >= again, second.modified >= again)
        if one != other { return other }
        return (first.number, first.path) < (second.number, second.path)
      }
      return (name.folder != current, files.map(\.modified).min() ?? 0, ordered)
    }
    return groups.sorted { first, second in
      if first.0 != second.0 { return second.0 }
      return first.1 != second.1 ? first.1 < second.1 : first.2[0].path < second.2[0].path
    }.flatMap { $0.2 }
  }
}
