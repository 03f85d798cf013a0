import Foundation
import Host
import ScanPlan

/// The folder of frames that wait for their volumes.
enum SpoolFolder {
  /// Removes it with all that it holds; one that is not there is no error.
  static func remove(_ path: String) throws(ScanFailure) {
    do { try FileManager.default.removeItem(atPath: path) } catch CocoaError.fileNoSuchFile { return } catch {
      throw ScanFailure(.inputOutput, "cannot remove \(path): \(error.localizedDescription)")
    }
  }
}
