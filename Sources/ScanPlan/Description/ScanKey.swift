import Host

/// One thing that a person can decide: a key of `scan.yaml` and an option of the command line, which have the same
/// name.
///
/// `ScanKey.all` is the only list of them. Reading and writing `scan.yaml` and `plan.json`, `check`, `init`, and the
/// words and limits of `--help` come from it.
package struct ScanKey: Sendable {
  /// What belongs together; the sections of the file that `init` writes.
  package enum Group: String, CaseIterable, Sendable {
    /// Where projections come from, and what they are.
    case input = "Input"
    /// What a source that is no file will deliver.
    case source = "Live source"
    /// What part of them is reconstructed.
    case region = "Region"
    /// How.
    case method = "Method"
    /// What is done to data and volume beside.
    case filters = "Filters"
    /// In which order, and when it ends.
    case control = "Control"
    /// On what.
    case machine = "Machine"
    /// On which others as well.
    case fabric = "Fabric"
    /// What is written.
    case output = "Output"
    /// What is kept, in case something goes wrong.
    case safety = "Safety"
  }

  /// As it is written, without dashes before it: `window-length`.
  package let name: String
  /// What it belongs to.
  let group: Group
  /// What it is, in a sentence or two.
  package let help: String
  /// What holds where it is left out; nil where it has a value then, or is needed.
  package let unset: String?
  /// What can be written: form and limits.
  package let form: String
  /// The same as JSON Schema has it.
  let value: SchemaValue
  /// Reads a word into a description; false for one without meaning.
  let read: @Sendable (String, inout ScanDescription) -> Bool
  /// The word in a description; nil where none is set.
  let text: @Sendable (ScanDescription) -> String?
  /// What is wrong with the value, to follow it in a sentence; nil where nothing is.
  let problem: @Sendable (ScanDescription) -> String?

  /// A key that always has a value.
  init<Value: ScanValue>(
    _ group: Group, _ name: String, _ path: any WritableKeyPath<ScanDescription, Value> & Sendable, _ help: String,
    _ limit: ScanLimit<Value> = .none
  ) {
    (self.group, self.name, self.help, unset) = (group, name, help, nil)
    form = limit.form
    value = Self.schema(Value.self, limit)
    read = { word, scan in
      guard let value = Value(scanText: word) else { return false }
      scan[keyPath: path] = value
      return true
    }
    text = { $0[keyPath: path].scanText }
    problem = { limit.problem($0[keyPath: path]) }
  }

  /// A key that can be left out: then what `unset` says holds.
  init<Value: ScanValue>(
    _ group: Group, _ name: String, _ path: any WritableKeyPath<ScanDescription, Value?> & Sendable, _ help: String,
    unset: String,
    _ limit: ScanLimit<Value> = .none
  ) {
    (self.group, self.name, self.help, self.unset) = (group, name, help, unset)
    form = limit.form
    value = Self.schema(Value.self, limit)
    read = { word, scan in
      guard let value = Value(scanText: word) else { return false }
      scan[keyPath: path] = value
      return true
    }
    text = { $0[keyPath: path]?.scanText }
    problem = { $0[keyPath: path].flatMap(limit.problem) }
  }

  /// Whether it takes several records, in scan.yaml as a list.
  var isRepeatable: Bool { ["trigger", "view", "stage"].contains(name) }

  /// What a list of it without records means; nil where that is as if it were not there.
  var emptyList: String? { name == "trigger" ? TriggerRecords.none : nil }

  /// The key of that name.
  package static func named(_ name: String) -> ScanKey? { byName[name] }

  private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

  /// The help of the key of that name, which exists, for the command line.
  package static func help(_ name: String) -> String {
    guard let key = named(name) else { preconditionFailure("there is no key \(name)") }
    return key.help + (key.unset.map { " (default: \($0))" } ?? "")
  }

  /// The key that a person may have meant by a word that is none.
  static func nearest(to word: String) -> ScanKey? {
    let distances = all.map { ($0, editDistance(word, $0.name)) }
    // A word that has no letter where the key has it is no mistake in it.
    guard let best = distances.min(by: { $0.1 < $1.1 }), best.1 <= max(1, best.0.name.count / 3),
      best.1 < max(word.count, best.0.name.count)
    else { return nil }
    return best.0
  }
}

