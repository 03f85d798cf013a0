/// Cores as people write them: `0-3,8`.
package struct CoreList: Equatable, Sendable, CustomStringConvertible {
  /// The cores, ascending.
  package let cores: [Int]
  /// The highest number that can be written.
  package static let most = 1023

  /// These.
  package init(_ cores: [Int]) { self.cores = Set(cores).sorted() }

  /// From a list of numbers and ranges; nil for what is none.
  package init?(parsing text: String) {
    var cores: [Int] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
      guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1],
        (0...Self.most).contains(first), (first...Self.most).contains(last)
      else { return nil }
      cores += first...last
    }
    self.init(cores)
  }

  /// As it is written.
  package var description: String {
    var parts: [ClosedRange<Int>] = []
    for core in cores {
      if let last = parts.last, last.upperBound + 1 == core {
        parts[parts.count - 1] = last.lowerBound...core
      } else {
        parts.append(core...core)
      }
    }
    return parts.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }.joined(separator: ",")
  }
}
