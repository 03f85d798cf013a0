package import Rings

/// What an image of a scan is. The raw values are those in an order's metadata.
package enum ImageRole: UInt32, Sendable {
  /// One detector image at one theta.
  case projection = 1
  /// An image without sample.
  case flat
  /// An image without beam.
  case dark

  /// The role of the image in an event of this kind; nil for an event without an image.
  package init?(_ kind: EventKind) {
    switch kind {
    case .projection: self = .projection
    case .flat: self = .flat
    case .dark: self = .dark
    case .order, .update, .checkpoint, .command, .recovered, .end, .score, .program, .alarm, .gauges, .view: return nil
    }
  }
}
