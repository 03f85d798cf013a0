import Foundation

/// Where volumes come: a path with words in braces that each scan fills in.
struct OutputPattern {
  private let text: String

  private static let words = ["date", "time", "sample", "source", "number"]
  private static let sampleLengthMax = 80

  init(_ text: String) { self.text = text }

  /// What is wrong with it, to follow its name; nil where nothing is.
  var problem: String? {
    var rest = text[...]
    while let start = rest.firstIndex(of: "{") {
      guard let end = rest[start...].firstIndex(of: "}") else { return "has a { without its }" }
      let word = String(rest[rest.index(after: start)..<end])
      guard Self.words.contains(word) else { return "has {\(word)}; known are \(Self.words.joined(separator: ", "))" }
      rest = rest[rest.index(after: end)...]
    }
    guard text.contains("{number}") else { return "needs {number}: no two scans may have one folder" }
    guard !text.hasPrefix("/"), !text.split(separator: "/").contains("..") else {
      return "is a path inside the server's folder scans"
    }
    return nil
  }

  /// The folder of an entry, below `scans`.
  func path(of entry: QueueEntry) -> String {
    var calendar = Calendar(identifier: .gregorian)
    calendar.timeZone = .gmt
    let parts = calendar.dateComponents(
      [.year, .month, .day, .hour, .minute, .second], from: Date(timeIntervalSince1970: entry.added))
    func digits(_ value: Int?, _ count: Int) -> String {
      let text = "\(value ?? 0)"
      return String(repeating: "0", count: max(0, count - text.count)) + text
    }
    let date = "\(digits(parts.year, 4))-\(digits(parts.month, 2))-\(digits(parts.day, 2))"
    let time = digits(parts.hour, 2) + digits(parts.minute, 2) + digits(parts.second, 2)
    let values = [
      "date": date, "time": time, "sample": Self.plain(entry.sample ?? entry.source), "source": entry.source,
      "number": ScanQueue.name(entry.number),
    ]
    return values.reduce(text) { $0.replacing("{\($1.key)}", with: $1.value) }
  }

  /// What may be part of a folder's name, and no path of its own.
  static func plain(_ sample: String) -> String {
    let letters = sample.unicodeScalars.prefix(sampleLengthMax).map { scalar -> String in
      let isPlain = scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar))
      return isPlain || scalar == "-" || scalar == "." || scalar == "_" ? String(scalar) : "_"
    }.joined()
    return letters.allSatisfy { $0 == "." } ? "sample" : letters
  }
}