/// The least and the largest value; `isOpen` where they are themselves too small and too large.
struct ScanBounds: Sendable {
  let low: Double
  let high: Double
  let isOpen: Bool

  /// Nil where they are no numbers.
  init?(_ low: some ScanValue, _ high: some ScanValue, isOpen: Bool) {
    guard let least = Double(low.scanText), let largest = Double(high.scanText) else { return nil }
    (self.low, self.high, self.isOpen) = (least, largest, isOpen)
  }
}

/// What values a key may have.
struct ScanLimit<Value: ScanValue>: Sendable {
  /// Form and limits in words.
  let form: String
  /// What is wrong with a value; nil where nothing is.
  let problem: @Sendable (Value) -> String?
  /// Where values end; nil where they do not.
  var bounds: ScanBounds?

  /// Whatever can be written.
  static var none: ScanLimit { ScanLimit(form: Value.form) { _ in nil } }
}

extension ScanLimit where Value == String {
  /// The path of a folder.
  static var folder: ScanLimit {
    ScanLimit(form: "the path of a folder") { $0.isEmpty ? "is empty; name a folder, . for the present one" : nil }
  }

  /// Something that must be said, in `words`.
  static func needed(_ words: String) -> ScanLimit {
    ScanLimit(form: words) { $0.isEmpty ? "is empty; name \(words)" : nil }
  }
}

extension ScanLimit where Value: Comparable {
  /// Values from the first to the last, of `unit`.
  static func within(_ range: ClosedRange<Value>, _ unit: String = "") -> ScanLimit {
    let (low, high, unit) = (range.lowerBound.scanText, range.upperBound.scanText, unit.isEmpty ? "" : " \(unit)")
    return ScanLimit(
      form: "\(Value.form) from \(low) to \(high)\(unit)",
      problem: { range.contains($0) ? nil : "is outside \(low)…\(high)\(unit)" },
      bounds: ScanBounds(range.lowerBound, range.upperBound, isOpen: false))
  }

  /// Values between two that are themselves too small and too large; `reason` follows them.
  static func between(_ low: Value, _ high: Value, _ reason: String) -> ScanLimit {
    let words = "\(low.scanText)…\(high.scanText)"
    return ScanLimit(
      form: "\(Value.form) above \(low.scanText) and below \(high.scanText)",
      problem: { $0 > low && $0 < high ? nil : "is outside \(words), \(reason)" },
      bounds: ScanBounds(low, high, isOpen: true))
  }
}

/// Insertions, deletions, replacements and swaps of neighbours that make one word of the other (F. J. Damerau, Commun.
/// ACM 7, 1964; optimal string alignment). Of long words only the beginning is looked at.
private func editDistance(_ first: String, _ second: String) -> Int {
  let (first, second) = (Array(first.prefix(64)), Array(second.prefix(64)))
  var rows = [Array(0...second.count)]
  for i in 0..<first.count {
    var row = [i + 1]
    for j in 0..<second.count {
      var best = min(rows[i][j + 1] + 1, row[j] + 1, rows[i][j] + (first[i] == second[j] ? 0 : 1))
      if i > 0, j > 0, first[i] == second[j - 1], first[i - 1] == second[j] { best = min(best, rows[i - 1][j - 1] + 1) }
      row.append(best)
    }
    rows.append(row)
  }
  return rows[first.count][second.count]
}

extension ScanDescription {
  /// Gives a key of `scan.yaml` a word.
  /// - Throws: `.usage` for a key that there is not, or a word that it cannot have.
  package mutating func set(_ name: String, to word: String) throws(ScanFailure) {
    guard let key = ScanKey.named(name) else {
      throw ScanFailure(.usage, "\(name) is no key of scan.yaml; slipring init writes one with all of them")
    }
    guard key.read(word, &self) else { throw ScanFailure(.usage, "\(name): \"\(word)\" is not \(key.form)") }
  }
}
