import Foundation
import Glibc
import Host
import ScanPlan

/// What goes to a person: results on standard output, everything else on standard error.
enum Console {
  /// One line about what went wrong.
  static func error(_ text: String) { write("slipring: error: \(text.onOneLine)\n") }

  /// One line that is worth knowing.
  static func notice(_ text: String) { write("slipring: \(text.onOneLine)\n") }

  /// One line of a result.
  static func result(_ text: String) { put(text + "\n", 1) }

  /// A value as JSON on standard output; an error where a program that waits for it would not get it.
  static func json(_ value: some Encodable) throws { try json(value, .prettyPrinted) }

  /// The same on one line, of which a program reads one after the other.
  static func jsonLine(_ value: some Encodable) throws { try json(value, []) }

  private static func json(_ value: some Encodable, _ formatting: JSONEncoder.OutputFormatting) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = formatting.union([.sortedKeys, .withoutEscapingSlashes])
    let text = String(decoding: try encoder.encode(value), as: UTF8.self) + "\n"
    guard put(text, 1) || errno == EPIPE else {
      throw ScanFailure(.inputOutput, "cannot write the result to standard output: \(String(cString: strerror(errno)))")
    }
  }

  /// Whether standard error is a terminal.
  static var isTerminal: Bool { isatty(2) == 1 }

  /// Writes text to standard error without a line end, at once.
  static func write(_ text: String) { put(text, 2) }

  /// A reader that has gone (a closed pipe) is no reason to stop a scan, so what cannot be printed is dropped. False,
  /// with errno, then.
  @discardableResult
  private static func put(_ text: String, _ descriptor: Int32) -> Bool {
    let bytes = Array(text.utf8)
    var start = 0
    while start < bytes.count {
      let count = bytes[start...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return false }
      start += count
    }
    return true
  }

  /// Where files go that nobody needs afterwards.
  static var temporaryFolder: String { getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp" }

  /// What starts this program again, also where its file was replaced meanwhile.
  static var executable: String { OwnProgram.executable }
}
