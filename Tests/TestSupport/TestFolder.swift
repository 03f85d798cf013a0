import Foundation

/// A folder that exists as long as the value that owns it.
package final class TestFolder {
  /// Its absolute path.
  package let path: String

  /// Makes a new folder.
  package init() throws {
    // Standardized, as programs say it.
    let place = URL(filePath: NSTemporaryDirectory()).standardizedFileURL.appending(path: "slipring-test-XXXXXX")
    var template = Array(place.path.utf8CString)
    guard mkdtemp(&template) != nil else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
    path = String(decoding: template.dropLast().map(UInt8.init), as: UTF8.self)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// The path of a file in the folder.
  package func file(_ name: String) -> String { "\(path)/\(name)" }

  /// The names in a folder of the folder, hidden ones too.
  package func names(in name: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: file(name)).sorted()
  }

  /// The names in the folder, hidden ones too.
  package func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: path).sorted() }
}
