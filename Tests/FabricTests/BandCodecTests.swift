import Glibc
import Host
import Rings
import TestSupport
import Testing

@testable import Fabric

/// A message with right checksums of what is in it: who made it meant it.
private func signed(_ bytes: [UInt8]) -> [UInt8] {
  func store(_ sum: UInt32, at offset: Int, in bytes: inout [UInt8]) {
    withUnsafeBytes(of: sum.littleEndian) { bytes.replaceSubrange(offset..<offset + 4, with: $0) }
  }
  var bytes = bytes
  store(checksum(bytes[192...]), at: 168, in: &bytes)
  store(checksum(bytes[128..<188]), at: 188, in: &bytes)
  return bytes
}

/// CRC32C bit by bit.
private func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
  ~bytes.reduce(UInt32.max) { sum, byte in
    (0..<8).reduce(sum ^ UInt32(byte)) { sum, _ in sum >> 1 ^ (sum & 1 == 1 ? 0x82F6_3B78 : 0) }
  }
}

/// Messages whose rows are packed.
@Suite struct BandCodecTests {
  private let edge = Edge(bits: 7)
  /// Noise in every bit.
  private let noisy = Edge(bits: 16)

  private func encode(_ edge: Edge, _ sequence: UInt64, _ granule: Int) throws -> [UInt8] {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: BandMessage.byteCountMax, alignment: 64)
    defer { buffer.deallocate() }
    return [UInt8](
      try BandMessage.encode(
        edge.event(sequence), metadata: nil, granule: granule, in: edge.granules, epoch: 9, packs: true, into: buffer))
  }

  /// The rows that a message unpacks to, or what is wrong with it.
  private func rows(
    _ bytes: [UInt8], _ granule: Int, rules: FabricRules = FabricRules()
  ) -> Result<[UInt8], BandMessage.Fault> {
    bytes.withUnsafeBytes { bytes in
      Result { () throws(BandMessage.Fault) in
        var message = try BandMessage(
          bytes, of: edge.topic, granule: granule, in: edge.granules, owner: nil, rules: rules)
        try message.unpack(rules: rules)
        return [UInt8](message.payload)
      }
    }
  }

  @Test func `Packed rows come back, and those that get no smaller are sent as they are`() throws {
    for granule in 0..<edge.granules.count {
      let bytes = try encode(edge, 5, granule), plain = edge.rows(edge.granules[granule], of: 5)
      #expect(bytes.count < 192 + 40 + plain.count * 7 / 10 && bytes[134] == 1)
      #expect(rows(bytes, granule) == .success(plain))
    }
    let bytes = try encode(noisy, 5, 1)
    #expect(bytes.count == 192 + 40 + 4 * 64 * 2 && bytes[134] == 0 && bytes[184..<188].allSatisfy { $0 == 0 })
    let end = try encode(edge, edge.count - 1, 2)
    #expect(end.count == 192 + 40 && end[134] == 0)
  }

  @Test func `Rows that were unpacked once are there, also in memory that is used again`() throws {
    let memory = RowsMemory(4096)
    for sequence in 3..<6 as Range<UInt64> {
      let bytes = try encode(edge, sequence, 2)
      try bytes.withUnsafeBytes { bytes in
        var message = try BandMessage(bytes, of: edge.topic, granule: 2, in: edge.granules, owner: nil)
        #expect(try message.unpack(into: memory) === memory)
        #expect(try message.unpack() == nil && [UInt8](message.payload) == edge.rows(edge.granules[2], of: sequence))
      }
    }
  }

  @Test(arguments: [1, 2, 3, 4] as [UInt64])
  func `No damage of a packed message crashes, and none passes`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let small = Edge(rows: 12, each: 4, columns: 16, bits: 5, run: edge.topic.identity.runID)
    let topic = small.topic, granules = small.granules
    let whole = try (0..<3).map { try encode(small, 3 + UInt64($0), $0) }
    let right = (0..<3).map { small.rows(granules[$0], of: 3 + UInt64($0)) }
    var found: [BandMessage.Fault: Int] = [:], harmless = 0
    for number in 0..<26_000 {
      let granule = number % 3
      var bytes = whole[granule]
      #expect(bytes[134] == 1)
      switch Int.random(in: 0..<6, using: &random) {
      case 0: bytes.removeLast(Int.random(in: 1...bytes.count, using: &random))
      case 1: bytes += (0..<Int.random(in: 1...300, using: &random)).map { UInt8(truncatingIfNeeded: $0 | 1) }
      case 2:
        // Sizes that are likely to be taken for something.
        let place = [152, 160, 156, 164, 134, 184].randomElement(using: &random)!
        let value: UInt32 = [0, 1, .max, 1 << 31, 1 << 20, 127, 128, 129].randomElement(using: &random)!
        withUnsafeBytes(of: value) { bytes.replaceSubrange(place..<place + 4, with: $0) }
      case 3:
        for place in 232..<bytes.count { bytes[place] = UInt8.random(in: 0...255, using: &random) }
      default:
        let place = Int.random(in: 128..<bytes.count, using: &random)
        bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      }
      if bytes == whole[granule] { continue }
      // Most reach what looks at sizes, and unpacks.
      if bytes.count > 192, Int.random(in: 0..<4, using: &random) > 0 { bytes = signed(bytes) }
      let result = bytes.withUnsafeBytes { bytes -> BandMessage.Fault? in
        do throws(BandMessage.Fault) {
          var message = try BandMessage(bytes, of: topic, granule: granule, in: granules, owner: nil)
          try message.unpack()
          // The same pixels, packed otherwise, or by another publisher.
          #expect(message.payload.elementsEqual(right[granule]), "seed \(seed), message \(number)")
          return nil
        } catch { return error }
      }
      if let result { found[result, default: 0] += 1 } else { harmless += 1 }
    }
    #expect(found[.packing, default: 0] > 2000 && found[.checksum, default: 0] > 1000, "\(found)")
    #expect(found[.value, default: 0] > 500 && found[.length, default: 0] > 500, "\(found)")
    #expect(harmless < 4000, "\(harmless)")
  }

  @Test func `Without the checksum of the rows others pass`() throws {
    var bytes = try encode(edge, 4, 0)
    bytes[184] ^= 1
    bytes = signed(bytes)
    #expect(rows(bytes, 0) == .failure(.packing))
    var rules = FabricRules()
    rules.checksRows = false
    #expect(rows(bytes, 0, rules: rules) == .success(edge.rows(edge.granules[0], of: 4)))
  }

  @Test func `Sizes beyond a message are refused before anything is made for them`() throws {
    // One granule of rows that would have 2 GiB, all in one small message.
    let wide = Granules(rows: 4, each: 4)
    let columns: UInt32 = 1 << 28
    var bytes = try encode(edge, 4, 0)
    func store<Number: FixedWidthInteger>(_ value: Number, at offset: Int) {
      withUnsafeBytes(of: value.littleEndian) { bytes.replaceSubrange(offset..<offset + $0.count, with: $0) }
    }
    let header = edge.event(4).header
    let forged = EventHeader(
      kind: .projection, identity: header.identity, sequence: 4, epoch: 1, acquiredAt: 1,
      payloadByteCount: 4 * Int(columns) * 2, metadataByteCount: header.metadataByteCount, payloadCRC32C: 7, theta: 0,
      projection: 4, rows: 4, columns: columns, pixel: .uint16)
    bytes.withUnsafeMutableBytes { forged.encode(into: $0) }
    store(UInt64(4 * Int(columns) * 2), at: 160)
    bytes = signed(bytes)
    let fault = bytes.withUnsafeBytes { bytes -> BandMessage.Fault? in
      do throws(BandMessage.Fault) {
        _ = try BandMessage(bytes, of: edge.topic, granule: 0, in: wide, owner: nil)
        return nil
      } catch { return error }
    }
    #expect(fault == .length)
  }

  @Test func `A stream that gets no smaller is tried now and then only`() {
    var trial = PackingTrial()
    var tried = 0
    for _ in 0..<1000 where trial.isDue() {
      tried += 1
      trial.note(plain: 3200, stored: 3199)
    }
    #expect((30...50).contains(tried))
    // One that does is tried each time again.
    while !trial.isDue() {}
    trial.note(plain: 3200, stored: 2000)
    let isEach = (0..<8).allSatisfy { _ in
      defer { trial.note(plain: 3200, stored: 3000) }
      return trial.isDue()
    }
    #expect(isEach)
  }
}

