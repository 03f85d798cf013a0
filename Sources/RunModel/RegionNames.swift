package import Host
package import Rings

/// Names of a run's shared-memory objects.
///
/// ```
/// /dev/shm/slipring-<run>-<salt>/    mode 0700     one folder each time that a supervisor begins, with a new salt
///   lock                             held by the supervisor as long as it lives
///   beats, projections, orders.0, updates.0, volume.0, denoised-volume, …
/// ```
///
/// Anybody may write to /dev/shm. A folder whose name nobody can know before it is there cannot be taken by another
/// user, and what is in it nobody else can touch. Who looks for a run's regions looks for this user's folder of that
/// run.
package struct RegionNames: Sendable {
  /// What the name of everything of every run begins with.
  package static let common = "slipring-"

  /// What every name of this run begins with.
  package let prefix: String

  /// Names that lie in /dev/shm itself: of what is no run, as a benchmark.
  package init(runID: RunID) {
    prefix = RegionNames.common + "\(runID)-"
  }

  /// The names in a folder that `random` made up.
  package init(folder: String) {
    precondition(!folder.contains("/"), "the folder \(folder) lies in another one")
    prefix = folder + "/"
  }

  /// Names in a folder that is not there yet.
  package static func random(_ runID: RunID) -> RegionNames {
    let salt = UInt64.random(in: 0 ... .max), digits = String(salt, radix: 16)
    return RegionNames(folder: "\(common)\(runID)-\(String(repeating: "0", count: 16 - digits.count))\(digits)")
  }

  /// The names in this user's folders of a run: of one that lives there is one, of one whose supervisor died what it
  /// left.
  package static func find(_ runID: RunID) throws(HostError) -> [RegionNames] {
    try RegionFolder.names(prefix: "\(common)\(runID)-").map { RegionNames(folder: $0) }
  }

  /// The folder of the names; nil for those of `init(runID:)`.
  package var folder: String? { prefix.hasSuffix("/") ? String(prefix.dropLast()) : nil }

  /// The ring behind `topic`.
  package func ring(_ topic: Topic) -> String { prefix + topic.name }

  /// The lock that their owner holds as long as it lives.
  package var lock: String { prefix + "lock" }

  /// The volume of worker `partition`.
  package func volume(_ partition: Int) -> String { prefix + "volume.\(partition)" }

  /// The slices of worker `partition` that control compares.
  package func slices(_ partition: Int) -> String { prefix + "slices.\(partition)" }

  /// What the solver of worker `partition`'s final iterations saves.
  package func solverState(_ partition: Int) -> String { prefix + "solver.\(partition)" }

  /// The denoised volume of all workers.
  package var denoisedVolume: String { prefix + "denoised-volume" }

  /// What a program of `--stage` writes.
  package func stageVolume(_ stage: String) -> String { prefix + stage + "-volume" }
}
