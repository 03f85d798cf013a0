import CPVAccess
import Glibc
import Host
import Testing

@testable import Detectors

/// What becomes of the updates of a library that follows a script.
@Suite(.serialized) struct PVAccessReceiverTests {
  private let format = FrameFormat(rows: 2, columns: 3, pixel: .uint16)

  private func receiver(_ steps: [Script.Step]) throws -> PVAccessReceiver {
    Script.steps = steps[...]
    let library = try PVAccessLibrary(Script.functions, of: "the script")
    return try PVAccessReceiver(PVAccessAddress("pva://sim:image"), library: library, format: format, queueLength: 8)
  }

  /// The steps in words, up to one that says nothing.
  private func words(_ receiver: PVAccessReceiver) throws -> [String] {
    var words: [String] = []
    while true {
      switch try receiver.next(timeout: .milliseconds(1)) {
      case .frame(let header, let image): words.append("\(header.number):\(image[0])")
      case .fault(let fault, let detail): words.append("\(fault.name) \(detail ?? "")")
      case .listening(let peer): words.append("to \(peer)")
      case .disconnected: words.append("gone")
      case .other: break
      case .end: words.append("end")
      case .nothing: return words
      }
    }
  }

  @Test func `What a variable held before is not taken, what follows is`() throws {
    #expect(try words(receiver([.connected, .image(3), .image(0), .image(1)])) == ["to peer", "0:0", "1:1"])
    // Neither is it at fault, whatever it is.
    #expect(try words(receiver([.connected, .image(-4), .image(0)])) == ["to peer", "0:0"])
    #expect(try words(receiver([.connected, .other, .image(0)])) == ["to peer", "0:0"])
    #expect(try words(receiver([.connected, .empty, .image(0), .empty])) == ["to peer", "0:0"])
  }

  @Test func `A variable that cannot be set is refused in one line`() throws {
    let library = try PVAccessLibrary(Script.functions, of: "the script")
    let error = #expect(throws: StreamError.self) {
      try library.put("0", into: PVAccessAddress("pva://sim:Acquire"), timeout: .seconds(1))
    }
    #expect(error.map { "\($0)" } == "pva://sim:Acquire: no?such variable")
  }

  @Test func `Behind a broken connection the first one is taken if it is new`() throws {
    let before: [Script.Step] = [.connected, .empty, .image(4), .disconnected, .connected]
    #expect(
      try words(receiver(before + [.image(7), .image(8)])) == ["to peer", "4:4", "gone", "to peer", "7:7", "8:8"])
    #expect(try words(receiver(before + [.image(4), .image(5)])) == ["to peer", "4:4", "gone", "to peer", "5:5"])
    #expect(try words(receiver(before + [.image(2), .image(3)])) == ["to peer", "4:4", "gone", "to peer", "3:3"])
  }

  @Test func `A successor takes the first one if its predecessor had not`() throws {
    let late = try receiver([.connected, .image(10), .image(11)])
    late.resume(after: 10)
    #expect(try words(late) == ["to peer", "10:10", "11:11"])
    let prompt = try receiver([.connected, .image(9), .image(10)])
    prompt.resume(after: 10)
    #expect(try words(prompt) == ["to peer", "10:10"])
  }

  @Test func `Updates that are wrong are named, with the codec that is not known`() throws {
    let steps: [Script.Step] = [
      .connected, .empty, .image(-1 << 40), .other, .codec("jpeg"), .codec(String(repeating: "x", count: 100)),
    ]
    #expect(
      try words(receiver(steps))
        == [
          "to peer", "frame-number-out-of-range uniqueId \(-1 << 40) came", "unknown-htype no NTNDArray",
          "unknown-encoding codec jpeg came",
          "unknown-encoding codec " + String(repeating: "x", count: Int(SLIPRING_PVA_TEXT) - 1) + " came",
        ])
  }

  @Test func `The end of a subscription is the end, a refusal an error in its words`() throws {
    let ended = try receiver([.connected, .empty, .image(0), .finished])
    #expect(
      throws: StreamError.refused(
        address: "pva://sim:image", reason: "the sender ended the subscription before its first image")
    ) {
      _ = try words(ended)
    }
    let refused = try receiver([.failed])
    #expect(throws: StreamError.refused(address: "pva://sim:image", reason: "peer")) { _ = try words(refused) }
  }

  @Test func `A library of another version, and one that knows no pvxs, are refused`() {
    var functions = Script.functions.pointee
    functions.version += 1
    #expect(throws: StreamError.self) { try withUnsafePointer(to: functions) { _ = try PVAccessLibrary($0, of: "x") } }
    functions.version -= 1
    functions.library = { nil }
    #expect(throws: StreamError.self) { try withUnsafePointer(to: functions) { _ = try PVAccessLibrary($0, of: "x") } }
    #expect(throws: StreamError.self) { _ = try PVAccessLibrary(nil, of: "x") }
  }
}

