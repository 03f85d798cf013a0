import Host

// A view as it is written.
extension ViewRecord {
  /// For people.
  package static let form =
    "NAME,from=TOPIC[:K],with=TOPIC[:M],match=order|window|theta:180±0.1[,copy=volume:ROW[-ROW]][,store=GIB]"
  private static let keys = ["from", "with", "match", "copy", "store"]
  private static let (nameMax, recordMax, countMax) = (32, 256, 16)
  private static let (rowsMax, rowMax) = (64, 1_000_000)
  private static let storeMax = 1024.0

  /// What is wrong with a record.
  package struct Mistake: Error, Equatable, CustomStringConvertible {
    /// To follow the record in a sentence.
    package let description: String

    /// A mistake in words.
    package init(description: String) { self.description = description }
  }

  /// Reads a record.
  package init(parsing text: String) throws(Mistake) {
    let fields = try Self.fields(text)
    guard let name = fields["name"], (1...Self.nameMax).contains(name.utf8.count), Self.isName(name) else {
      throw Mistake(
        description: "its name is not 1 to \(Self.nameMax) small letters, digits and dashes, the first one a letter")
    }
    guard let match = Match(fields["match"] ?? "") else {
      throw Mistake(description: "match is not order, window or theta:DEGREES±DEGREES, as in theta:180±0.1")
    }
    let (from, fromCount) = try Self.source(fields["from"], "from")
    let other = fields["with"] ?? (match.isAngle ? fields["from"] : nil)
    let (with, withCount) = try Self.source(other, "with")
    self.init(
      name: name, from: (from, fromCount), with: (with, withCount), match: match,
      copied: try fields["copy"].map { (word) throws(Mistake) in try Self.rows(word) },
      storeMax: try fields["store"].map { (word) throws(Mistake) in try Self.store(word) } ?? Self.storeUsually)
    if let problem { throw Mistake(description: problem) }
    if fields["store"] != nil, copied == nil {
      throw Mistake(description: "store= goes with copy=: nothing else is stored")
    }
  }

  private init(
    name: String, from: (Source, Int), with: (Source, Int), match: Match, copied: Range<Int>?, storeMax: Int
  ) {
    (self.name, self.match, self.copied, self.storeMax) = (name, match, copied, storeMax)
    ((self.from, fromCount), (self.with, withCount)) = (from, with)
  }

  private static func fields(_ text: String) throws(Mistake) -> [String: String] {
    guard text.utf8.count <= recordMax else { throw Mistake(description: "it is longer than \(recordMax) B") }
    var fields: [String: String] = [:]
    for (number, part) in text.split(separator: ",", omittingEmptySubsequences: false).enumerated() {
      let words = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      let (key, value) = words.count == 2 ? (words[0], words[1]) : ("name", words[0])
      guard words.count == 2 || number == 0 else { throw Mistake(description: "\(part) is not KEY=VALUE") }
      guard key == "name" || keys.contains(key) else {
        throw Mistake(description: "it has no \(key)=; it has from, with, match, copy and store")
      }
      guard fields.updateValue(value, forKey: key) == nil else { throw Mistake(description: "\(key) is there twice") }
    }
    return fields
  }

  /// What does not go together.
  private var problem: String? {
    switch match {
    case .order:
      if from == .updates(nil) || with == .updates(nil) {
        return "match=order needs the updates of one worker, as in updates.0: those of several have no order"
      }
      return copied == nil ? nil : "copy= goes with match=window: it is the update's volume"
    case .window:
      guard from.hasImages, case .updates = with else {
        return "match=window joins from=projections (or corrected) with=updates"
      }
      return fromCount == 1 && withCount == 1
        ? nil : "match=window has no numbers: an item is an update and the projections of its window"
    case .angle:
      guard from.hasImages, from == with, fromCount == 1, withCount == 1 else {
        return "match=theta joins from=projections (or corrected) with the same"
      }
      return copied == nil ? nil : "copy= goes with match=window: it is the update's volume"
    }
  }

