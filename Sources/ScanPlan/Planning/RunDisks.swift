import Glibc
import Host

/// Which of a run's folders lay on disks of their own when it was planned: that of the run, and those of its copies.
///
/// Numbers of devices are others after each start of the machine. Which folders share one is not, so that is on record.
package struct RunDisks: Codable, Equatable, Sendable {
  /// A folder.
  struct Place: Codable, Equatable, Sendable {
    /// Absolute path.
    let path: String
    /// The same for all on one disk.
    let disk: Int
    /// The folder that the disk is mounted in, on the disk above; nil on that of "/".
    let ground: String?
  }

  private let places: [Place]

  /// Looks where the folders are; one that is not there counts as the nearest above it.
  init(_ paths: [String]) {
    var disks: [dev_t] = []
    places = paths.map(absolutePath).compactMap { path in
      guard let device = Self.device(of: path) else { return nil }
      let disk = disks.firstIndex(of: device) ?? disks.endIndex
      if disk == disks.endIndex { disks.append(device) }
      return Place(path: path, disk: disk, ground: Self.ground(of: path, device))
    }
  }

  /// A folder on whose disk `path` is now, and was not when it was `own`: that in which its disk was mounted, or one of
  /// `others`, folders of the run that are there. Nil where there is none.
  package func objection(to path: String, of own: String, beside others: [String]) -> String? {
    guard let place = places.first(where: { $0.path == absolutePath(own) }), let device = Self.device(of: path) else {
      return nil
    }
    // A folder of another name was never in that one.
    if absolutePath(path) == place.path, let ground = place.ground, Self.device(of: ground) == device { return ground }
    return others.first { other in
      places.contains { $0.path == absolutePath(other) && $0.disk != place.disk } && Self.device(of: other) == device
    }
  }

  /// The folder above the highest one of a path that is on `device` with all below it.
  private static func ground(of path: String, _ device: dev_t) -> String? {
    guard var folder = realPath(path) else { return nil }
    while folder != "/" {
      folder = folderName(of: folder)
      if let above = status(folder), above != device { return folder }
    }
    return nil
  }

  private static func status(_ path: String) -> dev_t? {
    var status = stat()
    return stat(path, &status) == 0 ? status.st_dev : nil
  }

  private static func device(of path: String) -> dev_t? { realPath(path).flatMap(status) }

  /// Without symbolic links, of the folder or the nearest one above it that is there.
  private static func realPath(_ path: String) -> String? {
    var folder = absolutePath(path)
    while true {
      if let real = realpath(folder, nil) {
        defer { free(real) }
        return String(cString: real)
      }
      guard folder != "/", folder != "." else { return nil }
      folder = folderName(of: folder)
    }
  }
}

extension RunPlan {
  /// Takes note of which disks the run's folders are on, where it has copies.
  package mutating func noteDisks(runFolder: String) {
    let copies = (scan.mirror.map { [$0] } ?? []) + (scan.parity?.folders ?? [])
    disks = copies.isEmpty ? nil : RunDisks([runFolder] + copies)
  }
}
