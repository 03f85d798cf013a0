internal import Rings

/// What a node has of one granule, and what it has asked for.
struct BandLane {
  /// A request to the servers for messages, which they answer until they have sent so many.
  struct Pull {
    let number: UInt64
    var messages: Int
  }

  /// A request to the edge.
  struct Replay {
    let number: UInt64
    let end: UInt64
    var heard: ContinuousClock.Instant
  }

  /// How the stream is read.
  enum Consumer {
    /// Not at all.
    case none
    /// It was asked for.
    case asked(number: UInt64, at: ContinuousClock.Instant)
    /// By this name.
    case open(String)
  }

  let granule: Int
  /// The next event that is given.
  private(set) var next: UInt64
  /// Events that are here, none below `next`.
  private(set) var held: [UInt64: BandMessage] = [:]
  private(set) var heldByteCount = 0
  var consumer = Consumer.none
  var pulls: [Pull] = []
  var replay: Replay?
  /// When the servers were last heard of the consumer, and when they last sent a message.
  var (heard, delivered) = (ContinuousClock.now, ContinuousClock.now)
  /// When the stream's state may be asked for again, and the number of that request.
  var (probed, probe) = (ContinuousClock.now, UInt64(0))
  /// What comes with a lower number was asked of a consumer that is given up.
  var firstPull: UInt64 = 0
  /// Before this nothing is asked of the servers, and of the edge.
  var (opensAt, replaysAt) = (ContinuousClock.now, ContinuousClock.now)
  var opening: BackOff
  var replaying: BackOff
  /// Whether it was open before.
  var wasOpen = false
  /// Where packed rows were unpacked last.
  private var memory: RowsMemory?
  /// Bytes that one pull may bring.
  let byteCountMax: Int

  static let pullMessages = 64
  static let pullsMax = 2

  init(granule: Int, next: UInt64, byteCountMax: Int, rules: FabricRules) {
    (self.granule, self.next, self.byteCountMax) = (granule, next, byteCountMax)
    (opening, replaying) = (BackOff(rules: rules), BackOff(rules: rules))
  }

  /// The first event that is not here.
  var wanted: UInt64 {
    var sequence = next
    while held[sequence] != nil { sequence += 1 }
    return sequence
  }

  /// Whether the servers should be asked for more messages.
  var wantsMore: Bool {
    guard case .open = consumer else { return false }
    return pulls.count < Self.pullsMax && heldByteCount < byteCountMax
      && pulls.reduce(0) { $0 + $1.messages } < Self.pullMessages / 2
  }

  /// Takes an event; false where it was here before, or was given.
  mutating func hold(_ message: BandMessage) -> Bool {
    let sequence = message.header.sequence
    guard sequence >= next, held[sequence] == nil else { return false }
    held[sequence] = message
    heldByteCount += message.byteCount
    return true
  }

  /// Unpacks the next event, which is here; where it does not unpack it is here no more.
  mutating func unpack(rules: FabricRules) throws(BandMessage.Fault) {
    guard held[next]?.band.codec != BandCodec.none else { return }
    guard var message = held.removeValue(forKey: next) else { preconditionFailure("event \(next) is not here") }
    heldByteCount -= message.byteCount
    // Whoever has the event before may still read it.
    let free = isKnownUniquelyReferenced(&memory) ? memory : nil
    if let used = try message.unpack(into: free, rules: rules) { memory = used }
    held[next] = message
    heldByteCount += message.byteCount
  }

  /// Gives the next event away.
  mutating func give(_ sequence: UInt64) -> BandMessage? {
    precondition(sequence == next, "event \(sequence) in place of \(next)")
    guard let message = held.removeValue(forKey: sequence) else { return nil }
    heldByteCount -= message.byteCount
    next += 1
    return message
  }

  /// Gives the consumer up; another one is asked for after a wait.
  mutating func close() {
    (consumer, pulls) = (.none, [])
    opensAt = .now + opening.fail()
  }
}
