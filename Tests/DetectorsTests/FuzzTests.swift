import Detectors
import Host
import Testing

/// Messages that are damaged in every way: each is taken or named, and nothing outside its bytes is read.
@Suite struct FuzzTests {
  private static let seeds = 100_000
  private let format = FrameFormat(rows: 4, columns: 6, pixel: .uint16)

  /// Sound messages of all kinds, to be damaged.
  private let sound: [[[UInt8]]] = {
    let image = [UInt8](repeating: 7, count: 48)
    // A literal run of 48 bytes, and 24 of them in a block of shuffled bits.
    let packed: [UInt8] = [0xF0, 33] + image
    let shuffled: [UInt8] =
      [0, 0, 0, 0, 0, 0, 0, 48, 0, 0, 0, 16] + Array([[0, 0, 0, 18, 0xF0, 1] + image[..<16]].cycled(3))
    func dectris(_ encoding: String, _ data: [UInt8]) -> [[UInt8]] {
      [
        Array(#"{"htype":"dimage-1.0","series":1,"frame":3,"hash":"fc67f000d08fe6b380ea9434b8362d22"}"#.utf8),
        Array(
          #"{"htype":"dimage_d-1.0","shape":[6,4],"type":"uint16","encoding":"\#(encoding)","size":\#(data.count)}"#
            .utf8), data,
        Array(#"{"htype":"dconfig-1.0","start_time":834759834759,"stop_time":834759834769,"real_time":10}"#.utf8),
      ]
    }
    let sizes: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 48, 0, 0, 0, 48]
    func stream2(_ content: CBORText) -> [UInt8] {
      CBORText.image(
        series: 1, number: 3, channels: [("a", .plane(4, 6, tag: 69, content))], more: [("x", .array(.text("y")))]
      ).bytes
    }
    return [
      [
        Array(
          #"{"htype":["array-1.0"],"shape":[4,6],"type":"uint16","frame":3,"theta":1.5,"image_key":0,"timestamp":1e9,"x":{"y":[1,"\""]}}"#
            .utf8),
        image,
      ], [Array(#"{"htype":"array_end-1.0","frames":12}"#.utf8)],
      [Array(#"{"htype":"dheader-1.0","series":1,"header_detail":"basic"}"#.utf8), Array("{}".utf8)],
      [Array(#"{"htype":"dseries_end-1.0","series":1}"#.utf8)], dectris("<", image), dectris("lz4<", packed),
      dectris("bs16-lz4<", shuffled),
      [CBORText.map([("type", .text("start")), ("series_id", .number(1)), ("channels", .array(.text("a")))]).bytes],
      [stream2(.data(image))], [stream2(.tag(56_500, .array(.text("bslz4"), .number(2), .data(shuffled))))],
      [stream2(.tag(56_500, .array(.text("lz4"), .number(0), .data(sizes + [0, 0, 0, 48] + image))))],
      [CBORText.openMap([("type", .text("end")), ("series_id", .number(1))]).bytes],
    ]
  }()

  private let marks = Array("{}[]\",:-0129.eE \\\u{0}".utf8)

  /// Changes, cuts, lengthens, repeats, leaves out.
  private func damage(_ message: inout [[UInt8]], _ random: inout SplitMix64) {
    for _ in 0...random.next() % 3 {
      guard !message.isEmpty else { return }
      let part = Int(random.next() % UInt64(message.count))
      let at = message[part].isEmpty ? 0 : Int(random.next() % UInt64(message[part].count))
      switch random.next() % 8 {
      case 0 where !message[part].isEmpty: message[part][at] ^= 1 << UInt8(random.next() % 8)
      case 1 where !message[part].isEmpty: message[part][at] = marks[Int(random.next() % UInt64(marks.count))]
      case 2: message[part].removeSubrange(at...)
      case 3: message[part].insert(contentsOf: Array("\(Int64(bitPattern: random.next()))".utf8), at: at)
      case 4: message[part] += message[part].prefix(Int(random.next() % 64))
      case 5: message.remove(at: part)
      case 6: message.append(message[part])
      default: message[part].removeSubrange(at..<min(message[part].count, at + Int(random.next() % 8)))
      }
    }
  }

  @Test func `Every damaged message is taken or named, and what is taken unpacks or is named`() throws {
    var random = SplitMix64(seed: 20_261_121)
    var decoder = StreamDecoder(format: format)
    let (whole, part) = (FrameUnpacker(format: format, rows: 0..<4), FrameUnpacker(format: format, rows: 1..<3))
    let target = UnsafeMutableRawBufferPointer.allocate(byteCount: 48, alignment: 64)
    defer { target.deallocate() }
    var (taken, unpacked, faults) = (0, 0, Set<MessageFault>())
    for seed in 0..<Self.seeds {
      var message = sound[seed % sound.count]
      if seed >= sound.count { damage(&message, &random) }
      do {
        try Parts(message).with { parts in
          guard case .frame(let header, let image) = try decoder.decode(parts) else { return }
          taken += 1
          try whole.unpack(image, header, into: target)
          try part.unpack(image, header, into: UnsafeMutableRawBufferPointer(rebasing: target[..<24]))
          unpacked += 1
          #expect(header.number <= 1 << 40 && header.theta?.isFinite != false, "message \(seed)")
        }
      } catch let fault as MessageFault {
        #expect(seed >= sound.count, "the sound message \(seed) is refused: \(fault)")
        faults.insert(fault)
      }
    }
    // Every branch was there, not only the first check.
    #expect(
      taken > Self.seeds / 20 && unpacked > Self.seeds / 40 && faults.count >= 9, "\(taken), \(unpacked), \(faults)")
  }
}

extension [[UInt8]] {
  /// The bytes of all elements, `count` times.
  fileprivate func cycled(_ count: Int) -> [UInt8] { (0..<count).flatMap { _ in joined() } }
}
