import Glibc

/// Where a detector's images come from that are taken scan after scan, whatever they look like.
package enum DetectorAddress: Equatable, Sendable {
  /// A ZeroMQ stream.
  case stream(StreamAddress)
  /// A process variable of EPICS.
  case variable(PVAccessAddress)
  /// The absolute path of a folder into which a detector writes TIFF files.
  case folder(String)

  /// What the path of a watched folder follows.
  static let folderScheme = "watch:"

  /// Where a predecessor left the scan that goes on.
  package struct Place: Equatable, Sendable {
    /// Its series, where the detector counts these.
    let series: UInt64?
    /// The number of its first frame, and of the frame that comes next.
    let (first, next): (UInt64, UInt64)
    /// Numbers between them that did not come.
    let missing: [Range<UInt64>]

    /// A place as given.
    package init(series: UInt64?, first: UInt64, next: UInt64, missing: [Range<UInt64>]) {
      (self.series, self.first, self.next, self.missing) = (series, first, next, missing)
    }

    /// Whether the frame with this number came.
    func has(_ number: UInt64) -> Bool {
      number >= first && number < next && !missing.contains { $0.contains(number) }
    }
  }

  /// Reads an address; the path of a folder is as it stands there. Throws `.address` where it is none from which images
  /// are received.
  package init(_ text: String) throws(StreamError) {
    if text.hasPrefix(PVAccessAddress.scheme) {
      self = .variable(try PVAccessAddress(text))
      return
    }
    if text.hasPrefix(Self.folderScheme), text.count > Self.folderScheme.count {
      self = .folder(String(text.dropFirst(Self.folderScheme.count)))
      return
    }
    let address = try StreamAddress(text)
    guard address.receives else { throw .address(text, "it sends; zmq+pull:// and zmq+sub:// receive") }
    self = .stream(address)
  }

  /// Listens, from `place` on where there is one; `channel` is the one that is taken of images of several, and `memory`
  /// keeps what of a watched folder was taken.
  package func follow(channel: String?, memory: (any WatchMemory)?, from place: Place?) throws(StreamError)
    -> any FollowedFeed
  {
    switch self {
    case .folder(let path): return try WatchedFolderFeed(path, memory, from: place)
    case .stream(let address): return try ZeroMQFeed(following: address, channel: channel, series: place?.series)
    case .variable(let address):
      let feed = try PVAccessFeed(following: address)
      if let place { feed.resume(after: place.next, last: place.next) }
      return feed
    }
  }

  /// Throws `.withoutPVAccess` or `.refused` where what it takes to listen there is missing on this machine.
  package func checkMeans() throws(StreamError) {
    switch self {
    case .stream: break
    case .variable: _ = try PVAccessLibrary.load()
    case .folder(let path):
      var status = stat()
      guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, access(path, R_OK | X_OK) == 0 else {
        throw .refused(address: Self.folderScheme + path, reason: "it is no folder that can be read; create it")
      }
    }
  }
}

/// A feed of images of any kind, which says of each what it looks like.
package protocol FollowedFeed: FrameFeed {
  /// What the image of the last step looks like.
  var format: FrameFormat { get }
  /// What the last step says of its scan.
  var announcement: ScanAnnouncement { get }

  /// Takes note, durably, that the frames so far will not be asked for again: they are on disk. The last one is among
  /// them, or not.
  func settle(withLast: Bool) throws
}

extension FollowedFeed {
  /// What is sent cannot be had again.
  package func settle(withLast _: Bool) {}
}
