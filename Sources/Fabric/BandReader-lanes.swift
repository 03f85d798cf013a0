internal import Rings

// What is asked of the servers and of the edge for each granule, and what they answer.
extension BandReader {
  private static let answerLimit: Duration = .seconds(2)
  /// Heartbeats come every second while a pull waits.
  private static let heartbeatLimit: Duration = .seconds(3)
  private static let heartbeat: Int64 = 1_000_000_000
  private static let pullLimit: Int64 = 30_000_000_000
  private static let idleLimit: Duration = .seconds(2)
  /// Events ahead of the next one that are kept.
  private static let aheadMax: UInt64 = 4096

  private struct Creation: Encodable {
    struct Config: Encodable {
      let ack_policy = "none"
      let replay_policy = "instant"
      let deliver_policy: String
      let opt_start_seq: UInt64?
      let inactive_threshold: Int64 = 30_000_000_000
      let mem_storage = true
      let num_replicas = 1
    }
    let stream_name: String
    let config: Config
  }

  private struct Pull: Encodable {
    let batch: Int
    let max_bytes: Int
    let expires: Int64
    let idle_heartbeat: Int64
  }

  private struct Created: Decodable {
    let name: String?
    let error: JetStream.Fault?
  }

  private struct Info: Decodable {
    struct State: Decodable { let last_seq: UInt64 }
    let state: State?
    let error: JetStream.Fault?
  }

  /// Asks for what is due.
  func tend(_ place: Int) {
    let now = ContinuousClock.now
    switch lanes[place].consumer {
    case .none: if now >= lanes[place].opensAt { open(place) }
    case .asked(_, let at): if now - at > Self.answerLimit { close(place) }
    case .open(let name):
      if !lanes[place].pulls.isEmpty, now - lanes[place].heard > Self.heartbeatLimit {
        close(place)
      } else if lanes[place].wantsMore {
        pull(place, name)
      }
    }
    if let replay = lanes[place].replay, now - replay.heard > Self.answerLimit { giveUpReplay(place) }
    probe(place, now)
  }

  private func number() -> UInt64 {
    asked += 1
    return asked
  }

  private func open(_ place: Int) {
    let (stream, number) = (topic.stream(lanes[place].granule), number())
    let start = lanes[place].wanted + 1
    let body = Creation(
      stream_name: stream,
      config: .init(
        deliver_policy: rules.startsAtCursor ? "by_start_sequence" : "new",
        opt_start_seq: rules.startsAtCursor ? start : nil))
    lanes[place].firstPull = number
    guard
      connection.publish(
        "$JS.API.CONSUMER.CREATE.\(stream)", reply: "\(inbox.prefix).c.\(place).\(number)", JetStream.encode(body))
    else { return lanes[place].close() }
    lanes[place].consumer = .asked(number: number, at: .now)
  }

  private func close(_ place: Int) {
    if let violation = connection.violation {
      refusal = .refused(what: "reading \(topic.stream(lanes[place].granule))", reason: violation)
    }
    lanes[place].close()
  }

  /// Nobody is there for something that was asked; which of it, nobody knows. What waits for an answer asks again after
  /// a pause.
  func noteNobody() {
    for place in lanes.indices {
      if lanes[place].replay != nil { giveUpReplay(place) }
      guard case .asked = lanes[place].consumer else { continue }
      refusal = connection.noJetStream
      lanes[place].close()
    }
  }

  func noteConsumer(_ message: FabricMessage, _ place: Int, _ number: UInt64) {
    guard case .asked(number, _) = lanes[place].consumer else { return }
    heard = .now
    guard let answer = decoded(Created.self, message), let name = answer.name,
      answer.error == nil
    else {
      let answer = decoded(Created.self, message)
      // A stream that is not there will be, as soon as the edge has something to publish.
      if let error = answer?.error, error.number != JetStream.Fault.noStream {
        refusal = error.error("reading \(topic.stream(lanes[place].granule))")
      }
      return lanes[place].close()
    }
    refusal = nil
    lanes[place].consumer = .open(name)
    (lanes[place].heard, lanes[place].delivered) = (.now, .now)
    if lanes[place].wasOpen { counts.reopened += 1 }
    lanes[place].wasOpen = true
    pull(place, name)
  }

  private func pull(_ place: Int, _ name: String) {
    let number = number()
    let body = Pull(
      batch: BandLane.pullMessages, max_bytes: lanes[place].byteCountMax, expires: Self.pullLimit,
      idle_heartbeat: Self.heartbeat)
    let subject = "$JS.API.CONSUMER.MSG.NEXT.\(topic.stream(lanes[place].granule)).\(name)"
    guard connection.publish(subject, reply: "\(inbox.prefix).p.\(place).\(number)", JetStream.encode(body)) else {
      return lanes[place].close()
    }
    if lanes[place].pulls.isEmpty { lanes[place].heard = .now }
    lanes[place].pulls.append(.init(number: number, messages: BandLane.pullMessages))
  }

  func noteDelivered(_ message: FabricMessage, _ place: Int) {
    // The subject of an acknowledgement names the consumer: $JS.ACK.STREAM.CONSUMER.… One that was given up may still
    // have messages under way.
    guard case .open(let name) = lanes[place].consumer,
      let tokens = message.reply?.split(separator: ".", maxSplits: 4), tokens.count == 5, tokens[3] == name
    else { return }
    heard = .now
    (lanes[place].heard, lanes[place].delivered) = (heard, heard)
    // Pulls are answered one after the other.
    if !lanes[place].pulls.isEmpty {
      lanes[place].pulls[0].messages -= 1
      if lanes[place].pulls[0].messages == 0 { lanes[place].pulls.removeFirst() }
    }
    guard let band = decoded(message, place) else { return }
    lanes[place].opening.succeed()
    accept(band, place)
    let wanted = lanes[place].wanted
    if rules.fillsHoles, wanted < band.header.sequence { askReplay(place, wanted..<band.header.sequence) }
  }

