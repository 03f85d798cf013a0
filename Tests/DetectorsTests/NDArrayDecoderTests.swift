import Detectors
import Host
import Testing

/// What process variables of EPICS hold, and what is taken of it.
@Suite struct NDArrayDecoderTests {
  private static let seeds = 100_000
  private let format = FrameFormat(rows: 2, columns: 3, pixel: .uint16)
  private let pixels: [UInt8] = [1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 1]

  /// A sound update, changed by `change`, with these bytes in memory of their own.
  private func with<Result>(
    _ bytes: [UInt8], _ change: (inout NDArrayUpdate) -> Void = { _ in }, _ body: (NDArrayUpdate) throws -> Result
  ) throws -> Result {
    try Parts([bytes]).with { parts in
      var update = NDArrayUpdate()
      (update.number, update.dimensionCount, update.dimensions) = (7, 2, (3, 2))
      (update.element, update.bytes) = (.uint16, parts[0])
      change(&update)
      return try body(update)
    }
  }

  @Test func `An image is described by its number, time and attributes`() throws {
    let change = { (update: inout NDArrayUpdate) in
      (update.timestamp, update.theta, update.imageKey) = (.number(1.7e9), .number(-12.5), .number(1))
    }
    let (header, image) = try #require(
      try with(pixels, change) { try NDArrayDecoder(format: format).decode($0).map { ($0.header, Array($0.image)) } })
    #expect(
      header.number == 7 && header.theta == -12.5 && header.key == .flat && header.timestamp == 1.7e9
        && header.encoding == .none)
    #expect(!header.isBigEndian && image == pixels)
  }

  @Test func `Every pixel of a scan has its elements, and no others`() throws {
    for pixel in PixelType.allCases {
      let decoder = NDArrayDecoder(format: FrameFormat(rows: 2, columns: 3, pixel: pixel))
      let taken = try NDArrayUpdate.Element.allCases.filter { element in
        try with([UInt8](repeating: 0, count: 6 * pixel.byteCount), { $0.element = element }) { update in
          do throws(MessageFault) { return try decoder.decode(update) != nil } catch {
            #expect(error == .pixel)
            return false
          }
        }
      }
      #expect(taken.map { "\($0)" } == [pixel.rawValue])
    }
  }

  @Test func `A variable that has held no image yet is not at fault`() throws {
    #expect(try NDArrayDecoder(format: format).decode(NDArrayUpdate()) == nil)
  }

  private static let wrong: [(MessageFault, @Sendable (inout NDArrayUpdate) -> Void)] = [
    (.number, { $0.number = -1 << 32 }), (.number, { $0.number = .max }), (.shape, { $0.dimensions = (2, 3) }),
    (.shape, { $0.dimensions = (3, -2) }),
    (.shape, { $0.dimensions = (.max, .max) }), (.shape, { $0.dimensionCount = 0 }),
    (.shape, { $0.dimensionCount = 3 }),
    (.shape, { $0.dimensionCount = .max }), (.pixel, { $0.element = nil }), (.pixel, { $0.element = .int16 }),
    (.size, { $0.bytes = UnsafeRawBufferPointer(rebasing: $0.bytes.dropLast()) }),
    (.size, { $0.bytes = UnsafeRawBufferPointer(start: nil, count: 0) }), (.encoding, { $0.codec = "jpeg" }),
    (.encoding, { $0.codec = "LZ4" }),
    (.pixel, { $0.codec = "lz4" }), (.pixel, { ($0.codec, $0.element) = ("lz4", .uint8) }),
    (.pixel, { ($0.codec, $0.element, $0.codecParameter) = ("lz4", .uint8, .number(2)) }),
    (
      .size,
      {
        ($0.codec, $0.element, $0.codecParameter, $0.bytes) = ("bslz4", .int8, .number(6), .init(start: nil, count: 0))
      }
    ),
    (.field, { $0.theta = .other }), (.field, { $0.theta = .number(.nan) }), (.field, { $0.imageKey = .number(0.5) }),
    (.field, { $0.imageKey = .number(4) }), (.field, { $0.imageKey = .number(1e300) }),
    (.field, { $0.imageKey = .other }),
  ]

  @Test(arguments: wrong.indices) func `An update that is wrong is named`(index: Int) {
    let (fault, change) = Self.wrong[index]
    #expect(throws: fault) { try with(pixels, change) { _ = try NDArrayDecoder(format: format).decode($0) } }
  }

  @Test func `A clock that says nonsense is passed over`() throws {
    for reading in [NDArrayUpdate.Reading.other, .number(.infinity)] {
      #expect(
        try with(pixels, { $0.timestamp = reading }) { try NDArrayDecoder(format: format).decode($0)?.header.timestamp }
          == nil)
    }
  }

  /// An LZ4 block of literals alone.
  private func literals(_ bytes: some Collection<UInt8>) -> [UInt8] {
    let rest = bytes.count - 15
    return [rest < 0 ? UInt8(bytes.count) << 4 : 0xF0]
      + (rest < 0 ? [] : [UInt8](repeating: 255, count: rest / 255) + [UInt8(rest % 255)])
      + bytes
  }

  /// Bit plane after bit plane of 16-bit elements.
  private func shuffled(_ block: ArraySlice<UInt8>) -> [UInt8] {
    let (bytes, count) = (Array(block), block.count / 2)
    var planes = [UInt8](repeating: 0, count: bytes.count)
    for (bit, element) in (0..<16).flatMap({ bit in (0..<count).map { (bit, $0) } }) {
      planes[bit * count / 8 + element / 8] |=
        (bytes[2 * element + bit / 8] >> UInt8(bit % 8) & 1) << UInt8(element % 8)
    }
    return planes
  }

  private func bigEndian(_ number: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: number.bigEndian) { Array($0) }
  }

  @Test
  func
    `Compressed images unpack to what was compressed: lz4, and bslz4 with and without sizes before the first block`()
    throws
  {
    // A block of 8 KiB, a shorter one, and five elements that are not shuffled.
    let format = FrameFormat(rows: 65, columns: 69, pixel: .uint16)
    var random = SplitMix64(seed: 5)
    let image = (0..<format.byteCount).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    let blocks = [image[..<8192], image[8192..<8960]].flatMap { block in
      let packed = literals(shuffled(block))
      return bigEndian(UInt32(packed.count)) + packed
    }
    let bare = blocks + image[8960...]
    for (codec, bytes) in [
      ("lz4", literals(image)), ("bslz4", bare),
      ("bslz4", bigEndian(UInt64(image.count)) + bigEndian(UInt32(8192)) + bare),
    ] {
      let unpacked = try with(
        bytes,
        {
          ($0.codec, $0.element, $0.codecParameter) = (codec, .uint8, .number(6))
          $0.dimensions = (69, 65)
        }
      ) { update in
        let (header, packed, _) = try #require(try NDArrayDecoder(format: format).decode(update))
        var rows = [UInt8](repeating: 0, count: 2 * 69 * 2)
        try rows.withUnsafeMutableBytes {
          try FrameUnpacker(format: format, rows: 60..<62).unpack(packed, header, into: $0)
        }
        return rows
      }
      #expect(unpacked == Array(image[60 * 69 * 2..<62 * 69 * 2]), "\(codec)")
    }
  }

  @Test func `Every drawn update is taken or named, and what is taken unpacks or is named`() throws {
    let seed: UInt64 = 20_261_121
    var random = SplitMix64(seed: seed)
    let decoder = NDArrayDecoder(format: format)
    let unpacker = FrameUnpacker(format: format, rows: 0..<2)
    let target = UnsafeMutableRawBufferPointer.allocate(byteCount: 12, alignment: 64)
    defer { target.deallocate() }
    var (taken, unpacked, faults) = (0, 0, Set<MessageFault>())
    for round in 0..<Self.seeds {
      do {
        try withDrawn(&random) { update in
          guard let (header, image, _) = try decoder.decode(update) else { return }
          taken += 1
          #expect(
            header.theta?.isFinite != false && header.timestamp?.isFinite != false, "seed \(seed), round \(round)")
          try unpacker.unpack(image, header, into: target)
          unpacked += 1
        }
      } catch let fault as MessageFault {
        faults.insert(fault)
      }
    }
    // Every branch was there, not only the first check.
    #expect(
      taken > Self.seeds / 50 && unpacked > Self.seeds / 100 && faults.count >= 7, "\(taken), \(unpacked), \(faults)")
  }

  /// An update of fields that are mostly sound.
  private func withDrawn(_ random: inout SplitMix64, _ body: (NDArrayUpdate) throws -> Void) throws {
    func draw<Value>(_ sound: Value, _ others: [Value]) -> Value {
      random.next() % 4 > 0 ? sound : others[Int(random.next() % UInt64(others.count))]
    }
    let codec = draw("", ["lz4", "bslz4", "jpeg", "\u{0}"])
    let packed =
      codec == "bslz4" ? [0, 0, 0, 0, 0, 0, 0, 12, 0, 0, 0, 16] + pixels : codec == "lz4" ? literals(pixels) : pixels
    var bytes = draw(packed, [[], Array(packed.dropLast()), packed + packed, [UInt8](repeating: 255, count: 40)])
    if !bytes.isEmpty, random.next() % 2 == 0 {
      bytes[Int(random.next() % UInt64(bytes.count))] ^= 1 << UInt8(random.next() % 8)
    }
    let readings: [NDArrayUpdate.Reading] = [
      .number(2), .number(-1), .number(.nan), .number(1e300), .number(0.5), .other,
    ]
    let numbers: [Int64] = [-1, 0, 2, 1 << 40, 1 << 41, .min, .max]
    let change = { (update: inout NDArrayUpdate) in
      update.number = draw(7, numbers)
      update.dimensionCount = draw(2, [0, 1, 3, .max])
      update.dimensions = (draw(3, numbers), draw(2, numbers))
      update.element = draw(codec.isEmpty ? .uint16 : .uint8, [nil] + NDArrayUpdate.Element.allCases)
      (update.codec, update.codecParameter) = (codec, draw(codec.isEmpty ? .none : .number(6), readings))
      (update.timestamp, update.theta, update.imageKey) = (
        draw(.none, readings), draw(.none, readings), draw(.none, readings)
      )
    }
    try with(bytes, change, body)
  }

  @Test(arguments: ["pva://13SIM1:Pva1:Image", "pva://a", "pva://$(P){R}<x>/1.VAL"])
  func `An address is read and written`(text: String) throws { #expect(try PVAccessAddress(text).description == text) }

  @Test(arguments: ["pva://", "pva://a b", "pva://é", "ca://x", "x.h5", "pva://" + String(repeating: "x", count: 256)])
  func `What is no address is refused`(text: String) { #expect(throws: StreamError.self) { try PVAccessAddress(text) } }
}
