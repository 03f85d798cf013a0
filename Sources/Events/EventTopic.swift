/// The topics of what a run tells the world; in a sink their names have its prefix before them, as in `beamline.runs`.
package enum EventTopic: String, CaseIterable, Codable, Sendable {
  /// Its beginning, with what was planned, and its end, with what came of it.
  case runs
  /// How much the volume changed, and how near it is to a reference.
  case scores
  /// How far it is, once a second at most.
  case status
  /// What its source has lost.
  case losses
  /// What people are warned of.
  case alarms
}

/// One event as it is sent: who, what and which, around what there is to say.
package struct EventEnvelope<Body: Codable & Sendable>: Codable, Sendable {
  /// The run's identifier, which is also the record's key.
  let run: String
  /// The topic, without the sink's prefix.
  let topic: EventTopic
  /// Its place in the run's topic, from 0 without a gap. With run and topic it identifies the event: a reader drops
  /// what it has.
  let sequence: Int
  /// When it was made, in seconds since 1970.
  let time: Double
  /// What there is to say.
  let body: Body

  /// An event as given.
  init(run: String, topic: EventTopic, sequence: Int, time: Double, body: Body) {
    (self.run, self.topic, self.sequence, self.time, self.body) = (run, topic, sequence, time, body)
  }
}
