import Host
import Rings
import TestSupport
import Testing

@testable import Fabric

@Suite struct PreviewMessageTests {
  private static let run = RunID(low: 0x0123_4567_89AB_CDEF, high: 42)

  private static func header(
    _ projection: UInt64 = 7, theta: Double = 0.5, pixel: PixelType = .uint16
  ) -> EventHeader {
    EventHeader(
      kind: .projection, identity: RingIdentity(runID: run, topic: 1, partition: 0), sequence: 9, epoch: 1,
      acquiredAt: 5, payloadByteCount: 30 * pixel.byteCount, metadataByteCount: 0, payloadCRC32C: 0, theta: theta,
      projection: projection, rows: 5, columns: 6, pixel: pixel)
  }

  private static func image<Pixel>(_ pixel: PixelType, _ values: [Pixel], most: Int = 1 << 20) throws -> BinnedImage {
    try values.withUnsafeBytes {
      try #require(BinnedImage($0, rows: 5, columns: 6, pixel: pixel, byteCountMax: most))
    }
  }

  private static func message(_ shown: UInt64 = 3) throws -> [UInt8] {
    let image = try image(.uint16, (0..<30).map { UInt16($0) })
    let message = PreviewMessage(header(), image, pixel: .uint16, shown: shown, isLast: true)
    return image.pixels.withUnsafeBytes { message.encode($0, run: run) }
  }

  @Test func `Pixels are means of squares, which are cut at the edges, and as large as they have to be`() throws {
    let counts = try Self.image(.uint16, (0..<30).map { UInt16($0) })
    let values = counts.pixels.withUnsafeBytes { Array($0.assumingMemoryBound(to: UInt16.self)) }
    // Squares of 0, 1, 6, 7 have 3.5, which is rounded up; the last row has two pixels each.
    #expect(counts.rows == 3 && counts.columns == 3 && values == [4, 6, 8, 16, 18, 20, 25, 27, 29])
    let bytes = try Self.image(.uint8, [UInt8](repeating: 255, count: 30), most: 4)
    #expect(bytes.binning == 4 && bytes.rows == 2 && bytes.columns == 2 && bytes.pixels == [255, 255, 255, 255])
    let large = try Self.image(.uint32, [UInt32](repeating: .max, count: 30), most: 4)
    #expect(large.binning == 8 && large.pixels == [255, 255, 255, 255])
    let floats = try Self.image(.float32, (0..<30).map { $0 == 29 ? Float.nan : Float($0) / 4 })
    let means = floats.pixels.withUnsafeBytes { Array($0.assumingMemoryBound(to: Float.self)) }
    #expect(means.prefix(3) == [0.875, 1.375, 1.875] && means[8].isNaN)
    #expect(
      [UInt8](repeating: 0, count: 30).withUnsafeBytes {
        BinnedImage($0, rows: 5, columns: 6, pixel: .uint8, byteCountMax: 0) == nil
      })
  }

  @Test func `A preview is drawn as it is documented, and comes back`() throws {
    let bytes = try Self.message()
    #expect(Array(bytes[..<8]) == Array("SLPV".utf8) + [1, 0, 0, 0] && bytes[8] == 0xEF && bytes[16] == 42)
    #expect(bytes[24] == 7 && bytes[40] == 5 && bytes[48] == 3 && bytes[56] == 3 && bytes[60] == 3 && bytes[64] == 2)
    #expect(bytes[66] == 2 && bytes[68] == 1 && bytes.count == 80 + 18)
    let (message, pixels) = try bytes.withUnsafeBytes { try PreviewMessage.decode($0, run: Self.run) }
    #expect(message.projection == 7 && message.theta == 0.5 && message.skipped == 5 && message.isLast)
    #expect(pixels.prefix(2) == [4, 0])
    #expect(throws: PreviewMessage.Fault.identity) {
      _ = try bytes.withUnsafeBytes { try PreviewMessage.decode($0, run: RunID(low: 1, high: 42)) }
    }
    // More previews than projections are none.
    #expect(throws: PreviewMessage.Fault.value) {
      _ = try Self.message(9).withUnsafeBytes { try PreviewMessage.decode($0, run: Self.run) }
    }
  }

  @Test func `What cannot be is refused, also where every checksum is right`() throws {
    func fault(_ header: EventHeader, _ image: BinnedImage, _ pixel: PixelType) -> PreviewMessage.Fault? {
      let message = PreviewMessage(header, image, pixel: pixel, shown: 3, isLast: false)
      let bytes = image.pixels.withUnsafeBytes { message.encode($0, run: Self.run) }
      return bytes.withUnsafeBytes { bytes in
        do throws(PreviewMessage.Fault) { _ = try PreviewMessage.decode(bytes, run: Self.run) } catch { return error }
        return nil
      }
    }
    let image = try Self.image(.uint16, (0..<30).map { UInt16($0) })
    #expect(fault(Self.header(), image, .uint16) == nil)
    #expect(fault(Self.header(theta: 1e9), image, .uint16) == .value)
    #expect(fault(Self.header(theta: .nan), image, .uint16) == .value)
    #expect(fault(Self.header(1 << 50), image, .uint16) == .value)
    // Zeros that are few bytes in the message, and more than one as it is would hold.
    let large = try [UInt8](repeating: 0, count: 1 << 22).withUnsafeBytes {
      try #require(BinnedImage($0, rows: 2048, columns: 2048, pixel: .uint8, byteCountMax: 1 << 22))
    }
    #expect(large.pixels.count == 1 << 20 && fault(Self.header(), large, .uint8) == .length)
  }

  @Test func `What packing makes smaller is packed`() throws {
    let header = EventHeader(
      kind: .projection, identity: RingIdentity(runID: Self.run, topic: 1, partition: 0), sequence: 9, epoch: 1,
      acquiredAt: 5, payloadByteCount: 1 << 17, metadataByteCount: 0, payloadCRC32C: 0, theta: 0, projection: 0,
      rows: 256, columns: 256, pixel: .uint16)
    let image = try [UInt16](repeating: 300, count: 1 << 16).withUnsafeBytes {
      try #require(BinnedImage($0, rows: 256, columns: 256, pixel: .uint16, byteCountMax: 1 << 20))
    }
    let message = PreviewMessage(header, image, pixel: .uint16, shown: 1, isLast: false)
    let bytes = image.pixels.withUnsafeBytes { message.encode($0, run: Self.run) }
    #expect(bytes[6] == 1 && bytes.count < image.pixels.count / 4)
    #expect(try bytes.withUnsafeBytes { try PreviewMessage.decode($0, run: Self.run).pixels } == image.pixels)
  }
}

