/// What topics of one kind carry; the number marks their events and stays for good.
package struct TopicKind: Hashable, Sendable {
  /// The number in an event's header.
  package let id: UInt32
  /// The word in names and messages, as in `updates`.
  package let word: String
  /// Whether there is one topic of the kind for each worker.
  package let isPartitioned: Bool

  /// A kind as given. No two kinds of a run share a number or a word.
  package init(id: UInt32, _ word: String, isPartitioned: Bool = false) {
    precondition(id > 0 && !word.isEmpty, "topic kind \(id) '\(word)'")
    (self.id, self.word, self.isPartitioned) = (id, word, isPartitioned)
  }

  /// The topics of the kind in a run with so many workers.
  package func topics(workers: Int) -> [Topic] {
    isPartitioned ? (0..<workers).map { Topic(self, partition: $0) } : [Topic(self)]
  }
}

extension TopicKind {
  /// Written by `acquire`: every projection, flat and dark as it came from the source.
  package static let projections = TopicKind(id: 1, "projections")
  /// Written by `distribute` for each worker: which rows of which projection to take, and when to update.
  package static let orders = TopicKind(id: 2, "orders", isPartitioned: true)
  /// Written by each worker: an event for each update of its rows' volume.
  package static let updates = TopicKind(id: 3, "updates", isPartitioned: true)
  /// Written by `control`: the order to end the scan.
  package static let commands = TopicKind(id: 4, "commands")
  /// Written by `denoise`: an event when the denoised volume is complete.
  package static let denoised = TopicKind(id: 5, "denoised")
  /// Written by `correct`: every projection once more, as transmissions; flats are ones and darks zeros.
  package static let corrected = TopicKind(id: 6, "corrected")
  /// Written by `control`: how much the volume changed, and how near it is to a reference.
  package static let scores = TopicKind(id: 7, "scores")
  /// Written by `watch`: what begins to be wrong, or ends to be, and the gauges that show it; has no end.
  package static let alarms = TopicKind(id: 12, "alarms")
}

/// A named stream of events. A kind with partitions has one for each of them: a ring has exactly one writer.
package struct Topic: Hashable, Sendable {
  /// What it carries.
  package let kind: TopicKind
  /// The partition number in an event's header; 0 for a topic without partitions.
  package let partition: Int

  /// The topic of a kind; `partition` is 0 where the kind has none.
  package init(_ kind: TopicKind, partition: Int = 0) {
    precondition(partition >= 0 && (kind.isPartitioned || partition == 0), "partition \(partition) of \(kind.word)")
    (self.kind, self.partition) = (kind, partition)
  }

  /// The number in an event's header.
  package var id: UInt32 { kind.id }
  /// The topic's word in names and messages, as in `orders.2`.
  package var name: String { kind.isPartitioned ? "\(kind.word).\(partition)" : kind.word }
  /// The name of its journal's folder, as in `projections.0`.
  package var folderName: String { "\(kind.word).\(partition)" }
}

extension Topic {
  /// See `TopicKind.projections`.
  package static let projections = Topic(.projections)
  /// See `TopicKind.corrected`.
  package static let corrected = Topic(.corrected)
  /// See `TopicKind.commands`.
  package static let commands = Topic(.commands)
  /// See `TopicKind.scores`.
  package static let scores = Topic(.scores)
  /// See `TopicKind.alarms`.
  package static let alarms = Topic(.alarms)
  /// See `TopicKind.denoised`.
  package static let denoised = Topic(.denoised)
  /// See `TopicKind.orders`.
  package static func orders(partition: Int) -> Topic { Topic(.orders, partition: partition) }
  /// See `TopicKind.updates`.
  package static func updates(partition: Int) -> Topic { Topic(.updates, partition: partition) }
}