  /// A heartbeat, the end of a pull, or that of the consumer.
  func noteStatus(_ message: FabricMessage, _ place: Int, _ number: UInt64) {
    guard number >= lanes[place].firstPull, let status = message.status else { return }
    heard = .now
    lanes[place].heard = heard
    switch status {
    case 100: return
    case 404, 408: lanes[place].pulls.removeAll { $0.number == number }
    case 409 where message.header("Description")?.contains("MaxBytes") == true:
      lanes[place].pulls.removeAll { $0.number == number }
    default: lanes[place].close()
    }
  }

  private func accept(_ band: BandMessage, _ place: Int) {
    let sequence = band.header.sequence
    // What is further ahead will be a hole, and is read from the edge: what waits here is limited.
    guard sequence < lanes[place].next + Self.aheadMax else { return }
    if !lanes[place].hold(band) { counts.repeated += 1 }
  }

  private func decoded(_ message: FabricMessage, _ place: Int) -> BandMessage? {
    do throws(BandMessage.Fault) {
      return try BandMessage(
        message.bytes, of: topic, granule: lanes[place].granule, in: granules, owner: message, rules: rules)
    } catch {
      counts.damaged += 1
      newestFault = error
      return nil
    }
  }

  /// A message whose rows do not unpack is a hole. Who sends it again and again is asked after longer and longer waits.
  func noteDamage(_ fault: BandMessage.Fault, _ place: Int) {
    counts.damaged += 1
    newestFault = fault
    lanes[place].replaysAt = .now + lanes[place].replaying.fail()
  }

  private func decoded<Value: Decodable>(_ type: Value.Type, _ message: FabricMessage) -> Value? {
    do { return try JetStream.decode(type, [UInt8](message.bytes), what: "an answer") } catch { return nil }
  }
}

// Holes.
extension BandReader {
  /// Asks the edge for events that the stream does not have.
  private func askReplay(_ place: Int, _ range: Range<UInt64>) {
    let now = ContinuousClock.now
    guard lanes[place].replay == nil, now >= lanes[place].replaysAt, !range.isEmpty else { return }
    let number = number(), end = min(range.upperBound, range.lowerBound + replayMax)
    let request = [range.lowerBound, end].flatMap { word in withUnsafeBytes(of: word.littleEndian, Array.init) }
    guard
      connection.publish(
        topic.replay(lanes[place].granule), reply: "\(inbox.prefix).r.\(place).\(number)", request)
    else { return }
    lanes[place].replay = .init(number: number, end: end, heard: now)
  }

  /// Events of one request: as many as may wait here.
  private var replayMax: UInt64 {
    min(ReplayService.eventsMax, UInt64(max(1, (lanes.first?.byteCountMax ?? 0) / BandMessage.byteCountMax)) * 8)
  }

  func noteReplayed(_ message: FabricMessage, _ place: Int, _ number: UInt64) {
    guard let replay = lanes[place].replay, replay.number == number else { return }
    heard = .now
    guard let band = decoded(message, place) else { return }
    lanes[place].replay?.heard = .now
    lanes[place].replaying.succeed()
    counts.replayed += 1
    accept(band, place)
    let wanted = lanes[place].wanted
    guard wanted >= replay.end else { return }
    lanes[place].replay = nil
    // Behind the hole there may be another one, or the rest of it.
    if let held = lanes[place].held.keys.filter({ $0 > wanted }).min() { askReplay(place, wanted..<held) }
  }

  private func giveUpReplay(_ place: Int) {
    lanes[place].replay = nil
    lanes[place].replaysAt = .now + lanes[place].replaying.fail()
    // The stream may have them all the same: what is under way when a link breaks never comes, and is not sent again.
    // The next consumer begins there.
    if case .open = lanes[place].consumer { lanes[place].close() }
  }

  /// Where nothing comes any more, the stream says whether it should have: its newest messages may be lost, and its
  /// last sequence not.
  private func probe(_ place: Int, _ now: ContinuousClock.Instant) {
    guard rules.fillsHoles, case .open = lanes[place].consumer, lanes[place].replay == nil,
      lanes[place].held[lanes[place].next] == nil
    else { return }
    if let behind = lanes[place].held.keys.min() {
      // A hole whose replay nobody answered.
      if now >= lanes[place].replaysAt { askReplay(place, lanes[place].next..<behind) }
      return
    }
    guard now - lanes[place].delivered > Self.idleLimit, now - lanes[place].probed > Self.idleLimit else { return }
    lanes[place].probed = now
    lanes[place].probe = number()
    _ = connection.publish(
      "$JS.API.STREAM.INFO.\(topic.stream(lanes[place].granule))",
      reply: "\(inbox.prefix).i.\(place).\(lanes[place].probe)", [])
  }

  func noteState(_ message: FabricMessage, _ place: Int, _ number: UInt64) {
    guard number == lanes[place].probe, let info = decoded(Info.self, message) else { return }
    heard = .now
    // Made again: the consumer belonged to the stream that was there before.
    if info.error?.number == JetStream.Fault.noStream { return lanes[place].close() }
    guard let last = info.state?.last_seq, ContinuousClock.now - lanes[place].delivered > Self.idleLimit else { return }
    let wanted = lanes[place].wanted
    if last > wanted { askReplay(place, wanted..<last) }
  }
}