/// Messages that are no preview: whole ones, damaged.
private func damaged(_ whole: [UInt8], _ random: inout SplitMix64) -> [UInt8] {
  var bytes = whole
  switch Int.random(in: 0..<4, using: &random) {
  case 0: bytes.removeLast(Int.random(in: 1...bytes.count, using: &random))
  case 1: bytes += [UInt8](repeating: 1, count: Int.random(in: 1...300, using: &random))
  case 2:
    let place = 4 * Int.random(in: 0..<20, using: &random)
    let value: UInt32 = [0, 1, .max, 1 << 31, 0xFFFF, 1 << 16].randomElement(using: &random)!
    withUnsafeBytes(of: value) { bytes.replaceSubrange(place..<place + 4, with: $0) }
  default: bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
  }
  return bytes == whole ? [] : bytes
}

/// Previews, with a real server.
@Suite(.enabled(if: FabricServer.isAvailable, "no nats-server: Tools/fabric gets it"))
struct PreviewStreamTests {
  private let server: FabricServer
  private let edge = Edge(events: 90)
  private var run: RunID { edge.topic.identity.runID }

  init() throws { server = try FabricServer() }

  private func connect() throws -> FabricConnection {
    try FabricConnection(try FabricAddress(server.address), name: "test", patience: .seconds(5))
  }

