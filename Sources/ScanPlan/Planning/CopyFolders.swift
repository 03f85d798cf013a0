import Glibc
import Host

/// The folders that a run's journals go to beside its own: a mirror, and those of shards. Looked at before the run is
/// made; nothing is created.
package struct CopyFolders {
  private struct Place {
    /// The key that names it.
    let key: String
    let path: String
    /// What it takes.
    let what: String
    /// Bytes that go there.
    let byteCount: Int
  }

  private let places: [Place]
  private let runFolder: String
  private let outputFolder: String
  /// Bytes that the run's own folder takes.
  private let ownByteCount: Int

  /// Headers of shards, and pages.
  private static let roomBeside = 1 << 20

  /// Those of a run; none without a journal. `ownByteCount` is what goes into the run's own folder.
  init(_ scan: ScanDescription, journal: Int, ownByteCount: Int) {
    var places: [Place] = []
    if let mirror = scan.mirror {
      places.append(Place(key: "mirror", path: absolutePath(mirror), what: "a mirror", byteCount: journal))
    }
    if let parity = scan.parity {
      places += parity.folders.map {
        Place(
          key: "parity", path: absolutePath($0), what: "a folder of shards",
          byteCount: journal / parity.data + Self.roomBeside)
      }
    }
    self.places = scan.durability == .durable ? places : []
    (outputFolder, self.ownByteCount) = (absolutePath(scan.outputFolder), ownByteCount)
    runFolder = scan.runFolder.map(absolutePath) ?? outputFolder
  }

  /// What is odd about them.
  var notices: [String] {
    var devices: [dev_t: String] = [:]
    if let own = Self.status(ofExisting: runFolder) { devices[own.st_dev] = "the run folder \(runFolder)" }
    return places.compactMap { place in
      guard let device = Self.status(ofExisting: place.path)?.st_dev else { return nil }
      guard let other = devices[device] else {
        devices[device] = "--\(place.key) \(place.path)"
        return nil
      }
      return "--\(place.key) \(place.path) is on the same disk as \(other): what ends that disk ends both"
    }
  }

  /// Why they cannot take the run, one line each.
  var shortfalls: [ScanFailure] {
    var taken: [Folder: String] = [:]
    var used: [dev_t: Int] = [:]
    if let own = Self.status(ofExisting: runFolder) { used[own.st_dev] = ownByteCount }
    return places.compactMap { place in
      guard let status = Self.status(of: place.path), status.st_mode & S_IFMT == S_IFDIR else {
        return ScanFailure(
          .noInput, "--\(place.key) \(place.path) is no folder; make one, on another disk than the run folder's")
      }
      if let failure = refusal(of: place) { return failure }
      if let other = taken.updateValue(place.path, forKey: Folder(device: status.st_dev, number: status.st_ino)) {
        return ScanFailure(
          .cannotCreate, "--\(place.key) \(place.path) is the same folder as \(other); each copy needs one of its own")
      }
      used[status.st_dev, default: 0] += place.byteCount
      return shortfall(of: place, used: used[status.st_dev] ?? place.byteCount)
    }
  }

  /// A folder, however it is spelled.
  private struct Folder: Hashable {
    let device: dev_t
    let number: ino_t
  }

  /// Why a folder that is there cannot be one; nil where nothing is wrong with it by itself.
  private func refusal(of place: Place) -> ScanFailure? {
    let words = "--\(place.key) \(place.path)"
    let real = Self.realPath(place.path)
    if real == Self.realPath(outputFolder) || (Self.realPath(runFolder) + "/").hasPrefix(real + "/")
      || runFolder != outputFolder && (real + "/").hasPrefix(Self.realPath(runFolder) + "/")
    {
      return ScanFailure(
        .cannotCreate, "\(words) is where the run and its output go; name a folder beside these, on another disk")
    }
    guard access(place.path, W_OK | X_OK | R_OK) == 0 else {
      return ScanFailure(.cannotCreate, "\(words) is not writable; choose another folder")
    }
    guard Self.isEmpty(place.path) else {
      return ScanFailure(
        .cannotCreate, "\(words) is not empty: \(place.what) is one run's; name an empty folder")
    }
    return nil
  }

  /// Why there is no room for what goes there, with all that goes to the same disk.
  private func shortfall(of place: Place, used: Int) -> ScanFailure? {
    guard !Machine.hasRoom(for: used, in: place.path) else { return nil }
    let together = used > place.byteCount ? " (\(bytes(used)) with what else of the run goes to that disk)" : ""
    return ScanFailure(
      .cannotCreate,
      "the journal needs \(bytes(place.byteCount))\(together), which --\(place.key) \(place.path) has not free; choose "
        + "another disk")
  }

  /// Whether a folder is there and has nothing in it but what a file system puts there.
  package static func isEmpty(_ path: String) -> Bool {
    do throws(HostError) { return try Host.Folder(path).names().allSatisfy { $0 == "lost+found" } } catch {
      return false
    }
  }

  private static func status(of path: String) -> stat? {
    var status = stat()
    return stat(path, &status) == 0 ? status : nil
  }

  /// That of a folder, or of the nearest one above it that is there.
  private static func status(ofExisting path: String) -> stat? {
    var folder = path
    // Letter by letter, so that it becomes shorter with each turn.
    while true {
      if let status = status(of: folder) { return status }
      guard folder != "/", folder != "." else { return nil }
      folder = folderName(of: folder)
    }
  }

  /// Without symbolic links, as far as it is there.
  private static func realPath(_ path: String) -> String {
    var (folder, rest) = (path, "")
    while folder != "/" {
      if let real = realpath(folder, nil) {
        defer { free(real) }
        return String(cString: real) + rest
      }
      rest = "/\(folder.split(separator: "/").last ?? "")\(rest)"
      folder = folderName(of: folder)
    }
    return rest.isEmpty ? "/" : rest
  }
}
