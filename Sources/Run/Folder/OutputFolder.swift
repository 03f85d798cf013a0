import Foundation
import Glibc
import Host
import Rings
import ScanPlan

/// The folder that a run or an export writes its result to, as long as it does: nobody else writes there meanwhile, and
/// the files that lie there are those of one run.
///
/// ```
/// .slipring-lock   the process and the run, in words; locked by flock(2) while they write here, gone afterwards
/// outputs.json     the run whose files lie here, and their names; there before the first of them
/// ```
/// Files of another run are refused, or with `overwrites` removed: those of its list. What no list has is nobody's to
/// remove.
package final class OutputFolder {
  /// What lies beside a run's result: the list and the configuration.
  package static let notes = [manifestName, configurationName]

  private let lock: String
  private let path: String
  private let run: RunID
  private let descriptor: Int32
  private var isUnreachable = false

  /// The list of a run's files.
  private struct Manifest: Codable {
    let run: String
    let files: [String]
  }

  private static let manifestName = "outputs.json"
  private static let lockName = ".slipring-lock"
  /// The configuration lies beside the result and is none.
  static let configurationName = "scan.yaml"
  /// Who died holds the lock until the processes that it was just starting run their own program.
  private static let lockLimit: Duration = .seconds(1)
  private static let manifestByteCountMax = 64 << 20

  /// Makes the folder where it is not there, and takes it for `run`, which will write `files` into it.
  ///
  /// Throws `.cannotCreate` where somebody else writes there, where another run's files lie there that are not to be
  /// overwritten, and where files that no run has listed are in the way.
  init(_ path: String, run: RunID, files: [String], overwrites: Bool) throws(ScanFailure) {
    precondition(files.allSatisfy(Self.isPossible), "a run writes files of its own kinds: \(files)")
    try RunFolder.makeFolder(path, for: .usual)
    (self.path, self.run) = (path, run)
    lock = "\(path)/\(Self.lockName)"
    descriptor = try Self.lock(lock, path, run)
    try take(files, overwrites: overwrites)
  }

  // Removed while it is held, so that nobody can have locked this very file.
  deinit {
    if !isUnreachable { unlink(lock) }
    close(descriptor)
  }

  /// What the end of this object does, for a process that has to end without it.
  var cleanUp: @Sendable () -> Void { { [lock] in _ = unlink(lock) } }

  /// Leaves the lock's name there: the disk that it is on does not answer, and whoever removes it would wait with it.
  func leaveName() { isUnreachable = true }

  // MARK: What lies there

  private func take(_ files: [String], overwrites: Bool) throws(ScanFailure) {
    let present = try names(), manifest = try Self.readManifest(in: path)
    let listed = Set(manifest?.files ?? []), isOwn = manifest?.run == run.description
    let own = Set(files).subtracting([Self.configurationName])
    let stray = present.filter {
      !listed.contains($0) && (own.contains($0) || isSlice($0) && own.contains(where: isSlice))
    }
    if let first = stray.min() {
      throw ScanFailure(
        .cannotCreate,
        "\(path) has \(first)\(others(stray.count)), of which no \(Self.manifestName) says that a run wrote it; "
          + "move it away, or choose another --output-folder")
    }
    if !isOwn {
      let earlier = present.intersection(listed)
      let results = earlier.subtracting([Self.configurationName])
      if let first = results.min(), !overwrites {
        throw ScanFailure(
          .cannotCreate,
          "\(path) has the result of another run (\(manifest?.run.prefix(8) ?? "")): \(first)\(others(results.count)); "
            + "choose another --output-folder, or replace it with --overwrite")
      }
      for name in earlier.sorted() { try remove(name) }
    }
    try write(Manifest(run: run.description, files: Array(isOwn ? listed.union(files) : Set(files)).sorted()))
  }

  private func others(_ count: Int) -> String { count > 1 ? " and \(count - 1) more files" : "" }

  private func isSlice(_ name: String) -> Bool { name.wholeMatch(of: /(recon|denoised)_[0-9]{5,}\.tiff?/) != nil }

  /// Whether a run writes files of such a name: what a list says is removed, so it is not believed further than that.
  private static func isPossible(_ name: String) -> Bool {
    name == configurationName
      || !name.contains("/") && [".tiff", ".h5", ".zarr", "analysis.json"].contains { name.hasSuffix($0) }
  }

  private func names() throws(ScanFailure) -> Set<String> {
    do { return Set(try Folder(path).names()) } catch { throw ScanFailure(error) }
  }

  /// Whether the files in a folder are those of `run`, or would be.
  static func holdsFiles(of run: RunID, in path: String) throws(ScanFailure) -> Bool {
    try readManifest(in: path)?.run == run.description
  }

  /// What a run wrote into a folder: absolute paths of what is there of its list, and of the notes beside it.
  static func files(of run: RunID, in path: String) throws(ScanFailure) -> [String] {
    guard let manifest = try readManifest(in: path), manifest.run == run.description else { return [] }
    let results = manifest.files.filter { $0 != configurationName }
    return (results + [configurationName, manifestName]).map { "\(path)/\($0)" }.filter {
      var status = stat()
      return lstat($0, &status) == 0
    }
  }

  /// The list of what lies in a folder; nil where there is none.
  private static func readManifest(in path: String) throws(ScanFailure) -> Manifest? {
    let name = "\(path)/\(manifestName)"
    var status = stat()
    if lstat(name, &status) != 0, errno == ENOENT || errno == ENOTDIR { return nil }
    guard status.st_mode & S_IFMT == S_IFREG, status.st_size <= manifestByteCountMax,
      let data = FileManager.default.contents(atPath: name), let manifest = decode(data)
    else {
      throw ScanFailure(
        .cannotCreate,
        "\(name) does not hold what a run writes there, so nobody knows whose files these are; move them away, "
          + "or choose another --output-folder")
    }
    return manifest
  }

  /// The list in `data`; nil where it is not one of ours.
  private static func decode(_ data: Data) -> Manifest? {
    do {
      let manifest = try JSONDecoder().decode(Manifest.self, from: data)
      return RunID(manifest.run) != nil && manifest.files.allSatisfy(isPossible) ? manifest : nil
    } catch {
      return nil
    }
  }

  private func write(_ manifest: Manifest) throws(ScanFailure) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    do {
      try writeFileAtomically(path: "\(path)/\(Self.manifestName)", bytes: Array(encoder.encode(manifest)))
    } catch { throw ScanFailure(error) }
  }

  /// Removes a file; what has its name and is none is in the way.
  private func remove(_ name: String) throws(ScanFailure) {
    let file = "\(path)/\(name)"
    var status = stat()
    guard lstat(file, &status) == 0 else { return }
    if name.hasSuffix(".zarr"), status.st_mode & S_IFMT == S_IFDIR {
      do { return try FileManager.default.removeItem(atPath: file) } catch {
        throw ScanFailure(.inputOutput, "cannot remove \(file): \(error.reasonText)")
      }
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw ScanFailure(.cannotCreate, "\(file) is in the way and is not a file; move it away")
    }
    guard unlink(file) == 0 || errno == ENOENT else {
      throw ScanFailure(.inputOutput, "cannot remove \(file): \(Errno.current)")
    }
  }

  // MARK: The lock

  private static func lock(_ name: String, _ folder: String, _ run: RunID) throws(ScanFailure) -> Int32 {
    let deadline = Deadline(after: lockLimit)
    while true {
      let descriptor = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
      guard descriptor >= 0 else {
        throw ScanFailure(
          .cannotCreate, "cannot lock the folder \(folder) (\(name): \(Errno.current)); choose another --output-folder")
      }
      if flock(descriptor, LOCK_EX | LOCK_NB) == 0 {
        if isNamed(descriptor, name) {
          sign(descriptor, run)
          return descriptor
        }
      } else if errno != EWOULDBLOCK, errno != EINTR {
        // A file system without locks: there is nothing better.
        return descriptor
      } else if let holder = holder(descriptor), isAlive(holder.process), holder.run == run || deadline.hasPassed {
        close(descriptor)
        throw busy(holder, folder, run)
      } else if deadline.hasPassed {
        close(descriptor)
        throw busy(nil, folder, run)
      }
      close(descriptor)
      usleep(20_000)
    }
  }

  /// Removes the lock that a process left which was killed; that of one which lives stays.
  package static func removeLockOfNobody(in path: String) {
    let name = "\(path)/\(lockName)"
    let descriptor = open(name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    if flock(descriptor, LOCK_EX | LOCK_NB) == 0, isNamed(descriptor, name) { unlink(name) }
  }

  /// Whether the file still has its name: whoever held it may have removed it in between.
  private static func isNamed(_ descriptor: Int32, _ name: String) -> Bool {
    var (mine, there) = (stat(), stat())
    return fstat(descriptor, &mine) == 0 && lstat(name, &there) == 0 && mine.st_ino == there.st_ino
      && mine.st_dev == there.st_dev
  }

  private static func sign(_ descriptor: Int32, _ run: RunID) {
    let text = "\(getpid()) \(run)"
    // For people only: a lock that does not say whose it is holds as well.
    _ = ftruncate(descriptor, 0)
    _ = pwrite(descriptor, text, text.utf8.count, 0)
  }

  private static func holder(_ descriptor: Int32) -> (process: Int32, run: RunID)? {
    var text = [UInt8](repeating: 0, count: 64)
    let count = pread(descriptor, &text, text.count, 0)
    let words = String(decoding: text.prefix(max(0, count)), as: UTF8.self).split(separator: " ").map(String.init)
    guard words.count == 2, let process = Int32(words[0]), let run = RunID(words[1]) else { return nil }
    return (process, run)
  }

  private static func isAlive(_ process: Int32) -> Bool { kill(process, 0) == 0 || errno != ESRCH }

  private static func busy(_ holder: (process: Int32, run: RunID)?, _ folder: String, _ run: RunID) -> ScanFailure {
    guard let (process, other) = holder else {
      return ScanFailure(
        .cannotCreate, "another process writes its result to \(folder); choose another --output-folder")
    }
    guard other == run else {
      return ScanFailure(
        .cannotCreate,
        "process \(process) writes the result of another run to \(folder); choose another --output-folder")
    }
    return ScanFailure(
      .cannotCreate,
      "the run has a living supervisor, process \(process); see the run with slipring status, or end that process first"
    )
  }
}
