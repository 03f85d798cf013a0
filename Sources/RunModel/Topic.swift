/// What topics of one kind carry; the number marks their events and stays for good.
package struct TopicKind: Hashable, Sendable {
  /// The number in an event's header.
  package let id: UInt32
  /// The word in names and messages, as in `updates`.
  package let word: String
  /// How many topics of the kind there are.
  package let partitions: Partitions

  /// What there is a topic of a kind for.
  package enum Partitions: Sendable {
    /// The run.
    case run
    /// Each worker.
    case worker
    /// Each view.
    case view
  }

  /// A kind as given. No two kinds of a run share a number or a word.
  package init(id: UInt32, _ word: String, partitions: Partitions = .run) {
    precondition(id > 0 && !word.isEmpty, "topic kind \(id) '\(word)'")
    (self.id, self.word, self.partitions) = (id, word, partitions)
  }

  /// Whether its topics have numbers.
  var isPartitioned: Bool { partitions != .run }

  /// The topics of the kind in a run with so many workers and views.
  package func topics(workers: Int, views: Int) -> [Topic] {
    switch partitions {
    case .run: [Topic(self)]
    case .worker: (0..<workers).map { Topic(self, partition: $0) }
    case .view: (0..<views).map { Topic(self, partition: $0) }
    }
  }
}

extension TopicKind {
  /// Written by `acquire`: every projection, flat and dark as it came from the source.
  package static let projections = TopicKind(id: 1, "projections")
  /// Written by `distribute` for each worker: which rows of which projection to take, and when to update.
  package static let orders = TopicKind(id: 2, "orders", partitions: .worker)
  /// Written by each worker: an event for each update of its rows' volume.
  package static let updates = TopicKind(id: 3, "updates", partitions: .worker)
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
  /// Written by `join`, of each view: which events belong together.
  package static let views = TopicKind(id: 13, "views", partitions: .view)
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
  /// See `TopicKind.views`.
  package static func view(_ number: Int) -> Topic { Topic(.views, partition: number) }
  /// See `TopicKind.orders`.
  package static func orders(partition: Int) -> Topic { Topic(.orders, partition: partition) }
  /// See `TopicKind.updates`.
  package static func updates(partition: Int) -> Topic { Topic(.updates, partition: partition) }
}
