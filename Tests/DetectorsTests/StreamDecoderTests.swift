import Host
import Testing

@testable import Detectors

/// What detectors send, and what is taken of it.
@Suite struct StreamDecoderTests {
  private let format = FrameFormat(rows: 2, columns: 3, pixel: .uint16)

  /// Gives the message that the parts are, with a copy of its image's bytes.
  private func decode(_ parts: [UInt8]..., with decoder: StreamDecoder? = nil) throws -> (
    header: FrameHeader, image: [UInt8]
  )? {
    var decoder = decoder ?? StreamDecoder(format: format)
    return try Parts(parts).with { parts in
      switch try decoder.decode(parts) {
      case .frame(let header, let image): (header, Array(image))
      case .other, .series, .end: nil
      }
    }
  }

  private func text(_ text: String) -> [UInt8] { Array(text.utf8) }
  private let pixels: [UInt8] = [1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 1]

  @Test func `An image is described by its header, whatever else that says`() throws {
    let header = text(
      #" {"htype": ["array-1.0"], "shape":[2 , 3],"type":"uint16", "frame": 17, "theta": -1.25e1, "image_key": 1, "#
        + #""timestamp": 12.5, "#
        + #""more": {"a": [1, {"b": "}]\""}], "c": null}, "really": true} "#)
    let (frame, image) = try #require(try decode(header, pixels))
    #expect(
      frame.number == 17 && frame.theta == -12.5 && frame.key == .flat && frame.timestamp == 12.5 && !frame.isBigEndian)
    #expect(image == pixels)
  }

