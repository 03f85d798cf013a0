import Foundation
import Host
import Rings
import TestSupport
import Testing

@testable import Fabric

@Suite struct SlicePieceTests {
  private let run = RunID(low: 0x0123_4567_89AB_CDEF, high: 42)
  /// 600 × 600 values are two whole pieces, and 391,424 B of a third one.
  private static let columns = 600

  private static func slice(_ columns: Int, seed: UInt64) -> [Float] {
    var random = SplitMix64(seed: seed)
    return (0..<columns * columns).map { _ in Float.random(in: -1...1, using: &random) }
  }

  private func encode(_ number: Int, row: Int = 7, columns: Int = columns) -> [UInt8] {
    Self.slice(columns, seed: 1).withUnsafeBytes {
      SlicePiece.encode($0, number, row: row, columns: columns, run: run)
    }
  }

  private func fault(_ bytes: [UInt8], row: Int = 7, run: RunID? = nil) -> SlicePiece.Fault? {
    bytes.withUnsafeBytes { bytes in
      do throws(SlicePiece.Fault) {
        _ = try SlicePiece(bytes, row: row, run: run ?? self.run)
        return nil
      } catch { return error }
    }
  }

  @Test func `Pieces of a slice are its bytes, one behind the other, with what is drawn before them`() throws {
    var bytes: [UInt8] = []
    for number in 0..<3 {
      let message = encode(number)
      let piece = try message.withUnsafeBytes { try SlicePiece($0, row: 7, run: run) }
      #expect(piece.columns == Self.columns && piece.number == number && piece.range.lowerBound == bytes.count)
      bytes += message[48...]
    }
    #expect(bytes == Self.slice(Self.columns, seed: 1).withUnsafeBytes { Array($0) })
    let head = encode(2)[..<48]
    #expect(Array(head[..<8]) == Array("SLSC".utf8) + [1, 0, 0, 0] && Array(head[8..<10]) == [0xEF, 0xCD])
    #expect(head[16] == 42 && head[24] == 7 && head[28] == 88 && head[29] == 2 && head[32] == 2 && head[36] == 3)
  }

  @Test func `Pieces of other runs and rows are refused`() {
    #expect(fault(encode(1)) == nil)
    #expect(fault(encode(1), row: 8) == .identity)
    #expect(fault(encode(1), run: RunID(low: 1, high: 42)) == .identity)
  }

  @Test(arguments: [1, 2, 3, 4] as [UInt64]) func `No damage crashes, and none passes`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let whole = encode(0, columns: 6)
    for number in 0..<25_000 {
      var bytes = whole
      switch Int.random(in: 0..<4, using: &random) {
      case 0: bytes.removeLast(Int.random(in: 1...bytes.count, using: &random))
      case 1: bytes += [UInt8](repeating: 1, count: Int.random(in: 1...300, using: &random))
      case 2:
        let place = 4 * Int.random(in: 0..<12, using: &random)
        let value: UInt32 = [0, 1, .max, 1 << 31, 0xFFFF, 1 << 16].randomElement(using: &random)!
        withUnsafeBytes(of: value) { bytes.replaceSubrange(place..<place + 4, with: $0) }
      default:
        bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      }
      if bytes != whole { #expect(fault(bytes) != nil, "seed \(seed), message \(number)") }
    }
  }
}

/// Slices that nodes send back, with a real server.
@Suite(.enabled(if: FabricServer.isAvailable, "no nats-server: Tools/fabric gets it"))
struct SliceStreamTests {
  private let server: FabricServer
  private let run = RunID.random()

  init() throws { server = try FabricServer() }

  private func connect() throws -> FabricConnection {
    try FabricConnection(try FabricAddress(server.address), name: "test", patience: .seconds(5))
  }

  private func slice(_ row: Int, _ columns: Int) -> [Float] { (0..<columns * columns).map { Float($0 + row) } }

  private func read(_ stream: SliceStream, _ row: Int, _ columns: Int) throws -> [Float] {
    var slice = [Float](repeating: 0, count: columns * columns)
    try slice.withUnsafeMutableBufferPointer { try stream.read(row: row, columns: columns, into: $0) }
    return slice
  }

