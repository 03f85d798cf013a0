internal import Foundation
internal import Rings

/// The streams of a run's granules, at the servers.
final class BandStreams {
  /// What a stream holds.
  struct State: Equatable {
    /// Its last sequence: how many events it has taken.
    var last: UInt64
    /// Messages that are still there.
    var messages: UInt64
  }

  let topic: FabricTopic
  let granules: Granules
  private let api: JetStream

  init(_ connection: FabricConnection, topic: FabricTopic, granules: Granules) throws(FabricError) {
    (self.topic, self.granules) = (topic, granules)
    api = try JetStream(connection)
  }

  private struct Info: Decodable {
    struct State: Decodable {
      let last_seq: UInt64
      let messages: UInt64
    }
    struct Config: Decodable { let subjects: [String]? }
    let error: JetStream.Fault?
    let state: State?
    let config: Config?
  }

  private struct Creation: Encodable {
    let name: String
    let subjects: [String]
    let retention = "limits"
    let storage = "file"
    let discard = "new"
    let num_replicas: Int
    let max_bytes: Int64
    let allow_direct = true
    let metadata: [String: String]
  }

  /// The states of all streams; nil for one that is not there.
  func states() throws(FabricError) -> [State?] {
    let requests = stateRequests
    return try read(try api.ask(requests), requests)
  }

  /// The same; where nobody says anything of some, `silent` hears which, and nothing of the others is given.
  func states(silent: ([Int]) throws(FabricError) -> Void) throws(FabricError) -> [State?] {
    let requests = stateRequests, answers = try api.askSome(requests)
    try silent(answers.indices.filter { answers[$0] == nil })
    if let index = answers.firstIndex(of: nil) { throw api.silence(requests[index]) }
    return try read(answers.map { $0 ?? [] }, requests)
  }

  /// Whether servers answer what is asked of the bucket with the plan, which more than one of them have.
  func isBucketServed() throws(FabricError) -> Bool {
    let request = JetStream.Request(
      subject: "$JS.API.STREAM.INFO.KV_slipring-\(topic.identity.runID)", what: "the bucket of the run")
    return try api.askSome([request])[0] != nil
  }

  private var stateRequests: [JetStream.Request] {
    (0..<granules.count).map { granule in
      JetStream.Request(
        subject: "$JS.API.STREAM.INFO.\(topic.stream(granule))", what: "the state of stream \(topic.stream(granule))")
    }
  }

  /// Makes some streams, each with room for `byteCountMax`.
  func make(_ missing: [Int], byteCountMax: UInt64, replicas: Int) throws(FabricError) -> [State?] {
    let requests = missing.map { granule in
      let rows = granules[granule]
      let creation = Creation(
        name: topic.stream(granule), subjects: [topic.subject(granule)], num_replicas: replicas,
        max_bytes: Int64(clamping: byteCountMax),
        metadata: [
          "run": topic.identity.runID.description, "firstRow": "\(rows.lowerBound)", "rows": "\(rows.count)",
        ])
      return JetStream.Request(
        subject: "$JS.API.STREAM.CREATE.\(topic.stream(granule))", body: JetStream.encode(creation),
        what: "stream \(topic.stream(granule))")
    }
    return try read(try api.ask(requests), requests, of: missing)
  }

  /// Removes the streams of some granules.
  func remove(_ granules: [Int]) throws(FabricError) { try Self.remove(granules.map(topic.stream), api) }

  /// Removes streams by their names; that one is not there is no error.
  static func remove(_ names: [String], _ api: JetStream) throws(FabricError) {
    struct Removal: Decodable { let error: JetStream.Fault? }
    let requests = names.map { name in
      JetStream.Request(subject: "$JS.API.STREAM.DELETE.\(name)", what: "the removal of stream \(name)")
    }
    for (bytes, request) in zip(try api.ask(requests), requests) {
      let removal = try JetStream.decode(Removal.self, bytes, what: request.what)
      if let error = removal.error, error.number != JetStream.Fault.noStream { throw error.error(request.what) }
    }
  }

  private struct Place: Encodable { let seq: UInt64 }

  private struct Stored: Decodable {
    struct Message: Decodable { let data: String? }
    let error: JetStream.Fault?
    let message: Message?
  }

  /// What streams have as some events; nil where one has nothing there any more.
  func messages(_ wanted: some Collection<(granule: Int, sequence: UInt64)>) throws(FabricError) -> [[UInt8]?] {
    let requests = wanted.map { granule, sequence in
      JetStream.Request(
        subject: "$JS.API.STREAM.MSG.GET.\(topic.stream(granule))", body: JetStream.encode(Place(seq: sequence + 1)),
        what: "message \(sequence + 1) of stream \(topic.stream(granule))")
    }
    var messages: [[UInt8]?] = []
    for (bytes, request) in zip(try api.ask(requests), requests) {
      let stored = try JetStream.decode(Stored.self, bytes, what: request.what)
      if let error = stored.error {
        guard error.number == JetStream.Fault.noMessage else { throw error.error(request.what) }
        messages.append(nil)
      } else {
        // What is no base64 is no message of the edge's either.
        messages.append(Data(base64Encoded: stored.message?.data ?? "").map { [UInt8]($0) } ?? [])
      }
    }
    return messages
  }

  private func read(
    _ answers: [[UInt8]], _ requests: [JetStream.Request], of granules: [Int]? = nil
  ) throws(FabricError) -> [State?] {
    var states: [State?] = []
    for (index, bytes) in answers.enumerated() {
      let what = requests[index].what
      let info = try JetStream.decode(Info.self, bytes, what: what)
      if let error = info.error {
        guard error.number == JetStream.Fault.noStream else { throw error.error(what) }
        states.append(nil)
        continue
      }
      guard let state = info.state, state.messages <= state.last_seq,
        info.config?.subjects == [topic.subject(granules?[index] ?? index)]
      else { throw .damaged(what: what, reason: "the stream is none of Slipring's") }
      states.append(State(last: state.last_seq, messages: state.messages))
    }
    return states
  }
}
