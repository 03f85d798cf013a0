/// What a link does.
package enum LinkState: Equatable, Sendable {
  /// It carries what comes.
  case free
  /// It carries nothing, and its connections stay.
  case down
  /// It carries so many bytes a second at most in each direction.
  case limited(bytesPerSecond: Double)
  /// The connections that it has carry nothing any more and nobody is told, neither now nor later; new ones wait.
  case silent
  /// Its connections are closed, and new ones as well.
  case closed

  /// Whether something goes over it.
  var carries: Bool {
    switch self {
    case .free, .limited: true
    case .down, .silent, .closed: false
    }
  }
}

/// What one direction of a link may carry now: a bucket that fills at its rate and holds a moment of it.
struct LinkFlow {
  private var bucket = 0.0
  /// Seconds of the rate that a link which was idle makes up for, and the bytes that a packet has at least.
  private static let (depth, packet) = (0.02, 1500.0)

  /// Fills it for the time since the last turn.
  mutating func pass(_ seconds: Double, _ state: LinkState) {
    guard case .limited(let rate) = state else { return bucket = 0 }
    bucket = min(bucket + rate * seconds, max(rate * Self.depth, Self.packet))
  }

  /// Bytes that may go now.
  func allowance(_ state: LinkState) -> Int {
    switch state {
    case .free: .max
    case .down, .silent, .closed: 0
    // Less than a packet waits: otherwise each turn would send a few bytes.
    case .limited: bucket < Self.packet ? 0 : Int(bucket)
    }
  }

  /// Takes note that so many went.
  mutating func take(_ count: Int) { bucket = max(0, bucket - Double(count)) }
}
