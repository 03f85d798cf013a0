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
    try edge.make(slices: 3, columns: columns)
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
    let refusal = #expect(throws: FabricError.self) {
      for row in 1..<4 { try slice(row, 600).withUnsafeBufferPointer { try stream.send($0, row: row, columns: 600) } }
    }
    #expect(refusal?.sysExit == .cannotCreate)
  }

  private func expectDamage(_ words: String, _ read: () throws -> Void) {
    let error = #expect(throws: FabricError.self, performing: read)
    #expect(error?.description.contains(words) == true && error?.sysExit == .data, "\(String(describing: error))")
  }
}
