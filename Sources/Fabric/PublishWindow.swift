/// What was published and is not acknowledged yet: how much, since when, and how much there may be.
///
/// Not more than twice what the link holds, from the shortest time to an answer and the newest rate, or what it carries
/// in half a second, where that is more: a count of messages would starve a long link, and what is under way for longer
/// delays all else that goes over a slow one. The rate is not known at first: the window then begins small and grows by
/// what is acknowledged, so that it doubles with each answer, as in TCP (Jacobson, SIGCOMM 1988).
struct PublishWindow {
  private struct Flight {
    let sequence: UInt64
    let byteCount: Int
    let sent: ContinuousClock.Instant
  }

  /// Bytes under way.
  private(set) var inFlight = 0
  /// When something was last acknowledged, or sent with nothing else under way.
  private var progressed = ContinuousClock.now
  private var flights: [[Flight]] = []
  private var heads: [Int] = []
  private var shortest: Duration?
  /// Bytes a second while something was under way; nil before there was enough to know it.
  private var rate: Double?
  /// Bytes that may be under way before that.
  private var grown = byteCountMin
  /// Since when the next rate is measured, and what was acknowledged since.
  private var measured = (since: ContinuousClock.now, byteCount: 0)

  /// What may be under way on the slowest link; what a link carries in half a second counts up to the second.
  static let (byteCountMin, byteCountMax) = (256 << 10, 64 << 20)
  private static let (halfSecondMax, queued) = (4 << 20, 0.5)
  private static let measuringTime: Duration = .milliseconds(250)
  /// How long nothing may be acknowledged, beside the time that the link needs for what is under way.
  private static let silenceMin: Duration = .milliseconds(2500)
  /// Bytes a second that any link is taken to carry.
  private static let rateMin = 64e3

  /// Forgets what is under way, and what is known of the link: another one may be there, or the same may have become so
  /// slow that it seemed silent.
  mutating func clear(granules: Int, at now: ContinuousClock.Instant = .now) {
    flights = Array(repeating: [], count: granules)
    heads = Array(repeating: 0, count: granules)
    (inFlight, progressed, measured) = (0, now, (now, 0))
    (rate, shortest, grown) = (nil, nil, Self.byteCountMin)
  }

  /// The most bytes that may be under way.
  var limit: Int {
    guard let rate, let shortest else { return grown }
    let queued = min(max(rate * Self.queued, Double(Self.byteCountMin)), Double(Self.halfSecondMax))
    return Int(min(max(2 * rate * (shortest / .seconds(1)), queued), Double(Self.byteCountMax)))
  }

  /// Whether a message may go. One always may.
  func hasRoom(_ byteCount: Int) -> Bool { inFlight == 0 || inFlight + byteCount <= limit }

  /// Whether nothing was acknowledged for too long.
  func isSilent(at now: ContinuousClock.Instant = .now) -> Bool {
    // A large message on a slow link is no silence; whoever goes on with an old rate waits twice as long.
    let needed = Duration.seconds(2 * Double(inFlight) / max(rate ?? 0, Self.rateMin))
    return inFlight > 0 && now - progressed > max(Self.silenceMin, (shortest ?? .zero) * 4) + min(needed, .seconds(30))
  }

  mutating func sent(
    _ granule: Int, _ sequence: UInt64, _ byteCount: Int, at now: ContinuousClock.Instant = .now
  ) {
    // While nothing is under way the link could carry more than it does.
    if inFlight == 0 { (progressed, measured) = (now, (now, 0)) }
    flights[granule].append(Flight(sequence: sequence, byteCount: byteCount, sent: now))
    inFlight += byteCount
  }

  /// Takes note of an acknowledgement; gives its bytes, nil for one that is not the oldest of its granule.
  mutating func acknowledged(_ granule: Int, _ sequence: UInt64, at now: ContinuousClock.Instant = .now) -> Int? {
    let head = heads[granule]
    guard head < flights[granule].count, flights[granule][head].sequence == sequence else { return nil }
    let flight = flights[granule][head]
    heads[granule] += 1
    if heads[granule] >= 256 {
      flights[granule].removeFirst(heads[granule])
      heads[granule] = 0
    }
    inFlight -= flight.byteCount
    (progressed, measured.byteCount) = (now, measured.byteCount + flight.byteCount)
    grown = min(grown + flight.byteCount, Self.halfSecondMax)
    shortest = min(shortest ?? .seconds(60), now - flight.sent)
    if now - measured.since >= Self.measuringTime {
      rate = Double(measured.byteCount) / ((now - measured.since) / .seconds(1))
      measured = (now, 0)
    }
    return flight.byteCount
  }
}
