package import Rings

/// An event as the edge tells it to nodes.
package struct EdgeEvent {
  /// The event; its bytes are valid until the next one is asked for.
  package let event: Event
  /// What stands in place of its own metadata; nil for these.
  let metadata: [UInt8]?
  /// How far apart updates are from this image on; 0 where all are made.
  let interval: UInt16

  /// The values as given.
  package init(_ event: Event, metadata: [UInt8]? = nil, interval: UInt16 = 0) {
    (self.event, self.metadata, self.interval) = (event, metadata, interval)
  }
}
