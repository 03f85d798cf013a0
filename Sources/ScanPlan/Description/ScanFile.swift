import Glibc
import Host

/// A scan file: a description in YAML, one `key: value` a line, spelled as on the command line.
package struct ScanFile: Sendable {
  /// Something wrong with the file.
  package struct Problem: Equatable, Sendable, Codable {
    /// Where it stands, from 1; nil for what is missing.
    package let line: Int?
    /// What it is, and what to do.
    package let text: String

    /// A problem as given.
    package init(line: Int?, text: String) { (self.line, self.text) = (line, text.onOneLine) }
  }

  /// As it was named.
  let path: String
  /// What could be read of it; where there are problems, the rest is at its defaults.
  package let scan: ScanDescription
  /// All that is wrong with it, from top to bottom.
  package let problems: [Problem]
  /// Where each key stands.
  private let lines: [String: Int]

  /// No scan file comes near it, and what a parser can be made to do with a file is bounded by it.
  private static let byteCountMax = 64 << 10

  /// Reads the file at `path`; `input` stands in place of the input that it names. Throws where it cannot be read at
  /// all.
  package init(path: String, input: String? = nil) throws(ScanFailure) {
    try self.init(path: path) { scan in if let input { scan.input = input } }
  }

  /// Reads the file at `path`, which leaves to `complete` what it cannot say. Throws where it cannot be read at all.
  package init(path: String, complete: (inout ScanDescription) -> Void) throws(ScanFailure) {
    self.init(path: path, bytes: try Self.read(path), complete: complete)
  }

  /// Reads the content of a file.
  package init(path: String, bytes: [UInt8], complete: (inout ScanDescription) -> Void = { _ in }) {
    self.path = path
    var problems: [Problem] = []
    var entries: [ScanYAML.Entry] = []
    do {
      entries = try ScanYAML.entries(bytes)
    } catch {
      problems.append(error)
    }
    var scan = ScanDescription.standard
    var lines: [String: Int] = [:]
    // About these, nothing more is said.
    var known: Set<String> = []
    for entry in entries {
      if let key = ScanKey.named(entry.name) { lines[key.name] = entry.line }
      guard let problem = Self.problem(of: entry, &scan) else { continue }
      problems.append(problem)
      known.insert(entry.name)
    }
    complete(&scan)
    // A file that is no YAML has said nothing yet.
    let others = problems.isEmpty || !entries.isEmpty ? scan.problems() : []
    for text in others where known.isDisjoint(with: ScanKey.mentioned(in: text)) {
      problems.append(Self.problem(text, lines))
    }
    self.scan = scan
    self.lines = lines
    self.problems = problems.sorted { ($0.line ?? 0) < ($1.line ?? 0) }
  }

  /// Throws, with all problems in one line, where there are any.
  package func validate() throws(ScanFailure) {
    guard let first = problems.first else { return }
    let others = problems.count == 1 ? "" : " (and \(problems.count - 1) more: see slipring check)"
    throw ScanFailure(.configuration, located(first) + others)
  }

  /// A problem with the place where it is: `scan.yaml:12: …`.
  package func located(_ problem: Problem) -> String { Self.located(problem, in: path) }

  static func located(_ problem: Problem, in path: String) -> String {
    "\(path.onOneLine):\(problem.line.map { "\($0):" } ?? "") \(problem.text)"
  }

  /// What the input or the machine has against the description, with the line of the key that it is about.
  package func problem(_ failure: ScanFailure) -> Problem { Self.problem(failure.description, lines) }

  /// A sentence that names keys as the command line does.
  private static func problem(_ text: String, _ lines: [String: Int]) -> Problem {
    let keys = ScanKey.mentioned(in: text)
    let words = keys.reduce(text) { $0.replacing("--\($1)", with: $1) }
    let line = keys.lazy.compactMap { lines[$0] }.first
    guard line == nil, let key = keys.first, text.hasPrefix("--\(key) is empty; ") else {
      return Problem(line: line, text: words)
    }
    return Problem(line: nil, text: "\(key) is missing; " + text.dropFirst("--\(key) is empty; ".count))
  }

  /// Takes one entry over; what is wrong with it otherwise, and where. Of a list the first word that is wrong is told.
  private static func problem(of entry: ScanYAML.Entry, _ scan: inout ScanDescription) -> Problem? {
    guard case .words(let words) = entry.value, let key = ScanKey.named(entry.name), key.isRepeatable else {
      return apply(entry, to: &scan).map { Problem(line: entry.line, text: $0) }
    }
    guard !words.isEmpty else {
      if let word = key.emptyList { _ = key.read(word, &scan) }
      return nil
    }
    for (word, line) in words {
      var alone = ScanDescription.standard
      let isWord = !word.contains(" ") && key.read(word, &alone)
      let problem = isWord ? key.problem(alone) : "is not \(key.form)"
      if let problem { return Problem(line: line, text: "\(key.name) \(quoted(word)) \(problem)") }
    }
    let all = words.map(\.word).joined(separator: " ")
    return key.read(all, &scan) ? nil : Problem(line: entry.line, text: "\(key.name) is not \(key.form)")
  }

  /// Takes one entry over; what is wrong with it otherwise.
  private static func apply(_ entry: ScanYAML.Entry, to scan: inout ScanDescription) -> String? {
    guard let key = ScanKey.named(entry.name) else {
      let nearest =
        ScanKey.nearest(to: entry.name).map { "did you mean \($0.name)?" } ?? "slipring init lists all of them"
      return "there is no key \(quoted(entry.name)); \(nearest)"
    }
    switch entry.value {
    case .none:
      if key.unset != nil { return nil }
      return "\(key.name) has no value; it is \(key.form)"
        + (key.text(.standard).map { $0.isEmpty ? "" : ", by default \($0)" } ?? "")
    case .several, .words: return "\(key.name) has several values; it is \(key.form)"
    case .word(let word):
      return key.read(word, &scan) ? nil : "\(key.name) \(quoted(word)) is not \(key.form)"
    }
  }

  /// A word that a person wrote, short and on one line.
  private static func quoted(_ word: String) -> String {
    let shown = String(String.UnicodeScalarView(word.unicodeScalars.prefix(40))).onOneLine
    return "\"\(shown)\(word.unicodeScalars.count > 40 ? "…" : "")\""
  }

  /// Why a file cannot be opened. A service runs as somebody else than who wrote its file.
  private static func openFailure(_ code: Int32) -> String {
    let text = String(cString: strerror(code))
    guard code == EACCES else { return text }
    return "\(text): slipring runs as user \(Machine.userName), who has to read it and to pass its folders"
  }

  /// The bytes of a file that people write, which messages call `name`. Throws where it cannot be read, is none, or is
  /// too long.
  package static func read(_ path: String, as name: String = "the scan file") throws(ScanFailure) -> [UInt8] {
    // Not to wait for the writer of a pipe.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      throw ScanFailure(.noInput, "cannot read \(name) \(path): \(Self.openFailure(errno))")
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw ScanFailure(.noInput, "cannot read \(name) \(path): this is not a file")
    }
    var bytes = [UInt8](repeating: 0, count: byteCountMax + 1)
    var count = 0
    while count < bytes.count {
      let read = bytes.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress! + count, $0.count - count) }
      if read < 0, errno == EINTR { continue }
      guard read >= 0 else {
        throw ScanFailure(.inputOutput, "cannot read \(name) \(path): \(String(cString: strerror(errno)))")
      }
      if read == 0 { break }
      count += read
    }
    guard count <= byteCountMax else {
      throw ScanFailure(
        .configuration, "\(name) \(path) is longer than the \(byteCountMax >> 10) KiB that it may have")
    }
    return Array(bytes[..<count])
  }
}
