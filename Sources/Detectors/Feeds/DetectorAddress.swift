/// Where a detector's images come from that are taken scan after scan, whatever they look like.
package enum DetectorAddress: Equatable, Sendable {
  /// A ZeroMQ stream.
  case stream(StreamAddress)
  /// A process variable of EPICS.
  case variable(PVAccessAddress)

  /// Where a predecessor left the scan that goes on.
  package struct Place: Equatable, Sendable {
    /// Its series, where the detector counts these.
    let series: UInt64?
    /// The number of the frame that comes next.
    let next: UInt64

    /// A place as given.
    package init(series: UInt64?, next: UInt64) { (self.series, self.next) = (series, next) }
  }

  /// Reads an address. Throws `.address` where it is none from which images are received.
  package init(_ text: String) throws(StreamError) {
    if text.hasPrefix(PVAccessAddress.scheme) {
      self = .variable(try PVAccessAddress(text))
      return
    }
    let address = try StreamAddress(text)
    guard address.receives else { throw .address(text, "it sends; zmq+pull:// and zmq+sub:// receive") }
    self = .stream(address)
  }

  /// Listens, from `place` on where there is one; `channel` is the one that is taken of images of several.
  package func follow(channel: String?, from place: Place?) throws(StreamError) -> any FollowedFeed {
    switch self {
    case .stream(let address): return try ZeroMQFeed(following: address, channel: channel, series: place?.series)
    case .variable(let address):
      let feed = try PVAccessFeed(following: address)
      if let place { feed.resume(after: place.next, last: place.next) }
      return feed
    }
  }

  /// Throws `.withoutPVAccess` where what it takes to listen there is missing on this machine.
  package func checkMeans() throws(StreamError) {
    if case .variable = self { _ = try PVAccessLibrary.load() }
  }
}

/// A feed of images of any kind, which says of each what it looks like.
package protocol FollowedFeed: FrameFeed {
  /// What the image of the last step looks like.
  var format: FrameFormat { get }
  /// What the last step says of its scan.
  var announcement: ScanAnnouncement { get }
}
