import Alarms
import Glibc
import Host

/// A program as a model: once a second it gets a line with the newest values of the gauge, oldest first, and answers
/// with a line: a number, above 0 for an alarm. One that does not answer within a second, or for the first time within
/// ten, is ended and started again, at the third time not any more: then it raises no alarm.
final class ProgramModel: AlarmModel {
  private static let (window, period, looksMax, failuresMax, lineMax) = (100, 10, 10, 3, 256)
  /// An interpreter has to start before its program answers for the first time.
  private static let firstLooksMax = 100
  private static let killLimit: Duration = .seconds(1)

  private let path: String
  private let start: (String, _ input: Int32, _ output: Int32) throws -> ChildProcess
  private let noticed: (String) -> Void
  private var process: ChildProcess?
  private var (input, output): (Int32, Int32) = (-1, -1)
  private var values: [Double] = []
  private var (count, waited, failures) = (0, -1, 0)
  private var text: [UInt8] = []
  private var hasAnswered = false
  /// Whether values are those of now: what a predecessor saw is not asked about again.
  var isLive = false

  /// The program at `path`, which `start` starts with its standard input and output; `noticed` hears what is wrong.
  init(
    _ path: String, start: @escaping (String, _ input: Int32, _ output: Int32) throws -> ChildProcess,
    noticed: @escaping (String) -> Void
  ) {
    (self.path, self.start, self.noticed) = (path, start, noticed)
  }

  deinit { end() }

  func look(_ value: Double) -> Verdict? {
    values.append(value)
    if values.count > Self.window { values.removeFirst() }
    guard isLive, failures < Self.failuresMax else { return nil }
    count += 1
    do {
      if process == nil { try begin() }
      let answer = try answer()
      if answer == nil, waited >= 0 {
        waited += 1
        let limit = hasAnswered ? Self.looksMax : Self.firstLooksMax
        if waited > limit { throw Problem(description: "gave no answer within \(hasAnswered ? "a second" : "10 s")") }
      } else if count % Self.period == 0 {
        try ask()
      }
      return answer.map { Verdict(isAlarm: $0 > 0, forecast: $0) }
    } catch {
      end()
      failures += 1
      waited = -1
      noticed(
        "the program \(path): \(error)" + (failures == Self.failuresMax ? "; it is not asked any more" : ""))
      // An alarm that nobody can take back would last to the end of the scan.
      return failures == Self.failuresMax ? Verdict(isAlarm: false, forecast: nil) : nil
    }
  }

  private struct Problem: Error, CustomStringConvertible { let description: String }

  private func begin() throws {
    var (toProgram, fromProgram): ([Int32], [Int32]) = ([-1, -1], [-1, -1])
    guard pipe(&toProgram) == 0 else { throw Problem(description: "\(Errno.current)") }
    guard pipe(&fromProgram) == 0 else {
      for end in toProgram { close(end) }
      throw Problem(description: "\(Errno.current)")
    }
    defer {
      close(toProgram[0])
      close(fromProgram[1])
    }
    // Only this end: the program may wait for its next line.
    (input, output) = (toProgram[1], fromProgram[0])
    for end in [input, output] { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
    (text, waited, hasAnswered) = ([], -1, false)
    process = try start(path, toProgram[0], fromProgram[1])
  }

  private func ask() throws {
    let line = Array((values.map { "\($0)" }.joined(separator: " ") + "\n").utf8)
    // A pipe takes what is shorter than a page whole, or nothing.
    let written = line.withUnsafeBytes { write(input, $0.baseAddress, $0.count) }
    guard written == line.count else { throw Problem(description: "takes no line") }
    waited = 0
  }

  /// Its newest answer; nil where there is none.
  private func answer() throws -> Double? {
    guard output >= 0 else { return nil }
    var bytes = [UInt8](repeating: 0, count: Self.lineMax)
    let count = read(output, &bytes, bytes.count)
    guard count != 0 else { throw Problem(description: "ended") }
    guard count > 0 else { return nil }
    text += bytes[..<count]
    guard let end = text.lastIndex(of: UInt8(ascii: "\n")) else {
      guard text.count <= Self.lineMax else { throw Problem(description: "answers no number") }
      return nil
    }
    let line = text[..<end].split(separator: UInt8(ascii: "\n")).last ?? []
    text.removeSubrange(...end)
    guard let number = Double(String(decoding: line, as: UTF8.self)), number.isFinite else {
      throw Problem(description: "answers no number")
    }
    (waited, hasAnswered) = (-1, true)
    return number
  }

  private func end() {
    for end in [input, output] where end >= 0 { close(end) }
    (input, output) = (-1, -1)
    // It dies with this process at the latest.
    do {
      try process?.killGroup()
      _ = try process?.waitForExit(timeout: Self.killLimit)
    } catch { noticed("the program \(path): \(error)") }
    process = nil
  }
}