  /// As it is written.
  package var text: String {
    var text = "\(name),from=\(Self.text(from, fromCount)),with=\(Self.text(with, withCount)),match=\(match.text)"
    if let copied {
      text += ",copy=volume:\(copied.lowerBound)" + (copied.count > 1 ? "-\(copied.upperBound - 1)" : "")
      if storeMax != Self.storeUsually { text += ",store=\(Double(storeMax) / 0x1p30)" }
    }
    return text
  }

  private static func text(_ source: Source, _ count: Int) -> String { source.text + (count == 1 ? "" : ":\(count)") }

  private static func isName(_ text: String) -> Bool {
    let letters = UInt8(ascii: "a")...UInt8(ascii: "z")
    return text.utf8.allSatisfy { letters ~= $0 || 48...57 ~= $0 || $0 == UInt8(ascii: "-") }
      && text.utf8.first.map { letters ~= $0 } == true
  }

  private static func source(_ text: String?, _ key: String) throws(Mistake) -> (Source, Int) {
    let words = (text ?? "").split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    guard let source = Source(words.first ?? "") else {
      throw Mistake(description: "\(key) is not projections, corrected, updates, updates.W or scores, each with :COUNT")
    }
    guard words.count == 2 else { return (source, 1) }
    guard let count = Int(written: words[1]), (1...countMax).contains(count) else {
      throw Mistake(description: "\(key)=\(text ?? "") does not name 1 to \(countMax) events")
    }
    return (source, count)
  }

  private static func rows(_ word: String) throws(Mistake) -> Range<Int> {
    let mistake = Mistake(
      description: "copy=\(word) is not volume:ROW or volume:ROW-ROW, at most \(rowsMax) rows, the top one 0")
    let words = word.split(separator: ":", omittingEmptySubsequences: false)
    guard words.count == 2, words[0] == "volume" else { throw mistake }
    let ends = words[1].split(separator: "-", omittingEmptySubsequences: false).map { Int(written: $0) }
    guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1],
      0 <= first, first <= last, last - first < rowsMax, last <= rowMax
    else { throw mistake }
    return first..<last + 1
  }

  private static func store(_ word: String) throws(Mistake) -> Int {
    guard let gibibytes = Double(written: word), gibibytes > 0, gibibytes <= storeMax else {
      throw Mistake(description: "store=\(word) is no number of GiB up to \(Int(storeMax))")
    }
    return Int(gibibytes * 0x1p30)
  }
}

extension ViewRecord.Source {
  init?(_ text: String) {
    switch text {
    case "projections": self = .projections
    case "corrected": self = .corrected
    case "updates": self = .updates(nil)
    case "scores": self = .scores
    default:
      let number = text.hasPrefix("updates.") ? text.dropFirst("updates.".count) : ""
      guard (1...2).contains(number.count), let worker = Int(written: number), worker >= 0 else {
        return nil
      }
      self = .updates(worker)
    }
  }

  /// As it is written.
  var text: String {
    switch self {
    case .projections: "projections"
    case .corrected: "corrected"
    case .updates(nil): "updates"
    case .updates(let worker?): "updates.\(worker)"
    case .scores: "scores"
    }
  }
}

extension ViewRecord.Match {
  private static let (angles, tolerances) = (0.001...360.0, 0...45.0)

  init?(_ text: String) {
    switch text {
    case "order": self = .order
    case "window": self = .window
    default:
      guard text.hasPrefix("theta:") else { return nil }
      // Keyboards without the sign have +-.
      let words = text.dropFirst("theta:".count).replacing("+-", with: "±").split(
        separator: "±", omittingEmptySubsequences: false)
      guard words.count == 2, let angle = Double(written: words[0]), let tolerance = Double(written: words[1]),
        Self.angles.contains(angle), Self.tolerances.contains(tolerance)
      else { return nil }
      self = .angle(angle, tolerance)
    }
  }

  var isAngle: Bool { if case .angle = self { true } else { false } }

  var text: String {
    switch self {
    case .order: "order"
    case .window: "window"
    case .angle(let degrees, let tolerance): "theta:\(Self.text(degrees))±\(Self.text(tolerance))"
    }
  }
  private static func text(_ value: Double) -> String { value == value.rounded() ? "\(Int(value))" : "\(value)" }
}
