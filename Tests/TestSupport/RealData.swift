import Foundation

/// The real measurements: `../shared/data` beside the package, or the folder that SLIPRING_DATA names. Nil where there
/// are none.
package let dataFolder: String? = {
  var package = URL(filePath: #filePath).deletingLastPathComponent()
  while package.path != "/", !FileManager.default.fileExists(atPath: package.appending(path: "Package.swift").path) {
    package.deleteLastPathComponent()
  }
  let beside = package.deletingLastPathComponent().appending(path: "shared/data").path
  let folder = ProcessInfo.processInfo.environment["SLIPRING_DATA"] ?? beside
  return FileManager.default.fileExists(atPath: "\(folder)/tooth.h5") ? folder : nil
}()
