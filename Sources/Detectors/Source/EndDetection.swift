import Rings
import RunModel

/// Finds the end of a live scan: by the sender's message, by what came, by what followed the scan, or by silence.
struct EndDetection {
  private let configuration: LiveSource.Configuration
  /// When the last frame of this scan came, or that one was to be expected; nil before anybody waits.
  private var framed: ContinuousClock.Instant?
  /// When nobody waited any more: an image was being published.
  private var left: ContinuousClock.Instant?
  /// Frames behind the scan's that came one after the other.
  private var beyond = 0
  /// Whether the sender's message of the end was taken.
  private(set) var messageWasTaken = false

  /// Frames with higher numbers have come, and none for so long: what is missing will not come.
  private static let lateMax: Duration = .seconds(1)
  /// After so many frames behind the scan's it is over.
  private static let beyondMin = 8

  init(_ configuration: LiveSource.Configuration) { self.configuration = configuration }

  /// Takes note that frames are waited for; the time in which nobody did is not the sender's.
  mutating func noteWaiting() {
    let now = ContinuousClock.now
    guard let framed else { return self.framed = now }
    if let left, left > framed { self.framed = framed + (now - left) }
  }

  /// Takes note that nobody waits for a while.
  mutating func noteLeaving() { left = .now }

  /// Takes note that frames were announced, or wait for one before them.
  mutating func noteAnnouncement() { framed = .now }

  /// Takes note of a frame of this scan.
  mutating func noteFrame() { (framed, beyond) = (.now, 0) }

  /// Takes note of a frame behind the scan's. A detector that goes on there has sent all of the scan: what did not come
  /// will hardly come any more, and `ledger` says so. One such frame may be an error.
  mutating func noteBeyond(_ ledger: inout LossLedger) {
    beyond += 1
    if beyond == Self.beyondMin, ledger.next > 0 { ledger.pass(to: UInt64(configuration.total)) }
  }

  /// Whether the sender's message of the end, with its number of frames where it says one, ends this scan; then
  /// `ledger` knows what did not come. One that comes before every frame belongs to the series before, unless it
  /// `isCertain`.
  mutating func isEnded(byMessageOf count: UInt64?, isCertain: Bool, _ ledger: inout LossLedger) -> Bool {
    guard ledger.next > 0 || isCertain else { return false }
    if let count { ledger.pass(to: min(count, UInt64(configuration.total))) }
    messageWasTaken = true
    return true
  }

  /// Whether every image is there, or what is missing will not come.
  func isComplete(_ ledger: LossLedger) -> Bool {
    let missing = configuration.thetas.count - ledger.taken(of: .projection)
    if missing <= 0, ledger.taken(of: .flat) >= configuration.flats, ledger.darks >= configuration.darks { return true }
    return ledger.next >= configuration.total && ledger.lost >= missing
      && framed.map { .now - $0 > Self.lateMax } ?? false
  }

  /// Whether no frame of the scan came for longer than it may be silent, whatever else came; then `ledger` knows that
  /// the rest of the scan did not come.
  func isSilent(_ ledger: inout LossLedger) -> Bool {
    guard let limit = configuration.silenceMax, let framed, .now - framed > limit else { return false }
    ledger.pass(to: UInt64(configuration.total))
    return true
  }
}
