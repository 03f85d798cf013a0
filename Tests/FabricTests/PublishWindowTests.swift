import Testing

@testable import Fabric

/// How much may be under way, on links that are modelled: what is sent waits for what was sent before.
@Suite struct PublishWindowTests {
  /// A link in one direction with a queue of any length; answers take the rest of its round trip.
  private struct Link {
    var bytesPerSecond: Double
    let roundTrip: Double
    /// When its newest message has left it.
    private var free = 0.0
    /// Answers that are to come, in their order.
    private(set) var answers: [(time: Double, sequence: UInt64)] = []

    init(bytesPerSecond: Double, roundTrip: Double) {
      (self.bytesPerSecond, self.roundTrip) = (bytesPerSecond, roundTrip)
    }

    /// Seconds that something which is sent now waits.
    func delay(at time: Double) -> Double { max(0, free - time) }

    mutating func send(_ sequence: UInt64, _ byteCount: Int, at time: Double) {
      free = max(free, time) + Double(byteCount) / bytesPerSecond
      answers.append((free + roundTrip, sequence))
    }

    mutating func answer() -> (time: Double, sequence: UInt64)? { answers.isEmpty ? nil : answers.removeFirst() }
  }

  /// What a source that never waits came to in some seconds of a link.
  private struct Outcome {
    /// Of the second half of the time.
    var share = 0.0
    /// The longest that something else would have had to wait for the link, in seconds.
    var delay = 0.0
    var wasSilent = false
  }

  private func run(_ bytesPerSecond: Double, _ roundTrip: Double, message: Int, seconds: Double = 20) -> Outcome {
    var window = PublishWindow(), link = Link(bytesPerSecond: bytesPerSecond, roundTrip: roundTrip)
    var (time, sequence, bytes, outcome) = (0.0, UInt64(0), 0, Outcome())
    let start = ContinuousClock.now
    func instant(_ time: Double) -> ContinuousClock.Instant { start + .seconds(time) }
    window.clear(granules: 1, at: start)
    while time < seconds {
      while window.hasRoom(message) {
        window.sent(0, sequence, message, at: instant(time))
        link.send(sequence, message, at: time)
        sequence += 1
      }
      outcome.delay = max(outcome.delay, link.delay(at: time))
      guard let answer = link.answer() else { break }
      outcome.wasSilent = outcome.wasSilent || window.isSilent(at: instant(answer.time))
      time = answer.time
      #expect(window.acknowledged(0, answer.sequence, at: instant(time)) == message)
      if time >= seconds / 2, time < seconds { bytes += message }
    }
    outcome.share = Double(bytes) / (bytesPerSecond * seconds / 2)
    return outcome
  }

  @Test(arguments: [0.1, 0.2, 0.5, 1, 2, 10, 40, 450], [0.0002, 0.03, 0.3])
  func `A link is full, and what is under way delays nothing for long`(megabytes: Double, roundTrip: Double) {
    for message in [16 << 10, 128 << 10, 1 << 20] {
      let rate = megabytes * 1e6, outcome = run(rate, roundTrip, message: message)
      // A message that fills the window goes alone, and its answer is waited for.
      let alone = Double(message) / rate
      let expected = min(0.95, 64e6 / rate / max(roundTrip, 1e-9), alone > 0.25 ? 0.9 * alone / (alone + roundTrip) : 1)
      #expect(outcome.share >= expected, "\(megabytes) MB/s, \(roundTrip) s, \(message): \(outcome)")
      let smallest = Double(PublishWindow.byteCountMin) / rate + 0.25
      let allowed = max(0.75, 2 * roundTrip + 0.25, smallest, 2 * alone) + alone + 1e-6
      #expect(outcome.delay <= allowed, "\(megabytes) MB/s, \(roundTrip) s, \(message): \(outcome)")
      #expect(!outcome.wasSilent)
    }
  }

  @Test func `A link that becomes slower has less under way soon`() throws {
    var window = PublishWindow(), link = Link(bytesPerSecond: 40e6, roundTrip: 0.02)
    let start = ContinuousClock.now, message = 64 << 10
    window.clear(granules: 1, at: start)
    var (sequence, time) = (UInt64(0), 0.0)
    func turn(until end: Double) throws {
      while time < end {
        while window.hasRoom(message) {
          window.sent(0, sequence, message, at: start + .seconds(time))
          link.send(sequence, message, at: time)
          sequence += 1
        }
        let next = link.answer()
        let answer = try #require(next)
        time = answer.time
        #expect(window.acknowledged(0, answer.sequence, at: start + .seconds(time)) == message)
      }
    }
    try turn(until: 5)
    #expect(window.limit >= 4 << 20)
    let last = time
    // What was under way still comes.
    link.bytesPerSecond = 200e3
    try turn(until: last + 120)
    #expect(window.limit == PublishWindow.byteCountMin)
    link.bytesPerSecond = 40e6
    try turn(until: time + 30)
    #expect(window.limit >= 4 << 20)
    // One that seemed silent is tried as a new one: with what is believed of the old one it would seem so for ever.
    window.clear(granules: 1, at: start + .seconds(time))
    #expect(window.limit == PublishWindow.byteCountMin)
  }

  @Test func `Silence is told soon on a quick link, and late where a message takes its time`() {
    var window = PublishWindow()
    let start = ContinuousClock.now
    window.clear(granules: 1, at: start)
    window.sent(0, 0, 1 << 20, at: start)
    // Nothing is known of the link: 64 kB/s are enough for it.
    #expect(!window.isSilent(at: start + .seconds(20)) && window.isSilent(at: start + .seconds(36)))
    #expect(window.acknowledged(0, 0, at: start + .seconds(0.3)) == 1 << 20)
    window.sent(0, 1, 1 << 20, at: start + .seconds(1))
    #expect(!window.isSilent(at: start + .seconds(3.4)) && window.isSilent(at: start + .seconds(5)))
    #expect(window.acknowledged(0, 2) == nil && window.acknowledged(0, 1) == 1 << 20)
    #expect(!window.isSilent(at: start + .seconds(1000)) && window.inFlight == 0)
  }
}
