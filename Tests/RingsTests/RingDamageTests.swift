import Glibc
import Host
import Rings
import Testing

@Suite struct RingDamageTests {
  @Test func `every flipped bit of the region's immutable header is refused`() throws {
    let ring = try TemporaryRing()
    let region = try SharedRegion.attach(name: ring.name)
    for bit in 0..<8 * 128 {
      region.flip(bit)
      #expect(throws: RingError.self, "bit \(bit)") { try ring.attach() }
      region.flip(bit)
    }
    _ = try ring.attach()
  }

  @Test func `a flipped bit of a control word or a reader's line does no harm beyond an error`() throws {
    for word in [16, 32, 48, 64, 80, 81, 96, 512, 513] {
      for bit in 0..<64 {
        let ring = try TemporaryRing(slotCount: 2)
        let writer = try ring.writer()
        let reader = try RingReader(ring: ring.ring, reader: 0)
        for value in 0..<2 as Range<UInt64> { try writer.append(value) }
        _ = try reader.next(timeout: .zero)
        try SharedRegion.attach(name: ring.name).flip(64 * word + bit)
        exercise(ring, writer, reader)
      }
    }
  }

  @Test func `every flipped bit of a slot's header, metadata and payload is found`() throws {
    let ring = try TemporaryRing(payloadCapacity: 64)
    let writer = try ring.writer()
    try writer.append(1)
    let region = try SharedRegion.attach(name: ring.name)
    let reader = try RingReader(ring: ring.ring, reader: 0)
    let header = 8192
    for bit in 8 * header..<8 * (header + 128) {
      region.flip(bit)
      #expect(throws: RingError.self, "bit \(bit)") { try reader.event(at: 0) }
      region.flip(bit)
    }
    for byte in Array(header + 128..<header + 136) + Array(header + 4096..<header + 4104) {
      for bit in 8 * byte..<8 * byte + 8 {
        region.flip(bit)
        #expect(throws: RingError.self, "bit \(bit)") { try reader.verifyPayload(try reader.event(at: 0)) }
        region.flip(bit)
      }
    }
    try reader.verifyPayload(try reader.event(at: 0))
  }

  @Test func `the metadata of an event without payload is checked on reading`() throws {
    let ring = try TemporaryRing(payloadCapacity: 0)
    let writer = try ring.writer()
    let claim = try writer.claim(timeout: .zero)
    claim.metadata.storeBytes(of: 5, as: UInt8.self)
    try writer.commit(claim, EventFields(kind: .command, metadataByteCount: 1))
    try SharedRegion.attach(name: ring.name).flip(8 * (8192 + 128))
    let reader = try RingReader(ring: ring.ring, reader: 0)
    #expect(throws: RingError.damaged(ring: ring.name, sequence: 0, reason: "the checksum of its payload is wrong")) {
      try reader.next(timeout: .zero)
    }
  }

  @Test func `random bytes over the whole ring are never more than an error`() throws {
    let seed: UInt64 = 0x51_1A
    var random = SplitMix64(seed: seed)
    for round in 0..<300 {
      let ring = try TemporaryRing(slotCount: 3, payloadCapacity: 64)
      let writer = try ring.writer()
      let reader = try RingReader(ring: ring.ring, reader: 0)
      for value in 0..<3 as Range<UInt64> { try writer.append(value) }
      let region = try SharedRegion.attach(name: ring.name)
      for _ in 0..<Int.random(in: 1...2000, using: &random) {
        region.base.storeBytes(
          of: random.next(), toByteOffset: 8 * Int.random(in: 0..<region.byteCount / 8, using: &random), as: UInt64.self
        )
      }
      exercise(ring, writer, reader)
      // An event that still passes every check is the one that was written.
      for sequence in 0..<3 as Range<UInt64> {
        guard let event = try? reader.event(at: sequence), (try? reader.verifyPayload(event)) != nil else { continue }
        #expect(event.value == sequence, "seed \(seed), round \(round)")
      }
    }
  }

  @Test func `a ring of another run, topic or partition is refused`() throws {
    let ring = try TemporaryRing()
    for identity in [
      RingIdentity(runID: .random(), topic: 1, partition: 0),
      RingIdentity(runID: ring.identity.runID, topic: 2, partition: 0),
      RingIdentity(runID: ring.identity.runID, topic: 1, partition: 1),
    ] {
      #expect(throws: RingError.self) { try Ring.attach(name: ring.name, expecting: identity) }
    }
  }

  @Test func `a name that is taken is not taken over`() throws {
    let ring = try TemporaryRing()
    #expect(throws: RingError.host(.regionTaken(name: ring.name))) {
      try Ring.create(name: ring.name, specification: ring.ring.specification)
    }
    _ = try ring.attach()
  }

  @Test func `a region that was cut short is refused`() throws {
    let ring = try TemporaryRing()
    for byteCount in [ring.ring.specification.slotStride * 4, 4096] {
      #expect(truncate("/dev/shm/" + ring.name, byteCount) == 0)
      #expect(throws: RingError.self) { try ring.attach() }
    }
    #expect(truncate("/dev/shm/" + ring.name, 8192 + 8 * ring.ring.specification.slotStride) == 0)
  }

  @Test func `a ring larger than shared memory is a clear error and leaves nothing`() throws {
    let name = "slipring-test-\(RunID.random())"
    let specification = RingSpecification(
      runID: .random(), topic: 1, slotCount: 1 << 20, payloadCapacity: 1 << 30, requiredReaders: 0)
    let needed = try #require(specification.regionByteCount)
    let error = #expect(throws: RingError.self) { try Ring.create(name: name, specification: specification) }
    guard case .host(.noSharedMemory(name: name, needed: needed, free: _)) = error else {
      Issue.record("it was \(String(describing: error))")
      return
    }
    #expect(try SharedRegion.names(prefix: name) == [])
  }

  @Test func `figures beyond the limits are refused before anything is made`() {
    for (slotCount, payloadCapacity, readers) in [
      (0, 0, 0), (Int.max, 0, 0), (1, Int.max, 0), (1, -1, 0), (1 << 24, 1 << 40, 33),
    ] {
      let specification = RingSpecification(
        runID: .random(), topic: 1, slotCount: slotCount, payloadCapacity: payloadCapacity, requiredReaders: readers)
      #expect(specification.regionByteCount == nil)
      #expect(throws: RingError.self) { try Ring.create(name: "slipring-test-limits", specification: specification) }
    }
  }

  /// Uses everything once; errors are what is expected, a crash or an endless wait is not.
  private func exercise(_ ring: TemporaryRing, _ writer: RingWriter, _ reader: RingReader) {
    let steps: [() throws -> Void] = [
      { _ = try reader.next(timeout: .zero) }, { try reader.release(upTo: reader.position) }, { try writer.append(2) },
      { try writer.append(3) },
      { _ = try reader.event(at: 1) }, { try reader.hold(from: 1) }, { _ = try RingObserver(ring: ring.ring).latest() },
      { _ = try ring.attach() }, { _ = try RingReader(ring: ring.ring, reader: 0).next(timeout: .microseconds(1)) },
      { try ring.ring.voidClaims(ofEpoch: 0) }, { try ring.writer().append(4) }, { _ = ring.ring.progress },
    ]
    for step in steps { do { try step() } catch {} }
  }
}

extension SharedRegion {
  /// Flips one bit, counted from the region's first byte.
  fileprivate func flip(_ bit: Int) {
    let byte = base.load(fromByteOffset: bit / 8, as: UInt8.self)
    base.storeBytes(of: byte ^ 1 << (bit % 8), toByteOffset: bit / 8, as: UInt8.self)
  }
}
