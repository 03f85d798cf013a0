/// What an event says.
package enum EventKind: UInt16, Sendable, Codable, CaseIterable {
  /// A projection's pixels.
  case projection = 1
  /// A flat field's pixels.
  case flat
  /// A dark field's pixels.
  case dark
  /// What a worker has to do next.
  case order
  /// A worker's volume has a new generation.
  case update
  /// A checkpoint is durable.
  case checkpoint
  /// A request to a stage.
  case command
  /// A writer took over after its predecessor's death.
  case recovered
  /// The last event of a topic.
  case end
  /// How much a volume changed.
  case score
  /// What a person's program wrote into a topic of its own.
  case program
  /// A trigger's alarm begins or ends.
  case alarm = 16
  /// The figures of a run over some seconds.
  case gauges
  /// Items of a view.
  case view

  /// Whether it is an image of a scan.
  var isImage: Bool { self == .projection || self == .flat || self == .dark }
}
