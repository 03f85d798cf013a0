import Foundation
import Glibc
import Host
import ScanPlan

/// Values of a server in files: there whole or not at all, and for this user alone.
enum JSONFile {
  private static let byteCountMax = 16 << 20

  /// The value in the file at `path`; nil where there is none.
  /// - Throws: `.inputOutput` where it cannot be read, `.data` where it holds something else.
  static func read<Value: Decodable>(_ type: Value.Type, _ path: String) throws(ScanFailure) -> Value? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard descriptor >= 0 else {
      if errno == ENOENT { return nil }
      throw ScanFailure(.inputOutput, "cannot read \(path): \(String(cString: strerror(errno)))")
    }
    let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    do {
      let data = try file.read(upToCount: byteCountMax) ?? Data()
      return try JSONDecoder().decode(type, from: data)
    } catch let error as DecodingError {
      throw ScanFailure(.data, "\(path) is damaged: \(error)")
    } catch {
      throw ScanFailure(.inputOutput, "cannot read \(path): \(error.localizedDescription)")
    }
  }

  /// Writes a value in place of what was there, durably.
  static func write(_ value: some Encodable, to path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try writeFileAtomically(path: path, bytes: Array(encoder.encode(value)), isPrivate: true)
  }
}