/// The same through servers.
@Suite(.enabled(if: FabricServer.isAvailable, "no nats-server: Tools/fabric gets it"))
struct PackedStreamTests {
  private let server: FabricServer
  private let edge = Edge(columns: 512, events: 40, bits: 9)

  init() throws { server = try FabricServer() }

  private func connect() throws -> FabricConnection {
    try FabricConnection(try FabricAddress(server.address), name: "test", patience: .seconds(5))
  }

  @Test func `Packed and plain messages of one stream are read alike, replayed and verified`() throws {
    let publisher = try edge.publisher(try connect()), service = try edge.replayService(try connect())
    for end in [10, 20, 30, 40] as [UInt64] {
      publisher.packs.toggle()
      try publish(publisher, edge, through: end)
    }
    // 20 events, each with three granules: of nine bits of noise in sixteen.
    #expect(publisher.counts.packed == 60)
    #expect((0.3...0.45).contains(Double(publisher.counts.saved) / Double(60 * 4 * 512 * 2)))
    service.packs = true
    let streams = publisher.streams
    struct Lost: Encodable { let seq: UInt64 }
    for sequence in [6, 16] as [UInt64] {
      _ = try JetStream(try connect()).ask(
        .init(
          subject: "$JS.API.STREAM.MSG.DELETE.\(edge.topic.stream(1))", body: JetStream.encode(Lost(seq: sequence)),
          what: "a loss"))
    }
    let reader = try edge.reader(try connect(), 0..<3)
    try expectRead(reader, edge, 0..<3, service: service)
    #expect(reader.counts.replayed == 2 && reader.counts.damaged == 0)
    let check = try StreamCheck(try connect(), topic: edge.topic, granules: edge.granules)
    try check.run(
      edge: { $0 < edge.count ? (edge.event($0).header, edge.event($0).payload) : nil }, stopRequested: {})
    #expect(check.findings.map(\.sequence) == [5, 15] && check.messages == 118)
    #expect(try streams.states().allSatisfy { $0?.last == 40 })
  }