  @Test func `The newest is there at once, each newer one comes, and servers keep 64 of them`() throws {
    let connection = try connect(), stream = try PreviewStream(connection, run: run)
    #expect(try stream.newest() == nil && PreviewStream.latestRun(connection) == nil)
    try PreviewStream(connection, run: .random()).make()
    try stream.make()
    try stream.make()
    #expect(try stream.newest() == nil && PreviewStream.latestRun(connection) == run)
    for sequence in 2..<86 {
      let byteCount = try stream.send(edge.event(UInt64(sequence)), shown: UInt64(sequence - 1), isLast: false)
      #expect(byteCount.map { $0 <= 80 + 6 * 32 * 2 } == true)
    }
    #expect(try stream.newest()?.projection == 85 && stream.newest()?.skipped == 2)
    let holding = try #require(try FabricHolding.all(connection).first { $0.run == run })
    #expect(holding.streams == 0 && holding.byteCount < 64 * 1024, "\(holding.byteCount)")
    let reader = try PreviewReader(connect(), run: run)
    let first = try #require(try reader.next(timeout: .seconds(5)))
    #expect(first.message.projection == 85 && first.message.rows == 6 && first.message.columns == 32)
    #expect(try reader.next(timeout: .milliseconds(50)) == nil)
    // One that is older is not shown in place of a newer one.
    _ = try stream.send(edge.event(40), shown: 30, isLast: false)
    _ = try stream.send(edge.event(88), shown: 85, isLast: false)
    let next = try #require(try reader.next(timeout: .seconds(5)))
    #expect(next.message.projection == 88 && !next.message.isLast && reader.damaged == 0)
    for _ in 0..<2 { _ = try stream.send(edge.event(88), shown: 85, isLast: true) }
    #expect(try reader.next(timeout: .seconds(5))?.message.isLast == true)
    #expect(try reader.next(timeout: .milliseconds(50)) == nil)
    #expect(next.pixels.count == 6 * 32 && next.pixels.contains { $0 > 0 })
    #expect(try FabricHolding.remove(run, connection) == 0 && stream.newest() == nil)
  }

  @Test func `Servers that are away are told of, and what was shown meanwhile comes when they are back`() throws {
    func show(_ sequence: UInt64) throws {
      let stream = try PreviewStream(connect(), run: run)
      try stream.make()
      _ = try stream.send(edge.event(sequence), shown: 1, isLast: false)
    }
    try show(5)
    let reader = try PreviewReader(connect(), run: run, askPeriod: .milliseconds(100), limit: .seconds(1))
    #expect(try reader.next(timeout: .seconds(5))?.message.projection == 5 && reader.trouble == nil)
    server.kill()
    #expect(try reader.next(timeout: .milliseconds(300)) == nil && reader.trouble != nil)
    try server.start()
    try show(7)
    #expect(try reader.next(timeout: .seconds(20))?.message.projection == 7 && reader.damaged == 0)
    let deadline = Deadline(after: .seconds(10))
    while reader.trouble != nil, !deadline.hasPassed { #expect(try reader.next(timeout: .milliseconds(200)) == nil) }
    #expect(reader.trouble == nil)
    // What is none is counted once, also where it is the newest that there is.
    let connection = try connect()
    #expect(connection.publish(PreviewStream.subject(run), [1, 2, 3]))
    connection.flush()
    #expect(try reader.next(timeout: .milliseconds(600)) == nil && reader.damaged == 1)
  }

  @Test func `Who finds no servers at the beginning says so`() throws {
    let connection = try connect()
    server.kill()
    #expect(throws: FabricError.self) {
      _ = try PreviewReader(connection, run: run, limit: .milliseconds(300)).next(timeout: .milliseconds(100))
    }
  }

  @Test func `Each of 10,000 damaged messages is counted, and a right one among them is shown`() throws {
    let seed: UInt64 = 20_261_202
    var random = SplitMix64(seed: seed)
    let connection = try connect(), stream = try PreviewStream(connection, run: run)
    try stream.make()
    _ = try stream.send(edge.event(5), shown: 1, isLast: false)
    let whole = try #require(try stream.newestBytes())
    let reader = try PreviewReader(connect(), run: run)
    #expect(try reader.next(timeout: .seconds(5))?.message.projection == 5)
    let subject = PreviewStream.subject(run)
    for _ in 0..<10_000 { #expect(connection.publish(subject, damaged(whole, &random))) }
    connection.flush()
    _ = try stream.send(edge.event(6), shown: 2, isLast: false)
    #expect(try reader.next(timeout: .seconds(30))?.message.projection == 6)
    #expect(reader.damaged == 10_000, "seed \(seed)")
  }
}