  @Test func `What is sent is there, once, also where it is sent again and a server is killed between`() throws {
    let columns = 700
    let edge = try SliceStream(try connect(), run: run)
    try edge.make(slices: 3, columns: columns)
    for _ in 0..<2 {
      let node = try SliceStream(try connect(), run: run)
      for row in 4..<6 {
        try slice(row, columns).withUnsafeBufferPointer { try node.send($0, row: row, columns: columns) }
      }
      try node.send(facts: ["units": "1/mm", "long": String(repeating: "x", count: 2000)], row: 4)
      server.kill()
      try server.start()
    }
    let reader = try SliceStream(try connect(), run: run)
    #expect(try reader.columns(row: 4) == columns && reader.columns(row: 6) == nil)
    for row in 4..<6 { #expect(try read(reader, row, columns) == slice(row, columns)) }
    #expect(try reader.facts(row: 4) == ["units": "1/mm"] && reader.facts(row: 5) == [:])
    // Two slices of four pieces each, and the facts.
    let holding = try #require(try FabricHolding.all(try connect()).first { $0.run == run })
    #expect(holding.byteCount < 2 * 4 * 700 * 700 + 10_000)
    try SliceStream(try connect(), run: run).make(slices: 3, columns: columns)
    #expect(throws: FabricError.self) { _ = try read(reader, 6, columns) }
  }

  @Test func `Pieces that are none are told, and a stream that is not there, or has no room`() throws {
    let connection = try connect(), stream = try SliceStream(connection, run: run)
    #expect(throws: FabricError.missing("stream slipring-\(run)-slices")) { _ = try stream.columns(row: 0) }
    try stream.make(slices: 1, columns: 600)
    try slice(0, 600).withUnsafeBufferPointer { try stream.send($0, row: 0, columns: 600) }
    #expect(connection.publish("slipring.\(run).slices.0.1", [1, 2, 3]))
    connection.flush()
    #expect(try stream.columns(row: 0) == 600)
    expectDamage("its length is wrong") { _ = try read(stream, 0, 600) }
    expectDamage("others have 500") { _ = try read(stream, 0, 500) }
    let another = slice(0, 600).withUnsafeBytes { SlicePiece.encode($0, 1, row: 0, columns: 600, run: run) }
    #expect(connection.publish("slipring.\(run).slices.0.0", another))
    connection.flush()
    expectDamage("it is another piece") { _ = try stream.columns(row: 0) }
    let refusal = #expect(throws: FabricError.self) {
      for row in 1..<4 { try slice(row, 600).withUnsafeBufferPointer { try stream.send($0, row: row, columns: 600) } }
    }
    #expect(refusal?.sysExit == .cannotCreate)
  }

  @Test func `Of what is said of a volume only a little that can be printed is taken`() throws {
    let connection = try connect(), stream = try SliceStream(connection, run: run)
    try stream.make(slices: 8, columns: 40)
    try stream.send(facts: ["units": "1/mm", "sample": "\u{1B}[31m"], row: 0)
    #expect(try stream.facts(row: 0) == ["units": "1/mm"])
    let many = Dictionary(uniqueKeysWithValues: (0..<40).map { ("name \($0)", String(repeating: "x", count: 1000)) })
    try stream.send(facts: many, row: 1)
    #expect(try stream.facts(row: 1) == [:])
    #expect(connection.publish("slipring.\(run).slices.2.facts", JetStream.encode(many)))
    connection.flush()
    expectDamage("it is too long") { _ = try stream.facts(row: 2) }
  }

