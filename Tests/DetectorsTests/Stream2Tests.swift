import Host
import Testing

@testable import Detectors

/// Messages of DECTRIS stream version 2, and what is taken of them.
@Suite struct Stream2Tests {
  private let format = FrameFormat(rows: 2, columns: 3, pixel: .uint16)
  private let pixels: [UInt8] = [1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 1]

  private func decode(_ message: CBORText, channel: String? = nil, series: UInt64? = 5) throws -> (
    header: FrameHeader, pixels: [UInt8]
  )? {
    var decoder = StreamDecoder(format: format, channel: channel, series: series)
    return try Parts([message.bytes]).with { parts in
      guard case .frame(let header, let image) = try decoder.decode(parts) else { return nil }
      let target = UnsafeMutableRawBufferPointer.allocate(byteCount: format.byteCount, alignment: 8)
      defer { target.deallocate() }
      try FrameUnpacker(format: format, rows: 0..<2).unpack(image, header, into: target)
      return (header, Array(target))
    }
  }

  private func image(_ content: CBORText, tag: UInt64 = 69) -> CBORText {
    .image(number: 9, channels: [("threshold_1", .plane(2, 3, tag: tag, content))])
  }

  @Test func `An image is its number, its series and its only channel, whatever else is said`() throws {
    let more: [(String, CBORText)] = [
      ("real_time", .array(.number(1), .number(50_000_000))), ("series_date", .tag(0, .text("2026-11-30T10:00:00Z"))),
      (
        "user_data",
        .openMap([("a", .array(.number(1), CBORText([0xFB, 0x3F, 0xF0, 0, 0, 0, 0, 0, 0]))), ("b", .map([]))])
      ),
      // A string in pieces, a half, null.
      ("c", CBORText([0x7F, 0x61, 0x61, 0x61, 0x62, 0xFF])), ("d", CBORText([0xF9, 0x3C, 0])), ("e", CBORText([0xF6])),
    ]
    let message = CBORText.image(
      number: 9, channels: [("threshold_1", .plane(2, 3, tag: 69, .data(pixels)))], more: more)
    for message in [message, .tag(55_799, message)] {
      let (header, image) = try #require(try decode(message))
      #expect(header.number == 9 && header.series == 5 && image == pixels && !header.isBigEndian)
    }
  }

  @Test func `Pixels come plain, as LZ4 blocks and as blocks of shuffled bits, in either byte order`() throws {
    let swapped = stride(from: 0, to: pixels.count, by: 2).flatMap { [pixels[$0 + 1], pixels[$0]] }
    #expect(try decode(image(.data(swapped), tag: 65))?.pixels == pixels)
    func packed(_ algorithm: String, _ size: UInt64, _ bytes: [UInt8]) -> CBORText {
      .tag(56_500, .array(.text(algorithm), .number(size), .data(bytes)))
    }
    // Two blocks: literals alone, and one that lies there as it is.
    let sizes: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 12, 0, 0, 0, 8]
    let blocks = sizes + [0, 0, 0, 9, 0x80] + pixels[..<8] + [0, 0, 0, 4] + pixels[8...]
    #expect(try decode(image(packed("lz4", 0, blocks)))?.pixels == pixels)
    #expect(try decode(image(packed("lz4", 0, blocks), tag: 65))?.pixels == swapped)
    // Fewer than eight elements lie behind the blocks as they are.
    #expect(try decode(image(packed("bslz4", 2, Array(sizes[..<8]) + [0, 0, 32, 0] + pixels)))?.pixels == pixels)
    for damaged in [blocks.dropLast(), blocks + [0], Array(blocks[..<12])] {
      #expect(throws: MessageFault.compression) { _ = try decode(image(packed("lz4", 0, Array(damaged)))) }
    }
    #expect(throws: MessageFault.encoding) { _ = try decode(image(packed("bslz4", 4, blocks))) }
    #expect(throws: MessageFault.encoding) { _ = try decode(image(packed("bszstd", 2, blocks))) }
  }

  @Test func `Of several channels the one is taken that was said, and none where nothing was`() throws {
    let zeros = [UInt8](repeating: 0, count: 12)
    let both = CBORText.image(
      number: 9,
      channels: [
        ("threshold_1", .plane(2, 3, tag: 69, .data(zeros))), ("threshold_2", .plane(2, 3, tag: 69, .data(pixels))),
      ])
    #expect(throws: MessageFault.channel) { _ = try decode(both) }
    #expect(try decode(both, channel: "threshold_2")?.pixels == pixels)
    #expect(throws: MessageFault.channel) { _ = try decode(both, channel: "threshold_3") }
  }

  @Test func `A message that is wrong is named`() throws {
    let plane = CBORText.plane(2, 3, tag: 69, .data(pixels))
    let wrong: [(MessageFault, CBORText)] = [
      (.cbor, CBORText([0xA1])), (.cbor, CBORText([0xA1, 0x61])), (.cbor, CBORText([0xBF])), (.cbor, .tag(1, plane)),
      (.cbor, CBORText(image(.data(pixels)).bytes + [0])), (.cbor, CBORText([0xBB] + .init(repeating: 0xFF, count: 8))),
      // Deeper than anything, and a length beyond the message.
      (.cbor, .map([("a", CBORText(.init(repeating: 0x81, count: 40) + [0]))])),
      (.cbor, .map([("a", CBORText([0x5B] + .init(repeating: 0xFF, count: 8)))])),
      (.cbor, .map([("a", CBORText([0xFF]))])),
      (.messageType, .map([("series_id", .number(5))])), (.messageType, .map([("type", .text("picture"))])),
      (.field, .map([("type", .text("image"))])),
      (.field, .map([("type", .text("image")), ("series_id", .text("5"))])),
      (.field, .map([("type", .text("image")), ("series_id", .number(5)), ("image_id", .number(1))])),
      (.field, .image(number: 1 << 41, channels: [("t", plane)])), (.field, .image(number: 1, channels: [])),
      (.field, CBORText([0xA1, 0x01, 0x01])),
      (.shape, .image(number: 1, channels: [("t", .plane(3, 2, tag: 69, .data(pixels)))])),
      (.shape, .image(number: 1, channels: [("t", .data(pixels))])),
      (.shape, .image(number: 1, channels: [("t", .tag(40, .array(.array(.number(6)), .tag(69, .data(pixels)))))])),
      (.pixel, image(.data(pixels), tag: 77)), (.pixel, image(.data(pixels), tag: 70)),
      (.pixel, .image(number: 1, channels: [("t", .tag(40, .array(.array(.number(2), .number(3)), .data(pixels))))])),
      (.size, image(.data(Array(pixels.dropLast())))), (.size, image(.data([]))),
      (.encoding, image(.tag(7, .data(pixels)))), (.series, .image(series: 6, number: 3, channels: [("t", plane)])),
    ]
    for (index, (fault, message)) in wrong.enumerated() {
      #expect(throws: fault, "message \(index)") { _ = try decode(message) }
    }
  }
}
