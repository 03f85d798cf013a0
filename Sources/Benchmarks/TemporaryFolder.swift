internal import Foundation
internal import Glibc
import Host
import ScanPlan

/// A new folder for what a benchmark writes; it goes with this object.
final class TemporaryFolder {
  let path: String

  /// Makes the folder in `parent`, which exists.
  init(in parent: String) throws(ScanFailure) {
    var template = Array("\(parent)/slipring-bench-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw ScanFailure(
        .cannotCreate,
        "cannot create a folder in \(parent): \(String(cString: strerror(errno))); choose another --folder")
    }
    path = URL(fileURLWithPath: String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)).path
  }

  deinit {
    // What cannot be removed has the benchmark's name on it; there is nobody left to tell.
    try? FileManager.default.removeItem(atPath: path)
  }

  /// Removes what is in a folder of this one, and the folder.
  func remove(_ name: String) throws(ScanFailure) {
    do { try FileManager.default.removeItem(atPath: "\(path)/\(name)") } catch {
      throw ScanFailure(.inputOutput, "cannot remove \(path)/\(name): \(error.localizedDescription)")
    }
  }
}
