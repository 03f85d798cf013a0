internal import Rings

// What the servers answer.
extension BandPublisher {
  /// Answers that are taken before somebody may look whether there is something else to do.
  private static let answersMax = 4096

  /// Takes the answers that have come, or come before `timeout`.
  package func pump(timeout: Duration) throws(FabricError) -> State {
    var wait = timeout
    let unanswered = inbox.unanswered
    for _ in 0..<Self.answersMax {
      guard let message = try inbox.next(timeout: wait) else { break }
      take(message)
      wait = .zero
    }
    if inbox.unanswered > unanswered { state = .interrupted("a stream of run \(topic.identity.runID) is not there") }
    notice()
    return state
  }

  /// Waits until a message may go.
  func awaitRoom(_ byteCount: Int) throws(FabricError) -> State {
    while state == .flowing, !window.hasRoom(byteCount) { _ = try pump(timeout: .milliseconds(20)) }
    notice()
    return state
  }

  /// Compares the streams with what they have acknowledged (F6). Where publishing again mends it, `synchronise` is due.
  package func check() throws(FabricError) -> [StreamFault] {
    _ = try pump(timeout: .zero)
    let before = acked
    let states = try streams.states()
    var faults: [StreamFault] = []
    for (granule, state) in states.enumerated() {
      let stream = topic.stream(granule)
      guard let state else {
        faults.append(.missing(stream: stream))
        continue
      }
      if rules.noticesRegress, state.last < before[granule] {
        faults.append(.shortened(stream: stream, last: state.last, acknowledged: before[granule]))
      } else if let end, next[granule] > end, state.last > next[granule] {
        faults.append(.trailed(stream: stream, more: state.last - next[granule]))
      } else if state.last > next[granule] {
        faults.append(.foreign(stream: stream, last: state.last, published: next[granule]))
      }
      if rules.countsMessages, state.messages < state.last {
        faults.append(.holed(stream: stream, lost: state.last - state.messages))
      }
    }
    if let fault = faults.first(where: \.isMendable) { state = .interrupted("\(fault)") }
    return faults
  }

  private func take(_ message: FabricMessage) {
    let tokens = inbox.tokens(message)
    guard tokens.count == 3, UInt64(tokens[0]) == generation, let granule = Int(tokens[1]),
      next.indices.contains(granule), let sequence = UInt64(tokens[2])
    else { return }
    switch PublishAnswer(message.bytes) {
    case .acknowledged(sequence + 1):
      // Behind a message that was refused others may fit, where somebody else published one: the streams are asked.
      guard state == .flowing, let byteCount = window.acknowledged(granule, sequence) else { return }
      acked[granule] = sequence + 1
      if proven?[granule] == sequence { proven?[granule] = sequence + 1 }
      counts.messages += 1
      counts.bytes += UInt64(byteCount)
    case .acknowledged(let other):
      state = .interrupted("stream \(topic.stream(granule)) gave event \(sequence) the number \(other)")
    case .refused(let code, let reason):
      counts.refused += 1
      if state == .flowing {
        state = .interrupted("stream \(topic.stream(granule)) refused event \(sequence): \(reason) (\(code))")
      }
    case .malformed: state = .interrupted("stream \(topic.stream(granule)) answered what is no answer")
    }
  }

  /// Looks whether the connection is there, and whether answers come.
  private func notice() {
    guard state == .flowing else { return }
    if !connection.isConnected {
      state = .interrupted("the connection to \(connection.address) is broken")
    } else if window.isSilent() {
      let reason = connection.violation ?? "nothing was acknowledged for too long"
      state = .interrupted(reason)
    }
  }
}

/// What a server says of a message that was published, as JSON: `{"stream":"…","seq":5}`, or
/// `{"error":{"code":400,"err_code":10071,"description":"…"},"stream":"…","seq":0}`. Read without a parser: there may
/// be thousands a second, and all of these fields have one form.
enum PublishAnswer: Equatable {
  case acknowledged(UInt64)
  case refused(Int, String)
  case malformed

  private static let byteCountMax = 4096

  init(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count <= Self.byteCountMax, bytes.first == UInt8(ascii: "{"), bytes.last == UInt8(ascii: "}") else {
      self = .malformed
      return
    }
    if Self.find("\"error\":", in: bytes) != nil {
      guard let fault = try? JetStream.decode(Refusal.self, [UInt8](bytes), what: "an answer").error else {
        self = .malformed
        return
      }
      self = .refused(fault.number, fault.description ?? "without a reason")
      return
    }
    guard var place = Self.find("\"seq\":", in: bytes) else {
      self = .malformed
      return
    }
    while place < bytes.count, bytes[place] == UInt8(ascii: " ") { place += 1 }
    var (value, digits): (UInt64, Int) = (0, 0)
    while place < bytes.count, case let digit = bytes[place] &- 0x30, digit < 10, digits < 19 {
      (value, digits, place) = (value * 10 + UInt64(digit), digits + 1, place + 1)
    }
    self = digits > 0 ? .acknowledged(value) : .malformed
  }

  private struct Refusal: Decodable { let error: JetStream.Fault }

  /// Where `text` ends in the bytes; nil where it is not.
  private static func find(_ text: StaticString, in bytes: UnsafeRawBufferPointer) -> Int? {
    guard bytes.count >= text.utf8CodeUnitCount else { return nil }
    for start in 0...bytes.count - text.utf8CodeUnitCount
    where (0..<text.utf8CodeUnitCount).allSatisfy({ bytes[start + $0] == text.utf8Start[$0] }) {
      return start + text.utf8CodeUnitCount
    }
    return nil
  }
}