  @Test func `Slices that servers lose while others are sent are sent again, with what is said of them`() throws {
    let (columns, rows) = (40, Array(3..<9)), connection = try connect(), stream = try SliceStream(connection, run: run)
    try stream.make(slices: 6, columns: columns)
    var reads: [Int] = []
    let memory = UnsafeMutableBufferPointer<Float>.allocate(capacity: columns * columns)
    defer { memory.deallocate() }
    func deliver(again: Bool, losing: (Int) throws -> Void) throws {
      reads = []
      try stream.deliver(rows, columns: columns, facts: ["units": "1/mm"], firsts: [3], again: again) { row in
        reads.append(row)
        try losing(row)
        _ = memory.update(fromContentsOf: slice(row, columns))
        return UnsafeBufferPointer(memory)
      }
    }
    func lose() throws {
      let purge = JetStream.Request(subject: "$JS.API.STREAM.PURGE.\(stream.name)", what: "test")
      let answer = String(decoding: try JetStream(connection).ask(purge), as: UTF8.self)
      #expect(answer.contains("\"success\":true"), "\(answer)")
    }
    // The disk is lost when half of them are there, as acknowledged.
    try deliver(again: false) { row in if row == 6, reads.count == 4 { try lose() } }
    #expect(reads == rows + [3, 4, 5])
    for row in rows { #expect(try read(stream, row, columns) == slice(row, columns)) }
    #expect(try stream.facts(row: 3) == ["units": "1/mm"])
    // Who is interrupted, and begins anew, sends what is missing alone.
    try deliver(again: true) { _ in }
    #expect(reads.isEmpty)
    let error = #expect(throws: FabricError.self) {
      // Those behind it take the place of what is lost, and it is the other half's turn.
      try deliver(again: false) { row in if row == 3 || row == 6 { try lose() } }
    }
    #expect(error?.description.contains("loses slices again and again") == true, "\(String(describing: error))")
    try stream.remove()
    #expect(throws: FabricError.missing("stream slipring-\(run)-slices")) { try deliver(again: true) { _ in } }
  }

  @Test func `A server that is away with the stream holds nobody up, and it is made anew on others`() throws {
    let servers = try FabricServer.cluster()
    let address = try FabricAddress("nats://" + servers.map { "127.0.0.1:\($0.port)" }.joined(separator: ","))
    let connection = try FabricConnection(address, name: "test", patience: .seconds(10))
    let (store, stream) = (try FabricStore(connection, run: run), try SliceStream(connection, run: run))
    try retried { () throws(FabricError) in try store.make() }
    var words: [String] = []
    let keeper = SliceKeeper(
      slices: 2, columns: 40, silence: StreamSilence(limit: .seconds(3)), interval: .milliseconds(200)
    ) { words.append($0) }
    keeper.attach(stream, store)
    let values = slice(0, 40)
    func send() throws(FabricError) {
      try keeper.turn()
      let result = values.withUnsafeBufferPointer { values in
        Result { () throws(FabricError) in try stream.send(values, row: 0, columns: 40) }
      }
      try result.get()
    }
    // A cluster that has just begun makes it when it has a leader.
    try retried(send)
    let state = try JetStream(connection).ask(
      JetStream.Request(subject: "$JS.API.STREAM.INFO.\(stream.name)", what: "test"))
    let text = String(decoding: state, as: UTF8.self)
    let holder = try #require(servers.first { text.contains("\"leader\":\"test-\($0.port)\"") }, "\(text)")
    holder.kill()
    let killed = ContinuousClock.now
    var longest = Duration.zero
    for _ in 0..<600 where words.isEmpty {
      let begin = ContinuousClock.now
      do throws(FabricError) { try keeper.turn() } catch { try #require(error.mayPass, "\(error)") }
      longest = max(longest, .now - begin)
      usleep(100_000)
    }
    #expect(words.first?.contains("is away: made anew") == true, "\(words)")
    // One that is started again is waited for.
    #expect(.now - killed >= .seconds(3))
    // One question may take a second, and there are three; an uplink must not lose its lease meanwhile.
    #expect(longest < .seconds(6), "\(longest)")
    try retried(send)
    #expect(try read(stream, 0, 40) == values)
  }

  /// Servers that have just begun, or removed a stream, may refuse for a moment what they do soon after.
  private func retried(_ work: () throws(FabricError) -> Void) throws(FabricError) {
    for _ in 0..<50 {
      do throws(FabricError) { return try work() } catch { usleep(200_000) }
    }
    try work()
  }

  private func expectDamage(_ words: String, _ read: () throws -> Void) {
    let error = #expect(throws: FabricError.self, performing: read)
    #expect(error?.description.contains(words) == true && error?.sysExit == .data, "\(String(describing: error))")
  }
}
