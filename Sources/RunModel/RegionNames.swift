package import Rings

/// Names of a run's shared-memory objects. The run's 128 random bits keep runs of one machine apart.
package struct RegionNames: Sendable {
  /// What the name of every region of every run begins with.
  package static let common = "slipring-"

  /// What every name of this run begins with.
  package let prefix: String

  /// The names of the run `runID`.
  package init(runID: RunID) {
    prefix = RegionNames.common + "\(runID)-"
  }

  /// The ring behind `topic`.
  package func ring(_ topic: Topic) -> String { prefix + topic.name }

  /// The lock that the run's supervisor holds as long as it lives.
  package var lock: String { prefix + "lock" }

  /// The volume of worker `partition`.
  package func volume(_ partition: Int) -> String { prefix + "volume.\(partition)" }

  /// The denoised volume of all workers.
  package var denoisedVolume: String { prefix + "denoised-volume" }
}
