package import Rings

/// A named stream of events. A topic with partitions is one ring for each of them: a ring has exactly one writer.
package enum Topic: Hashable, Sendable {
  /// Written by `acquire`: every projection, flat and dark as it came from the source.
  case projections
  /// Written by `correct`: every projection once more, as transmissions; flats are ones and darks zeros.
  case corrected
  /// Written by `distribute` for one worker: which rows of which projection to take, and when to update.
  case chunks(partition: Int)
  /// Written by one worker: an event for each update of its rows' volume.
  case updates(partition: Int)
  /// Written by `control`: the order to end the scan.
  case commands
  /// Written by `denoise`: an event when the denoised volume is complete.
  case denoised
  /// Written by `control`: how much the volume changed, and how near it is to a reference.
  case scores

  /// The number in an event's header.
  package var id: UInt32 {
    switch self {
    case .projections: 1
    case .chunks: 2
    case .updates: 3
    case .commands: 4
    case .denoised: 5
    case .corrected: 6
    case .scores: 7
    }
  }

  /// The partition number in an event's header; 0 for a topic without partitions.
  package var partition: Int {
    switch self {
    case .projections, .corrected, .commands, .denoised, .scores: 0
    case .chunks(let partition), .updates(let partition): partition
    }
  }

  /// The name of its journal's folder, as in `projections.0`.
  package var folderName: String {
    switch self {
    case .projections, .corrected, .commands, .denoised, .scores: name + ".0"
    case .chunks, .updates: name
    }
  }

  /// The topic's word in names and messages, as in `chunks.2`.
  package var name: String {
    switch self {
    case .projections: "projections"
    case .corrected: "corrected"
    case .chunks(let partition): "chunks.\(partition)"
    case .updates(let partition): "updates.\(partition)"
    case .commands: "commands"
    case .denoised: "denoised"
    case .scores: "scores"
    }
  }
}

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
