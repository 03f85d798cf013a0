import Yams

/// The entries of a YAML file that has one mapping, of words to words.
enum ScanYAML {
  /// One key and what is written behind it.
  struct Entry {
    /// What is written behind a key.
    enum Value {
      case none
      case word(String)
      /// A list of words, each with its line.
      case words([(word: String, line: Int)])
      /// A list, or keys of its own.
      case several
    }

    let name: String
    let value: Value
    /// From 1.
    let line: Int
  }

  /// An anchor can be used more than once in the value of the next, and so on: what so many can make is still small. A
  /// scan file needs none.
  private static let anchorCountMax = 16
  /// Several times the keys that there are: for each one that is unknown, the nearest is looked for.
  private static let entryCountMax = 256

  /// The entries in their order. Throws where that is no mapping.
  static func entries(_ bytes: [UInt8]) throws(ScanFile.Problem) -> [Entry] {
    let root = try root(bytes)
    switch root {
    case nil: return []
    case .scalar(let scalar)?
    where scalar.string.isEmpty && scalar.style != .singleQuoted && scalar.style != .doubleQuoted: return []
    case .mapping(let mapping)?:
      guard mapping.count <= entryCountMax else {
        throw .init(
          line: 1,
          text: "there are \(mapping.count) keys; a scan file has \(entryCountMax) at most, slipring init lists all")
      }
      return mapping.map(entry)
    case let root?:
      throw .init(
        line: root.mark?.line ?? 1,
        text: "this is not a list of keys; write one key: value a line, as slipring init does")
    }
  }

  /// What a file has, whatever that is; nil where it is empty. Throws where it is no YAML, or one that could grow
  /// beyond reason.
  static func root(_ bytes: [UInt8]) throws(ScanFile.Problem) -> Node? {
    guard var text = String(validating: bytes, as: UTF8.self) else {
      throw .init(line: invalidLine(bytes), text: "this is not text in UTF-8")
    }
    if text.unicodeScalars.first == "\u{FEFF}" { text.unicodeScalars.removeFirst() }
    try checkAnchors(text)
    do { return try compose(yaml: text, .basic, .default, .utf8) } catch { throw problem(error) }
  }

  private static func entry(_ key: Node, _ value: Node) -> Entry {
    let line = key.mark?.line ?? 1
    guard case .scalar(let name) = key else { return Entry(name: "?", value: .several, line: line) }
    if case .sequence(let nodes) = value, nodes.allSatisfy({ $0.scalar != nil }) {
      return Entry(
        name: name.string,
        value: .words(nodes.map { ($0.scalar?.string ?? "", $0.mark?.line ?? line) }), line: line)
    }
    guard case .scalar(let scalar) = value else { return Entry(name: name.string, value: .several, line: line) }
    let isNull = scalar.style == .plain && ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    return Entry(name: name.string, value: isNull ? .none : .word(scalar.string), line: line)
  }

  private static func checkAnchors(_ text: String) throws(ScanFile.Problem) {
    var (line, count) = (1, 0)
    var last: UInt8 = 10
    for byte in text.utf8 {
      // Inside of a word they are letters.
      if byte == UInt8(ascii: "&") || byte == UInt8(ascii: "*"), last <= 32 || "[]{},:-?".utf8.contains(last) {
        count += 1
      }
      guard count <= anchorCountMax else {
        throw .init(line: line, text: "there are too many anchors (&) and aliases (*); such a file needs none")
      }
      if byte == 10 { line += 1 }
      last = byte
    }
  }

  /// The line of the first byte that is not UTF-8.
  private static func invalidLine(_ bytes: [UInt8]) -> Int {
    var (decoder, iterator) = (UTF8(), bytes.makeIterator())
    var line = 1
    while case .scalarValue(let scalar) = decoder.decode(&iterator) { line += scalar == "\n" ? 1 : 0 }
    return line
  }

  /// Why something is no YAML, in one line; `error` is what the parser says.
  private static func problem(_ error: any Error) -> ScanFile.Problem {
    switch error {
    case YamlError.scanner(let context, let problem, let mark, _),
      YamlError.parser(let context, let problem, let mark, _),
      YamlError.composer(let context, let problem, let mark, _):
      let before = context.map { $0.text.isEmpty ? "" : "\($0.text) of line \($0.mark.line), " } ?? ""
      return .init(line: mark.line, text: "this is not YAML: \(before)\(problem)")
    case YamlError.duplicatedKeysInMapping(let names, let context):
      return .init(line: context.mark.line, text: "the key \(names.first ?? "") is there more than once")
    case YamlError.reader(let problem, let offset, _, let text):
      return .init(
        line: offset.map { text.prefix($0).count(where: \.isNewline) + 1 }, text: "this is not YAML: \(problem)")
    default:
      let words = "\(error)".split(whereSeparator: \.isNewline).joined(separator: " ")
      return .init(line: nil, text: "this is not YAML: \(words)")
    }
  }
}

extension ScanFile.Problem: Error {}
