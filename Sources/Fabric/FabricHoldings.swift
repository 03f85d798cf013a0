package import Rings

/// What servers keep of one run: streams reserve their room when they are made, and stay until somebody removes them.
package struct FabricHolding: Equatable, Sendable {
  /// The run at the edge.
  package let run: RunID
  /// Streams of its granules.
  package private(set) var streams = 0
  /// Events that every one of these has taken; the end of the scan is one.
  package private(set) var events: UInt64 = .max
  /// Messages that they had and have lost.
  package private(set) var lost: UInt64 = 0
  /// Bytes that they take.
  package private(set) var byteCount: UInt64 = 0
  /// The highest number of a granule.
  private var lastGranule = 0

  private init(_ run: RunID) { self.run = run }

  /// What the servers keep of all runs, in the order of their names.
  package static func all(_ connection: FabricConnection) throws(FabricError) -> [FabricHolding] {
    var holdings: [RunID: FabricHolding] = [:]
    for stream in try streams(connection, subject: "slipring.>") {
      guard let (run, granule) = stream.granule else { continue }
      holdings[run, default: FabricHolding(run)].add(stream.state, granule)
    }
    return holdings.values.sorted { "\($0.run)" < "\($1.run)" }
  }

  /// Removes everything that the servers keep of a run; gives how many streams that were. An edge whose run still goes
  /// on sends it all again.
  package static func remove(_ run: RunID, _ connection: FabricConnection) throws(FabricError) -> Int {
    var holding = FabricHolding(run)
    for stream in try streams(connection, subject: "slipring.\(run).>") {
      if let (owner, granule) = stream.granule, owner == run { holding.add(stream.state, granule) }
    }
    if holding.streams > 0 {
      let granules = Granules(rows: holding.lastGranule + 1, each: 1)
      let topic = FabricTopic(run: run, id: 0, word: "projections")
      try BandStreams(connection, topic: topic, granules: granules).remove()
    }
    try FabricStore(connection, leasesOf: run).remove()
    // The plan last: with it the run is found again where this was interrupted.
    try FabricStore(connection, run: run).remove()
    return holding.streams
  }

  private mutating func add(_ state: Stream.State, _ granule: Int) {
    streams += 1
    events = min(events, state.last_seq)
    lost += state.last_seq - min(state.last_seq, state.messages)
    byteCount += state.bytes
    lastGranule = max(lastGranule, granule)
  }

  private struct Stream: Decodable {
    struct Config: Decodable { let name: String }
    struct State: Decodable { let messages, bytes, last_seq: UInt64 }
    let config: Config
    let state: State

    private static let granulesMax = 65_536

    /// The run and the granule that its name says; nil for a stream of somebody else.
    var granule: (run: RunID, number: Int)? {
      let parts = config.name.split(separator: "-", omittingEmptySubsequences: false)
      guard parts.count == 3, parts[0] == "slipring", let run = RunID(String(parts[1])), parts[2].first == "p",
        let number = Int(parts[2].dropFirst()), (0..<Self.granulesMax).contains(number)
      else { return nil }
      return (run, number)
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
