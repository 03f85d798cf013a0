import Foundation
import Host
import ScanPlan

/// What a sweep tries: a key of `scan.yaml`, and words that it gets one after the other.
struct SweepValues: Equatable {
  let name: String
  let words: [String]

  /// More would make no picture that anybody can look at.
  static let countMax = 100

  /// Reads `NAME=FIRST:LAST:STEP`, or `NAME=A,B,C` with semicolons where the words have commas.
  /// - Throws: `.usage`
  init(_ text: String) throws(ScanFailure) {
    let halves = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    guard halves.count == 2, !halves[1].isEmpty else {
      throw ScanFailure(.usage, "--vary \(text): write NAME=FIRST:LAST:STEP or NAME=A,B,C")
    }
    try self.init(name: halves[0], text: halves[1], option: "--vary \(text)")
  }

  /// Reads `FIRST:LAST:STEP` or `A,B,C`. `option` is how the user wrote it.
  /// - Throws: `.usage`
  init(name: String, text: String, option: String) throws(ScanFailure) {
    self.name = name
    words = try Self.range(text, option) ?? Self.list(text)
    guard !words.isEmpty, words.allSatisfy({ !$0.isEmpty }) else {
      throw ScanFailure(.usage, "\(option): no value is there, or one is empty")
    }
    guard words.count <= Self.countMax else { throw Self.tooMany(option, "\(words.count)") }
    guard Set(words).count == words.count else { throw ScanFailure(.usage, "\(option): a value is there twice") }
  }

  private static func list(_ text: String) -> [String] {
    text.split(separator: text.contains(";") ? ";" : ",").map { $0.trimmingCharacters(in: .whitespaces) }
  }

  /// Nil where it is no range.
  private static func range(_ text: String, _ whole: String) throws(ScanFailure) -> [String]? {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 3, let first = number(parts[0]), let last = number(parts[1]), let step = number(parts[2])
    else { return nil }
    guard step != 0, (last - first) / step >= 0 else {
      throw ScanFailure(.usage, "\(whole): steps of \(parts[2]) do not lead from \(parts[0]) to \(parts[1])")
    }
    // Half a thousandth of a step more, so that 290:302:0.1 ends with 302.
    let count = ((last - first) / step + 0.0005).rounded(.down) + 1
    guard count <= Double(countMax) else { throw tooMany(whole, "\(Int(min(count, 1e9)))") }
    // Makes 0.3 of 0.1 + 2 × 0.1, and leaves small numbers what they are.
    let least = [first, last, step].map(abs).filter { $0 > 0 }.min() ?? 1
    let unit = pow(10, (log10(least) - 6).rounded(.down))
    return (0..<Int(count)).map { index in
      let steps = ((first + Double(index) * step) / unit).rounded()
      // Divided where that is exact, so that the words are short.
      let value = unit < 1 ? steps / (1 / unit).rounded() : steps * unit
      return value == value.rounded() && abs(value) < 1e9 ? "\(Int(value))" : "\(value)"
    }
  }

  private static func number(_ text: Substring) -> Double? {
    Double(written: text)
  }

  private static func tooMany(_ option: String, _ count: String) -> ScanFailure {
    ScanFailure(.usage, "\(option): \(count) values, and \(countMax) can be looked at; take larger steps")
  }
}
