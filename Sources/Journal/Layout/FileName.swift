internal import Rings

/// What a name in a journal's folder says.
///
///     00000000000000000095.segment       the first segment that begins with record 95
///     00000000000000000095.2.segment     the third that does: a failed disk or a recovery ended the others before
///                                        their first record held
///     00000000000000000040-00000000000000000042.loss    records 40 and 41 were given up
///     retired                            what retention removed
///     alone                              the other copy of this journal lacks something that is here
///     through                            how far the journal was when it was closed
///     ….mend                             a segment's copy being written again; never read
///     ….new                              being made; never read
enum FileName: Equatable {
  case segment(first: UInt64, copy: Int)
  case loss(first: UInt64, end: UInt64)
  case retired
  case alone
  case through
  case mending
  case unfinished
  case foreign

  static let retiredName = "retired"
  static let aloneName = "alone"
  static let throughName = "through"
  static let unfinishedSuffix = ".new"
  static let mendingSuffix = ".mend"

  init(_ name: String) {
    self = .foreign
    if name == Self.retiredName { self = .retired }
    if name == Self.aloneName { self = .alone }
    if name == Self.throughName { self = .through }
    if name.hasSuffix(Self.unfinishedSuffix) { self = .unfinished }
    if name.hasSuffix(Self.mendingSuffix) { self = .mending }
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    if parts.last == "segment", let first = Self.number(parts[0]) {
      if parts.count == 2 { self = .segment(first: first, copy: 0) }
      if parts.count == 3, let copy = Int(parts[1]), copy > 0, String(copy) == parts[1] {
        self = .segment(first: first, copy: copy)
      }
    }
    if parts.count == 2, parts[1] == "loss" {
      let ends = parts[0].split(separator: "-", omittingEmptySubsequences: false)
      if ends.count == 2, let first = Self.number(ends[0]), let end = Self.number(ends[1]) {
        self = .loss(first: first, end: end)
      }
    }
  }

  static func segmentName(first: UInt64, copy: Int) -> String {
    let name = digits(first) + (copy == 0 ? "" : ".\(copy)") + ".segment"
    precondition(Self(name) == .segment(first: first, copy: copy), "\(name) does not read back as \(first), \(copy)")
    return name
  }
  static func lossName(_ range: Range<UInt64>) -> String {
    "\(digits(range.lowerBound))-\(digits(range.upperBound)).loss"
  }

  private static func digits(_ number: UInt64) -> String {
    let text = String(number)
    return String(repeating: "0", count: 20 - text.utf8.count) + text
  }

  private static func number(_ digits: Substring) -> UInt64? {
    guard digits.utf8.count == 20, digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
      let number = UInt64(digits), number < TaggedWord.sequenceLimit
    else { return nil }
    return number
  }
}
