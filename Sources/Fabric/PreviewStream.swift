internal import Host
package import Rings

/// The stream in which an edge shows the newest projections of its scan in fewer pixels: in the memory of a server,
/// the last 64 of them, and what is older goes. Nothing depends on it. Use from one thread at a time.
package final class PreviewStream {
  let run: RunID
  private let api: JetStream

  /// Previews that are kept.
  private static let messagesMax = 64
  /// Bytes of these, which are memory of a server.
  private static let byteCountMax: Int64 = 32 << 20

  /// That of a run, whose servers may take `limit` for what they are asked or sent. Nothing is asked of them yet.
  package init(_ connection: FabricConnection, run: RunID, limit: Duration = .seconds(10)) throws(FabricError) {
    self.run = run
    api = try JetStream(connection, limit: limit)
  }

  /// Where previews are published.
  static func subject(_ run: RunID) -> String { "slipring.\(run).preview" }

  private var subject: String { Self.subject(run) }
  private var name: String { "slipring-\(run)-preview" }

  private struct Creation: Encodable {
    let name: String
    let subjects: [String]
    let retention = "limits"
    let storage = "memory"
    let discard = "old"
    let num_replicas = 1
    let max_msgs = PreviewStream.messagesMax
    let max_bytes = PreviewStream.byteCountMax
    let max_msg_size = BandMessage.byteCountMax + 4096
    let allow_direct = true
  }

  private struct Answer: Decodable { let error: JetStream.Fault? }

  /// Makes the stream, unless it is there.
  package func make() throws(FabricError) {
    let creation = Creation(name: name, subjects: [subject])
    let request = JetStream.Request(
      subject: "$JS.API.STREAM.CREATE.\(name)", body: JetStream.encode(creation), what: "stream \(name)")
    let answer = try JetStream.decode(Answer.self, try api.ask(request), what: request.what)
    guard let error = answer.error, error.number != JetStream.Fault.streamExists else { return }
    throw error.error(request.what)
  }

  /// Sends a projection in fewer pixels, as the `shown`-th preview; the servers have it then. Gives the bytes of its
  /// message; nil of an image that is too large for any preview.
  package func send(_ event: Event, shown: UInt64, isLast: Bool) throws(FabricError) -> Int? {
    let header = event.header, rows = Int(header.rows), columns = Int(header.columns)
    guard let pixel = header.pixel, rows > 0, columns > 0, event.payload.count == rows * columns * pixel.byteCount,
      let image = BinnedImage(
        event.payload, rows: rows, columns: columns, pixel: pixel,
        byteCountMax: BandMessage.byteCountMax - PreviewMessage.headByteCount)
    else { return nil }
    let message = PreviewMessage(header, image, pixel: pixel, shown: shown, isLast: isLast)
    let bytes = image.pixels.withUnsafeBytes { message.encode($0, run: run) }
    let request = JetStream.Request(
      subject: subject, body: bytes, what: "the preview of projection \(header.projection)")
    switch try api.ask(request).withUnsafeBytes(PublishAnswer.init) {
    case .acknowledged: return bytes.count
    case .refused(let code, let reason):
      throw JetStream.Fault(code: code, err_code: code, description: reason).error(request.what)
    case .malformed: throw .damaged(what: request.what, reason: "the answer of the servers is not understood")
    }
  }

  /// The bytes of the newest one; nil where there is none.
  func newestBytes() throws(FabricError) -> [UInt8]? {
    let info = JetStream.Request(subject: "$JS.API.STREAM.INFO.\(name)", what: "stream \(name)")
    // Without the stream nobody answers who asks for what is in it.
    if let error = try JetStream.decode(Answer.self, try api.ask(info), what: info.what).error {
      guard error.number == JetStream.Fault.noStream else { throw error.error(info.what) }
      return nil
    }
    let bytes = try api.ask(
      JetStream.Request(subject: "$JS.API.DIRECT.GET.\(name).\(subject)", what: "the newest preview"))
    return bytes.isEmpty ? nil : bytes
  }

  /// What the newest one says; nil where there is none, or what is there is none.
  package func newest() throws(FabricError) -> PreviewMessage? {
    guard let bytes = try newestBytes() else { return nil }
    return bytes.withUnsafeBytes { try? PreviewMessage.decode($0, run: run).message }
  }

  /// The run whose stream of previews was made last; nil where there is none.
  package static func latestRun(_ connection: FabricConnection) throws(FabricError) -> RunID? {
    struct Wanted: Encodable {
      let subject = "slipring.*.preview"
      let offset: Int
    }
    struct Page: Decodable {
      struct Stream: Decodable {
        struct Config: Decodable { let name: String }
        let config: Config
        let created: String
      }
      let streams: [Stream]?
      let total: Int?
      let error: JetStream.Fault?
    }
    let api = try JetStream(connection), what = "the list of previews"
    var newest: (run: RunID, created: String)?
    var seen = 0
    // Servers give a part of the list at a time.
    while seen < runsMax {
      let body = JetStream.encode(Wanted(offset: seen))
      let bytes = try api.ask(JetStream.Request(subject: "$JS.API.STREAM.LIST", body: body, what: what))
      let page = try JetStream.decode(Page.self, bytes, what: what)
      if let error = page.error { throw error.error(what) }
      guard let streams = page.streams, !streams.isEmpty else { break }
      for stream in streams where stream.created > newest?.created ?? "" {
        let parts = stream.config.name.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "slipring", parts[2] == "preview", let run = RunID(String(parts[1])) else {
          continue
        }
        newest = (run, stream.created)
      }
      seen += streams.count
      if seen >= page.total ?? 0 { break }
    }
    return newest?.run
  }

  private static let runsMax = 65_536
}
