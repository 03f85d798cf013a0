package import Rings

/// What servers keep of one run: streams reserve their room when they are made, and stay until somebody removes them.
package struct FabricHolding: Equatable, Sendable {
  /// The run at the edge.
  package let run: RunID
  /// Streams of its granules; there may be none beside its plan, and none of a plan beside them.
  package private(set) var streams = 0
  /// Events that every one of these has taken; the end of the scan is one.
  package var events: UInt64 { streams == 0 ? 0 : eventsMin }
  private var eventsMin: UInt64 = .max
  /// Messages that they had and have lost.
  package private(set) var lost: UInt64 = 0
  /// Bytes that they take.
  package private(set) var byteCount: UInt64 = 0

  private init(_ run: RunID) { self.run = run }

  /// What the servers keep of all runs, in the order of their names.
  package static func all(_ connection: FabricConnection) throws(FabricError) -> [FabricHolding] {
    var holdings: [RunID: FabricHolding] = [:]
    for subject in ["slipring.>", "$KV.>"] {
      for stream in try streams(connection, subject: subject) {
        guard let run = stream.run else { continue }
        holdings[run, default: FabricHolding(run)].add(stream)
      }
    }
    return holdings.values.sorted { "\($0.run)" < "\($1.run)" }
  }

  /// Removes everything that the servers keep of a run; gives how many streams that were. An edge whose run still goes
  /// on sends it all again.
  package static func remove(_ run: RunID, _ connection: FabricConnection) throws(FabricError) -> Int {
    let all = try streams(connection, subject: "slipring.\(run).>") + streams(connection, subject: "$KV.>")
    let own = all.filter { $0.run == run }
    // The plan last: with it the run is found again where this was interrupted.
    let api = try JetStream(connection), names = own.map(\.config.name)
    let isPlan = { (name: String) in name == "KV_slipring-\(run)" }
    try BandStreams.remove(names.filter { !isPlan($0) }, api)
    try BandStreams.remove(names.filter(isPlan), api)
    return own.count { $0.isGranule }
  }

  private mutating func add(_ stream: Stream) {
    byteCount += stream.state.bytes
    guard stream.isGranule else { return }
    streams += 1
    eventsMin = min(eventsMin, stream.state.last_seq)
    lost += stream.state.last_seq - min(stream.state.last_seq, stream.state.messages)
  }

  private struct Stream: Decodable {
    struct Config: Decodable { let name: String }
    struct State: Decodable { let messages, bytes, last_seq: UInt64 }
    let config: Config
    let state: State

    /// The parts of its name: `slipring`, a run, and for all but the bucket of its plan a word.
    private var parts: [Substring] { config.name.split(separator: "-", maxSplits: 2, omittingEmptySubsequences: false) }

    /// The run that its name says; nil for a stream of somebody else.
    var run: RunID? {
      let parts = parts
      guard parts.count >= 2, ["slipring", "KV_slipring"].contains(parts[0]) else { return nil }
      return RunID(String(parts[1]))
    }

    /// Whether it holds images of a granule.
    var isGranule: Bool {
      let parts = parts
      return parts.count == 3 && parts[0] == "slipring" && parts[2].first == "p" && Int(parts[2].dropFirst()) != nil
    }
  }

  private struct Page: Decodable {
    let streams: [Stream]?
    let total: Int?
    let error: JetStream.Fault?
  }

  /// Streams that are looked at.
  private static let streamsMax = 1_000_000

  /// The streams that take a subject. Servers give a part of the list at a time.
  private static func streams(_ connection: FabricConnection, subject: String) throws(FabricError) -> [Stream] {
    struct Wanted: Encodable {
      let subject: String
      let offset: Int
    }
    let api = try JetStream(connection), what = "the list of streams"
    var streams: [Stream] = []
    while streams.count < streamsMax {
      let body = JetStream.encode(Wanted(subject: subject, offset: streams.count))
      let bytes = try api.ask(JetStream.Request(subject: "$JS.API.STREAM.LIST", body: body, what: what))
      let page = try JetStream.decode(Page.self, bytes, what: what)
      if let error = page.error { throw error.error(what) }
      guard let more = page.streams, !more.isEmpty else { break }
      streams += more
      if streams.count >= page.total ?? 0 { break }
    }
    return streams
  }
}
