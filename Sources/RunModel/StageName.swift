/// A stage's process, as the command line and messages name it: `export`, or `reconstruct.3` for the one of worker 3.
package struct StageName: Hashable, Sendable, CustomStringConvertible {
  /// What kind of stage it is.
  package let kind: String
  /// The worker that it belongs to; nil for a stage that a run has once.
  package let partition: Int?

  /// A name as given.
  package init(_ kind: String, partition: Int? = nil) {
    precondition(!kind.isEmpty && partition ?? 0 >= 0, "stage '\(kind)', partition \(partition ?? 0)")
    (self.kind, self.partition) = (kind, partition)
  }

  /// From a word in messages; nil for what is no such word. Whether a run has such a stage its wiring knows.
  package init?(parsing text: String) {
    let words = text.split(separator: ".", omittingEmptySubsequences: false)
    guard (1...2).contains(words.count), !words[0].isEmpty else { return nil }
    let partition = words.count == 2 ? Int(words[1]) : nil
    guard words.count == 1 || partition ?? -1 >= 0 else { return nil }
    self.init(String(words[0]), partition: partition)
  }

  /// As in messages.
  package var description: String { partition.map { "\(kind).\($0)" } ?? kind }

  /// The words of the command line that start it.
  package var arguments: [String] { [kind] + (partition.map { ["--partition", "\($0)"] } ?? []) }
}

extension StageName {
  /// Reads the source.
  package static let acquire = StageName("acquire")
  /// Writes the files.
  package static let export = StageName("export")
  /// Hands images to nodes.
  package static let uplink = StageName("uplink")
  /// Computes one partition.
  package static func reconstruct(_ worker: Int) -> StageName { StageName("reconstruct", partition: worker) }
}