  @Test func `A publisher that packs takes over from one that did not, and the other way round`() throws {
    for packs in [false, true, false] {
      let publisher = try edge.publisher(try connect())
      publisher.packs = packs
      try publish(publisher, edge, through: packs ? 20 : 10)
      #expect(publisher.counts.replaced == 0)
    }
    let publisher = try edge.publisher(try connect())
    try publish(publisher, edge)
    #expect(publisher.counts.replaced == 0)
    try expectRead(try edge.reader(try connect(), 0..<3), edge, 0..<3)
  }

  @Test func `A packed message of somebody else, with right checksums, is a hole, and the edge is asked`() throws {
    let publisher = try edge.publisher(try connect())
    publisher.packs = true
    try publish(publisher, edge, through: 5)
    var bytes = try #require(try publisher.streams.messages([(1, 3)])[0])
    #expect(bytes[134] == 1)
    bytes[bytes.count - 20] ^= 0x55
    bytes = signed(bytes)
    let connection = try connect()
    // The stream has it in place of the edge's.
    try publisher.streams.remove([1])
    _ = try publisher.synchronise()
    for sequence in 0..<5 as Range<UInt64> {
      let message = sequence == 3 ? bytes : try encoded(sequence)
      #expect(connection.publish(edge.topic.subject(1), message))
    }
    connection.flush()
    for _ in 0..<100 where try publisher.streams.states()[1]?.last != 5 { usleep(20_000) }
    let reader = try edge.reader(connection, 1..<2), service = try edge.replayService(connection)
    try expectRead(reader, edge, 1..<2, through: 5, service: service)
    #expect(reader.counts.damaged == 1 && reader.newestFault == .packing && reader.counts.replayed >= 1)
  }

  private func encoded(_ sequence: UInt64) throws -> [UInt8] {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: BandMessage.byteCountMax, alignment: 64)
    defer { buffer.deallocate() }
    return [UInt8](
      try BandMessage.encode(
        edge.event(sequence), metadata: nil, granule: 1, in: edge.granules, epoch: 9, packs: true, into: buffer))
  }
}
