import Glibc
import Host

// Programs of people that work on the volume while it is computed.
extension ScanKey {
  static let stages = [
    ScanKey(
      .filters, "stage", \.stage,
      """
      A program of your own that looks at the volume while it is made, and says figures: \
      name=NAME,program=PATH[,every=update|Ns|final]; several with blanks between them. The run goes on without one \
      that fails.
      """,
      unset: "none")
  ]
}

/// The programs beside a run's own stages.
package struct UserStages: ScanValue {
  /// One of them.
  package struct Record: Equatable, Sendable {
    /// What it is called on the page, in files and in metrics.
    package let name: String
    /// Its path.
    package var program: String
    /// How often it wants to hear of the volume: `update`, seconds as in `10s`, or `final`.
    package let every: String

    fileprivate var text: String { "name=\(name),program=\(program)" + (every == "update" ? "" : ",every=\(every)") }
  }

  /// In the order in which they were written.
  package private(set) var records: [Record]

  private static let (countMax, nameMax) = (8, 32)
  private static let seconds = 1...86_400

  /// For people.
  package static var form: String {
    "up to \(countMax) of name=NAME,program=PATH[,every=update|10s|final] with blanks between them, names of a-z, 0-9 "
      + "and -, none of them twice, paths without blanks and commas"
  }

  /// Records with blanks between them; nil where one has no meaning.
  package init?(scanText: String) {
    records = []
    for word in scanText.split(separator: " ") {
      guard let record = Self.record(word), !records.contains(where: { $0.name == record.name }) else { return nil }
      records.append(record)
    }
    guard (1...Self.countMax).contains(records.count) else { return nil }
  }

  private static func record(_ word: Substring) -> Record? {
    var values: [Substring: String] = [:]
    for part in word.split(separator: ",", omittingEmptySubsequences: false) {
      let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard pair.count == 2, ["name", "program", "every"].contains(pair[0]), values[pair[0]] == nil else { return nil }
      values[pair[0]] = String(pair[1])
    }
    guard let name = values["name"], let program = values["program"], !program.isEmpty,
      (1...nameMax).contains(name.utf8.count), name.first?.isLetter == true,
      name.allSatisfy({ "abcdefghijklmnopqrstuvwxyz0123456789-".contains($0) })
    else { return nil }
    let every = values["every"] ?? "update"
    let isTime = every.hasSuffix("s") && (Int(every.dropLast()).map(seconds.contains) ?? false)
    guard every == "update" || every == "final" || isTime else { return nil }
    return Record(name: name, program: program, every: every)
  }

  /// As it is written on the command line and in scan.yaml.
  package var scanText: String { records.map(\.text).joined(separator: " ") }

  /// The same with paths that do not depend on the present folder.
  var absolute: UserStages {
    var stages = self
    for index in stages.records.indices { stages.records[index].program = absolutePath(records[index].program) }
    return stages
  }
}

extension ScanDescription {
  /// Throws where a program is not there.
  func checkStages() throws(ScanFailure) {
    for stage in stage?.records ?? [] where access(stage.program, X_OK) != 0 {
      throw ScanFailure(
        .noInput,
        "--stage name=\(stage.name): \(stage.program): \(Errno.current); name a program that can be executed")
    }
  }
}
