package import Rings

/// The stream in which nodes send their slices back to the edge, in pieces: one copy of each, which the same piece
/// replaces where a node sends it again. Use from one thread at a time.
package final class SliceStream {
  private let run: RunID
  /// Takes pieces, and answers what is asked of the stream itself.
  private let api: JetStream
  private let management: JetStream
  /// Pieces that are under way at a time.
  private static let piecesMax = 8
  /// How long servers may take for these, and for what has no bytes: an uplink has images to publish meanwhile.
  private static let (limit, managementLimit) = (Duration.seconds(30), Duration.seconds(1))
  /// What servers count to a message beside its bytes, at most.
  private static let overhead = 512

  /// That of a run. Nothing is asked of the servers yet.
  package init(_ connection: FabricConnection, run: RunID) throws(FabricError) {
    self.run = run
    api = try JetStream(connection, limit: Self.limit)
    management = try JetStream(connection, limit: Self.managementLimit)
  }

  /// The stream's name.
  var name: String { "slipring-\(run)-slices" }

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

  private struct Answer: Decodable {
    struct State: Decodable { let subjects: [String: Int]? }
    let error: JetStream.Fault?
    let state: State?
  }

  /// Makes the stream, with room for so many slices and one that replaces another, unless it is there.
  func make(slices: Int, columns: Int) throws(FabricError) {
    let slice = SlicePiece.sliceByteCount(columns: columns)
    let byteCount =
      (slices + 1) * (slice + SlicePiece.count(columns: columns) * (SlicePiece.headByteCount + Self.overhead))
    let creation = Creation(
      name: name, subjects: ["slipring.\(run).slices.>"], max_bytes: Int64(clamping: byteCount))
    let request = JetStream.Request(
      subject: "$JS.API.STREAM.CREATE.\(name)", body: JetStream.encode(creation), what: "stream \(name)")
    let answer = try JetStream.decode(Answer.self, try management.ask(request), what: request.what)
    guard let error = answer.error, error.number != JetStream.Fault.streamExists else { return }
    throw error.error(request.what)
  }

  /// Removes the stream with what it holds; that it is not there is no error.
  func remove() throws(FabricError) { try BandStreams.remove([name], management) }

  /// Sends the slice of a row, which has columns × columns values; the servers have it then.
  func send(_ slice: UnsafeBufferPointer<Float>, row: Int, columns: Int) throws(FabricError) {
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
  func send(facts: [String: String], row: Int) throws(FabricError) {
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
    let answer = try JetStream.decode(Answer.self, try management.ask(request), what: request.what)
    if let error = answer.error { throw error.error(request.what) }
  }
}

// Slices that stay at the servers until they are told of.
extension SliceStream {
  /// How often slices are sent that servers lose.
  private static let roundsMax = 5
  /// Rows that are asked for at a time.
  private static let rowsMax = 32

  /// Sends the slices of some rows, and looks whether servers have all of them then: one that lost its disk meanwhile
  /// has acknowledged those before that, too. With `again` only what they lack is sent. `facts` go with each of
  /// `firsts`; `read` gives the columns × columns values of a row, until it is called again.
  /// - Throws: `.missing` where the stream is not there, `.damaged` where servers lose slices again and again; what
  ///   `read` throws.
  package func deliver(
    _ rows: [Int], columns: Int, facts: [String: String], firsts: Set<Int>, again: Bool,
    read: (Int) throws -> UnsafeBufferPointer<Float>
  ) throws {
    var left = again ? try missing(rows, columns: columns) : rows
    for _ in 0..<Self.roundsMax {
      for row in left {
        if firsts.contains(row) { try send(facts: facts, row: row) }
        try send(read(row), row: row, columns: columns)
      }
      left = try missing(rows, columns: columns)
      if left.isEmpty { return }
    }
    throw FabricError.damaged(what: "stream \(name)", reason: "it loses slices again and again")
  }

  private struct Filter: Encodable { let subjects_filter: String }

  /// The rows of whose slices the stream lacks pieces.
  private func missing(_ rows: [Int], columns: Int) throws(FabricError) -> [Int] {
    let count = SlicePiece.count(columns: columns)
    var missing: [Int] = []
    for first in stride(from: 0, to: rows.count, by: Self.rowsMax) {
      let some = rows[first..<min(first + Self.rowsMax, rows.count)]
      let requests = some.map { row in
        JetStream.Request(
          subject: "$JS.API.STREAM.INFO.\(name)",
          body: JetStream.encode(Filter(subjects_filter: "slipring.\(run).slices.\(row).*")), what: "stream \(name)")
      }
      for (row, bytes) in zip(some, try api.ask(requests)) {
        let answer = try JetStream.decode(Answer.self, bytes, what: "stream \(name)")
        if let error = answer.error { throw error.error("stream \(name)") }
        let found = answer.state?.subjects ?? [:]
        if !(0..<count).allSatisfy({ found[subject(row, $0)] != nil }) { missing.append(row) }
      }
    }
    return missing
  }
}
