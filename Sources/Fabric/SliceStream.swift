package import Rings

/// The stream in which nodes send their slices back to the edge, in pieces: one copy of each, which the same piece
/// replaces where a node sends it again. Use from one thread at a time.
package final class SliceStream {
  private let run: RunID
  private let api: JetStream
  /// Pieces that are under way at a time.
  private static let piecesMax = 8
  /// How long servers may take for these.
  private static let limit: Duration = .seconds(30)
  /// What servers count to a message beside its bytes, at most.
  private static let overhead = 512

  /// That of a run. Nothing is asked of the servers yet.
  package init(_ connection: FabricConnection, run: RunID) throws(FabricError) {
    self.run = run
    api = try JetStream(connection, limit: Self.limit)
  }

  /// The stream's name.
  private var name: String { "slipring-\(run)-slices" }

  private func subject(_ row: Int, _ piece: Int) -> String { "slipring.\(run).slices.\(row).\(piece)" }

  private struct Creation: Encodable {
    let name: String
    let subjects: [String]
    let retention = "limits"
    let storage = "file"
    let discard = "new"
    let num_replicas = 1
    let max_msgs_per_subject = 1
    let max_bytes: Int64
    let allow_direct = true
  }

  private struct Answer: Decodable { let error: JetStream.Fault? }

  /// Makes the stream, with room for so many slices and one that replaces another, unless it is there.
  package func make(slices: Int, columns: Int) throws(FabricError) {
    let slice = SlicePiece.sliceByteCount(columns: columns)
    let byteCount =
      (slices + 1) * (slice + SlicePiece.count(columns: columns) * (SlicePiece.headByteCount + Self.overhead))
    let creation = Creation(
      name: name, subjects: ["slipring.\(run).slices.>"], max_bytes: Int64(clamping: byteCount))
    let request = JetStream.Request(
      subject: "$JS.API.STREAM.CREATE.\(name)", body: JetStream.encode(creation), what: "stream \(name)")
    let answer = try JetStream.decode(Answer.self, try api.ask(request), what: request.what)
    guard let error = answer.error, error.number != JetStream.Fault.streamExists else { return }
    throw error.error(request.what)
  }

  /// Sends the slice of a row, which has columns × columns values; the servers have it then.
  package func send(_ slice: UnsafeBufferPointer<Float>, row: Int, columns: Int) throws(FabricError) {
    let bytes = UnsafeRawBufferPointer(slice), count = SlicePiece.count(columns: columns)
    for first in stride(from: 0, to: count, by: Self.piecesMax) {
      let requests = (first..<min(first + Self.piecesMax, count)).map { piece in
        JetStream.Request(
          subject: subject(row, piece),
          body: SlicePiece.encode(bytes, piece, row: row, columns: columns, run: run),
          what: "piece \(piece) of the slice of row \(row)")
      }
      try send(requests)
    }
  }

  private func send(_ requests: [JetStream.Request]) throws(FabricError) {
    for (answer, request) in zip(try api.ask(requests), requests) {
      switch answer.withUnsafeBytes(PublishAnswer.init) {
      case .acknowledged: continue
      case .refused(let code, let reason):
        throw JetStream.Fault(code: code, err_code: code, description: reason).error(request.what)
      case .malformed: throw .damaged(what: request.what, reason: "the answer of the servers is not understood")
      }
    }
  }

  /// Bytes of facts at most.
  private static let factsByteCountMax = 32 << 10

  private func factsSubject(_ row: Int) -> String { "slipring.\(run).slices.\(row).facts" }

  /// Sends what is to be said of the volume whose first row is `row`, as names and texts; what is too long is left out.
  package func send(facts: [String: String], row: Int) throws(FabricError) {
    let body = JetStream.encode(facts.filter { $0.value.utf8.count <= 1024 })
    guard body.count <= Self.factsByteCountMax else { return }
    try send([JetStream.Request(subject: factsSubject(row), body: body, what: "what is said of row \(row)")])
  }

  /// What was said of the volume whose first row is `row`: names with their texts, which may be anything that can be
  /// printed.
  package func facts(row: Int) throws(FabricError) -> [String: String] {
    let what = "what is said of row \(row)"
    let bytes = try api.ask(JetStream.Request(subject: "$JS.API.DIRECT.GET.\(name).\(factsSubject(row))", what: what))
    guard !bytes.isEmpty else { return [:] }
    guard bytes.count <= Self.factsByteCountMax else { throw .damaged(what: what, reason: "it is too long") }
    return try JetStream.decode([String: String].self, bytes, what: what).filter { FabricNames.isPlain($0.value) }
  }

  /// Pixels of a row's slice in each direction; nil where the stream does not have it.
  package func columns(row: Int) throws(FabricError) -> Int? {
    try isThere()
    return try pieces(row, 0..<1)[0].map { bytes throws(FabricError) in try piece(bytes, row, 0).columns }
  }

  /// Reads the slice of a row.
  /// - Throws: `.missing` where a piece is not there, `.damaged` where it is none.
  package func read(row: Int, columns: Int, into slice: UnsafeMutableBufferPointer<Float>) throws(FabricError) {
    precondition(slice.count == columns * columns, "\(slice.count) values for \(columns) columns")
    let target = UnsafeMutableRawBufferPointer(slice), count = SlicePiece.count(columns: columns)
    for first in stride(from: 0, to: count, by: Self.piecesMax) {
      let numbers = first..<min(first + Self.piecesMax, count)
      for (number, bytes) in zip(numbers, try pieces(row, numbers)) {
        guard let bytes else { throw .missing(what(row, number)) }
        let piece = try piece(bytes, row, number)
        guard piece.columns == columns else {
          throw .damaged(what: what(row, number), reason: "it has \(piece.columns) columns, others have \(columns)")
        }
        UnsafeMutableRawBufferPointer(rebasing: target[piece.range]).copyBytes(from: bytes[SlicePiece.headByteCount...])
      }
    }
  }

  private func what(_ row: Int, _ number: Int) -> String { "piece \(number) of the slice of row \(row)" }

  private func piece(_ bytes: [UInt8], _ row: Int, _ number: Int) throws(FabricError) -> SlicePiece {
    let result = bytes.withUnsafeBytes { bytes in
      Result { () throws(SlicePiece.Fault) in try SlicePiece(bytes, row: row, run: run) }
    }
    switch result {
    case .success(let piece) where piece.number == number: return piece
    case .success: throw .damaged(what: what(row, number), reason: "it is another piece")
    case .failure(let fault): throw .damaged(what: what(row, number), reason: "its \(fault) is wrong")
    }
  }

  /// Some pieces of a slice; nil for one that is not there.
  private func pieces(_ row: Int, _ numbers: Range<Int>) throws(FabricError) -> [[UInt8]?] {
    try api.ask(
      numbers.map { number in
        JetStream.Request(
          subject: "$JS.API.DIRECT.GET.\(name).\(subject(row, number))", what: what(row, number))
      }
    ).map { $0.isEmpty ? nil : $0 }
  }

  /// Without the stream nobody answers who asks for what is in it.
  private func isThere() throws(FabricError) {
    let request = JetStream.Request(subject: "$JS.API.STREAM.INFO.\(name)", what: "stream \(name)")
    let answer = try JetStream.decode(Answer.self, try api.ask(request), what: request.what)
    if let error = answer.error { throw error.error(request.what) }
  }
}
