import Detectors
import Host
import Testing

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
      case .other, .end: nil
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
    (#"{"htype":"array-1.0","shape":[2,3],"type":"uint16","frame":-1}"#, .field),
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
      if case .other = try decoder.decode(parts) { true } else { false }
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
  func `An address is read and written`(text: String) throws { #expect(try StreamAddress(text).description == text) }

  @Test(arguments: [
    "zmq+pull://127.0.0.1", "zmq+pull://:1", "zmq+pull://a:0", "zmq+pull://a:65536", "zmq://a:1", "zmq+pull://a b:1",
    "x.h5",
  ])
  func `What is no address is refused`(text: String) { #expect(throws: StreamError.self) { try StreamAddress(text) } }
}