/// A library that says what it was told to, one step after the other.
private enum Script {
  enum Step {
    case connected, disconnected, finished, failed, other, empty
    case image(Int64)
    case codec(String)
  }

  nonisolated(unsafe) static var steps: ArraySlice<Step> = []

  /// An image whose first byte is its number.
  nonisolated(unsafe) private static let pixels = UnsafeMutableRawBufferPointer.allocate(byteCount: 12, alignment: 8)

  nonisolated(unsafe) static let functions: UnsafePointer<slipring_pva_functions> = {
    let functions = UnsafeMutablePointer<slipring_pva_functions>.allocate(capacity: 1)
    functions.initialize(
      to: slipring_pva_functions(
        version: UInt32(SLIPRING_PVA_VERSION), library: { UnsafePointer(strdup("script")) },
        open: { _, _, _, _ in OpaquePointer(bitPattern: 8) },
        next: { _, _, image, text, size in
          strncpy(text!, "peer", Int(size))
          return Script.next(&image!.pointee)
        }, close: { _ in },
        put: { _, _, _, text, size in
          strncpy(text!, "no\nsuch variable", Int(size))
          return -1
        }, serve: { _, _ in nil }, add: { _, _, _, _, _, _ in -1 }, post_number: { _, _, _, _, _ in -1 },
        post_line: { _, _, _, _, _ in -1 }, post_picture: { _, _, _, _, _, _, _, _ in -1 },
        take: { _, _, _, _, _, _ in 0 }, end_server: { _ in }))
    return UnsafePointer(functions)
  }()

  private static func next(_ image: inout slipring_pva_image) -> slipring_pva_step {
    image = slipring_pva_image()
    switch steps.popFirst() {
    case nil: return SLIPRING_PVA_NOTHING
    case .connected: return SLIPRING_PVA_CONNECTED
    case .disconnected: return SLIPRING_PVA_DISCONNECTED
    case .finished: return SLIPRING_PVA_FINISHED
    case .failed: return SLIPRING_PVA_FAILED
    case .other: return SLIPRING_PVA_OTHER
    case .empty: return SLIPRING_PVA_IMAGE
    case .image(let number): fill(&image, number)
    case .codec(let name):
      fill(&image, 0)
      withUnsafeMutableBytes(of: &image.codec) { $0.copyBytes(from: name.utf8.prefix($0.count - 1)) }
    }
    return SLIPRING_PVA_IMAGE
  }

  private static func fill(_ image: inout slipring_pva_image, _ number: Int64) {
    pixels.initializeMemory(as: UInt8.self, repeating: UInt8(truncatingIfNeeded: number))
    (image.number, image.dimension_count, image.dimensions) = (number, 2, (3, 2, 0, 0))
    (image.pixel, image.bytes, image.byte_count) = (SLIPRING_PVA_UINT16, UnsafeRawPointer(pixels.baseAddress), 12)
  }
}