  @Test(arguments: [
    (#""htype":"array-1.0","type":"uint16""#, false), (#""htype":["x","array-1.0"],"type":"<u2""#, false),
    (#""htype":"array-1.0","type":">u2""#, true), (#""htype":"array-1.0","type":"uint16","endianess":"big""#, true),
    (#""htype":"array-1.0","type":"uint16","encoding":"big""#, true),
    (#""htype":"array-1.0","type":"uint16","endianness":"little","theta":null"#, false),
  ])
  func `Types and byte orders are taken as they are written`(fields: String, isBigEndian: Bool) throws {
    let (frame, _) = try #require(try decode(text("{\(fields),\"shape\":[2,3],\"frame\":0}"), pixels))
    #expect(frame.isBigEndian == isBigEndian)
  }

  @Test(arguments: [
    ("", MessageFault.json), ("{", .json), ("[]", .json), ("{}x", .json), (#"{"a" 1}"#, .json), (#"{"a":1,}"#, .json),
    (#"{"a":[}"#, .json),
    (#"{"a":"b}"#, .json), (#"{"a":1e}"#, .json), (#"{"a":-}"#, .json), ("{\"a\":\"\n\"}", .json), (#"{"a":"\"#, .json),
    (#"{"a":\#(String(repeating: "[", count: 99))"#, .json), ("{}", .messageType),
    (#"{"htype":"array-2.0"}"#, .messageType),
    (#"{"htype":7}"#, .field), (#"{"htype":[]}"#, .messageType), (#"{"htype":"array-1.0"}"#, .field),
    (#"{"htype":"array-1.0","shape":[2,3],"type":"uint16"}"#, .field),
    (#"{"htype":"array-1.0","shape":[3,2],"type":"uint16","frame":1}"#, .shape),
    (#"{"htype":"array-1.0","shape":[2,3,1],"type":"uint16","frame":1}"#, .shape),
    (#"{"htype":"array-1.0","shape":[2,-3],"type":"uint16","frame":1}"#, .field),
    (#"{"htype":"array-1.0","shape":[99999999999999999999,3],"type":"uint16","frame":1}"#, .field),
    (#"{"htype":"array-1.0","shape":"2,3","type":"uint16","frame":1}"#, .field),
    (#"{"htype":"array-1.0","shape":[2,3],"type":"uint8","frame":1}"#, .pixel),
    (#"{"htype":"array-1.0","shape":[2,3],"type":"int16","frame":1}"#, .pixel),
    (#"{"htype":"array-1.0","shape":[2,3],"type":16,"frame":1}"#, .pixel),
    (#"{"htype":"array-1.0","shape":[2,3],"type":"uint16","endianness":"middle","frame":1}"#, .pixel),
    (#"{"htype":"array-1.0","shape":[2,3],"type":"uint16","encoding":"zip","frame":1}"#, .encoding),
    (#"{"htype":"array-1.0","shape":[2,3],"type":"uint16","frame":-2147483649}"#, .field),
    (#"{"htype":"array-1.0","shape":[2,3],"type":"uint16","frame":1.5}"#, .field),
    (#"{"htype":"array-1.0","shape":[2,3],"type":"uint16","frame":18446744073709551616}"#, .field),
    (#"{"htype":"array-1.0","shape":[2,3],"type":"uint16","frame":1,"theta":1e999}"#, .field),
    (#"{"htype":"array-1.0","shape":[2,3],"type":"uint16","frame":1,"image_key":4}"#, .field),
  ])
  func `A header that is wrong is named`(header: String, fault: MessageFault) {
    #expect(throws: fault) { _ = try decode(text(header), pixels) }
  }

  @Test func `An image of another size, and a message of other parts, are named`() {
    let header = text(#"{"htype":"array-1.0","shape":[2,3],"type":"uint16","frame":1}"#)
    #expect(throws: MessageFault.size) { _ = try decode(header, Array(pixels.dropLast())) }
    #expect(throws: MessageFault.size) { _ = try decode(header, []) }
    #expect(throws: MessageFault.parts) { _ = try decode(header) }
    #expect(throws: MessageFault.parts) { _ = try decode() }
    #expect(throws: MessageFault.parts) { _ = try decode(header, pixels, pixels) }
    #expect(throws: MessageFault.headerTooLong) { _ = try decode([UInt8](repeating: 0x20, count: 70_000), pixels) }
  }

  @Test(arguments: [
    (
      MessageFault.shape, #"{"htype":"array-1.0","shape":[3,2],"type":"uint16","frame":1}"#,
      "3 × 2 came, 2 × 3 was wanted: rows and columns swapped?"
    ),
    (
      .shape, #"{"htype":"array-1.0","shape":[64,100],"type":"uint16","frame":1}"#,
      "64 × 100 came, 2 × 3 was wanted: --shape says rows,columns"
    ),
    (.shape, #"{"htype":"array-1.0","shape":[1,2,3],"type":"uint16","frame":1}"#, "[1,2,3] came, 2 × 3 was wanted"),
    (
      .pixel, #"{"htype":"array-1.0","shape":[2,3],"type":"int16","frame":1}"#,
      "int16 came, uint16 was wanted: --pixel says which"
    ),
    (.encoding, #"{"htype":"array-1.0","shape":[2,3],"type":"uint16","encoding":"zip","frame":1}"#, "zip came"),
    (.messageType, #"{"htype":"array-2.0"}"#, "htype array-2.0 came"),
    (.field, #"{"htype":"array-1.0","shape":[2,3],"type":"uint16"}"#, "frame missing"),
    (
      .json, "P5 640 480 \u{1} and more of it",
      "2 parts came, of 32 B at most; the first begins with \"P5 640 480 ? and more of \""
    ),
  ])
  func `What came and what was wanted is said`(fault: MessageFault, header: String, words: String) throws {
    try Parts([text(header), pixels]).with { parts in
      var decoder = StreamDecoder(format: format)
      #expect(throws: fault) { _ = try decoder.decode(parts) }
      let said = decoder.words(for: fault, parts)
      #expect(fault == .json ? said?.hasPrefix("2 parts came") == true : said == words, "\(said ?? "")")
    }
  }

  @Test func `So is that of DECTRIS images`() throws {
    func said(_ parts: [[UInt8]], channel: String? = nil) throws -> (MessageFault?, String?) {
      var decoder = StreamDecoder(format: format, channel: channel, series: 5)
      return try Parts(parts).with { parts in
        do throws(MessageFault) {
          _ = try decoder.decode(parts)
          return (nil, nil)
        } catch { return (error, decoder.words(for: error, parts)) }
      }
    }
    let data = text(#"{"htype":"dimage_d-1.0","shape":[2,3],"type":"uint16","encoding":"<","size":12}"#)
    let version1 = try said([text(#"{"htype":"dimage-1.0","series":5,"frame":0}"#), data, pixels])
    #expect(version1 == (.shape, "3 × 2 came, 2 × 3 was wanted: rows and columns swapped?"))
    let older = try said([text(#"{"htype":"dimage-1.0","series":4,"frame":7}"#), data, pixels])
    #expect(older == (.series, "series 4 came, series 5 was wanted"))
    let plane = CBORText.plane(2, 3, tag: 69, .data(pixels)), turned = CBORText.plane(3, 2, tag: 69, .data(pixels))
    #expect(
      try said([CBORText.image(number: 1, channels: [("t", turned)]).bytes])
        == (.shape, "3 × 2 came, 2 × 3 was wanted: rows and columns swapped?"))
    #expect(
      try said([CBORText.image(number: 1, channels: [("t_1", plane), ("t_2", plane)]).bytes])
        == (.channel, "t_1, t_2 came, --channel says which one"))
    #expect(
      try said([CBORText.image(number: 1, channels: [("t", .plane(2, 3, tag: 70, .data(pixels)))]).bytes])
        == (.pixel, "uint32 came, uint16 was wanted: --pixel says which"))
  }

  @Test func `The end of a series says how many images there were, or not`() throws {
    var decoder = StreamDecoder(format: format)
    func end(_ header: String) throws -> UInt64?? {
      try Parts([text(header)]).with { parts in
        if case .end(let count) = try decoder.decode(parts) { count } else { nil }
      }
    }
    #expect(try end(#"{"htype":"array_end-1.0","frames":12}"#) == .some(12))
    #expect(try end(#"{"htype":"array_end-1.0"}"#) == .some(nil))
    #expect(try end(#"{"htype":"dseries_end-1.0","series":3}"#) == .some(nil))
    #expect(throws: MessageFault.field) { _ = try end(#"{"htype":"dseries_end-1.0"}"#) }
  }

  @Test func `A DECTRIS series is its header, its images and its end`() throws {
    var decoder = StreamDecoder(format: format)
    let other = try Parts([text(#"{"htype":"dheader-1.0","series":5,"header_detail":"basic"}"#), text("{}")]).with {
      parts in
      if case .series(5) = try decoder.decode(parts) { true } else { false }
    }
    #expect(other)
    let data = text(#"{"htype":"dimage_d-1.0","shape":[3,2],"type":"uint16","encoding":"<","size":12}"#)
    let times = text(#"{"htype":"dconfig-1.0","start_time":1,"stop_time":2,"real_time":1}"#)
    let head = text(#"{"htype":"dimage-1.0","series":5,"frame":9,"hash":""}"#)
    let (frame, image) = try #require(try decode(head, data, pixels, times, with: decoder))
    #expect(frame.number == 9 && image == pixels && frame.encoding == .none)
    #expect(throws: MessageFault.series) {
      _ = try decode(text(#"{"htype":"dimage-1.0","series":6,"frame":9}"#), data, pixels, times, with: decoder)
    }
    let swapped = text(#"{"htype":"dimage_d-1.0","shape":[2,3],"type":"uint16","encoding":"<","size":12}"#)
    #expect(throws: MessageFault.shape) { _ = try decode(head, swapped, pixels, times, with: decoder) }
    #expect(throws: MessageFault.parts) { _ = try decode(head, data, with: decoder) }
    #expect(throws: MessageFault.messageType) { _ = try decode(head, head, pixels, with: decoder) }
  }

  @Test(arguments: [
    "zmq+pull://127.0.0.1:9999", "zmq+sub://eiger-1.beamline:31001", "zmq+push://[::1]:0", "zmq+pub://localhost:5",
  ])
  func `An address is read and written`(text: String) throws { #expect("\(try StreamAddress(text))" == text) }

  @Test(arguments: [
    "zmq+pull://127.0.0.1", "zmq+pull://:1", "zmq+pull://a:0", "zmq+pull://a:65536", "zmq://a:1", "zmq+pull://a b:1",
    "x.h5",
  ])
  func `What is no address is refused`(text: String) { #expect(throws: StreamError.self) { try StreamAddress(text) } }
}
