/// What was published and is not acknowledged yet: how much, since when, and how much there may be.
///
/// Not more than twice what the link holds, from the shortest time to an answer and the rate of the last second, but at
/// least 4 MiB: a count of messages would starve a long link, or fill the memory of servers behind a slow one.
struct PublishWindow {
  private struct Flight {
    let sequence: UInt64
    let byteCount: Int
    let sent: ContinuousClock.Instant
  }

  /// Bytes under way.
  private(set) var inFlight = 0
  /// When something was last acknowledged, or sent with nothing else under way.
  private(set) var progressed = ContinuousClock.now
  private var flights: [[Flight]] = []
  private var heads: [Int] = []
  private var shortest: Duration?
  private var rate = 0.0
  private var (second, ackedInSecond) = (ContinuousClock.now, 0)

  static let byteCountMin = 4 << 20
  static let byteCountMax = 64 << 20
  /// How long nothing may be acknowledged.
  private static let silenceMin: Duration = .milliseconds(2500)

  /// Forgets what is under way.
  mutating func clear(granules: Int) {
    flights = Array(repeating: [], count: granules)
    heads = Array(repeating: 0, count: granules)
    (inFlight, progressed) = (0, .now)
  }

  /// The most bytes that may be under way.
  var limit: Int {
    guard let shortest else { return Self.byteCountMin }
    return Int(min(max(2 * rate * (shortest / .seconds(1)), Double(Self.byteCountMin)), Double(Self.byteCountMax)))
  }

  /// Whether a message may go. One always may.
  func hasRoom(_ byteCount: Int) -> Bool { inFlight == 0 || inFlight + byteCount <= limit }

  /// Whether nothing was acknowledged for too long.
  var isSilent: Bool {
    inFlight > 0 && ContinuousClock.now - progressed > max(Self.silenceMin, (shortest ?? .zero) * 4)
  }

  mutating func sent(_ granule: Int, _ sequence: UInt64, _ byteCount: Int) {
    if inFlight == 0 { progressed = .now }
    flights[granule].append(Flight(sequence: sequence, byteCount: byteCount, sent: .now))
    inFlight += byteCount
  }

  /// Takes note of an acknowledgement; gives its bytes, nil for one that is not the oldest of its granule.
  mutating func acknowledged(_ granule: Int, _ sequence: UInt64) -> Int? {
    let head = heads[granule]
    guard head < flights[granule].count, flights[granule][head].sequence == sequence else { return nil }
    let flight = flights[granule][head]
    heads[granule] += 1
    if heads[granule] >= 256 {
      flights[granule].removeFirst(heads[granule])
      heads[granule] = 0
    }
    inFlight -= flight.byteCount
    let now = ContinuousClock.now
    (progressed, ackedInSecond) = (now, ackedInSecond + flight.byteCount)
    shortest = min(shortest ?? .seconds(60), now - flight.sent)
    if now - second >= .seconds(1) {
      rate = Double(ackedInSecond) / ((now - second) / .seconds(1))
      (second, ackedInSecond) = (now, 0)
    }
    return flight.byteCount
  }
}
