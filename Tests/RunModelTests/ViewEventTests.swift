import Host
import Rings
import RunModel
import Testing

@Suite struct ViewEventTests {
  private func bytes(_ event: ViewEvent) -> [UInt8] {
    var bytes = [UInt8](repeating: 0xAA, count: EventHeader.metadataCapacity)
    let used = bytes.withUnsafeMutableBytes { event.encode(into: $0) }
    return Array(bytes[..<used])
  }

  private func event() -> ViewEvent {
    var event = ViewEvent()
    (event.firstItem, event.dropped, event.stored, event.lost) = (7, 2, 1 << 40, 3)
    event.cursors = [.init(topic: 1, partition: 0, next: 9), .init(topic: 3, partition: 4, next: 5, image: (6, 2))]
    let images = ViewEvent.Pointer(topic: 1, partition: 0, sequence: 11, count: 4, side: .from)
    let update = ViewEvent.Pointer(topic: 3, partition: 4, sequence: 2, side: .with, rows: 8..<16, generation: 5)
    event.items = [[images, update], [update]]
    return event
  }

  @Test func `Items come back as they were written, and nothing else is one`() throws {
    let written = bytes(event())
    #expect(try written.withUnsafeBytes { try ViewEvent(decoding: $0) } == event())
    #expect(event().nextItem == 9 && event().following.firstItem == 9 && event().following.items.isEmpty)
    for count in 0..<written.count {
      #expect(throws: EventError.self) { try written[..<count].withUnsafeBytes { try ViewEvent(decoding: $0) } }
    }
    // Numbers beyond every limit, counts that do not fit together, a side and a count that are none.
    let damages: [(Int, UInt8)] = [
      (7, 1), (15, 1), (31, 1), (32, 41), (34, 3), (36, 2), (79, 1), (128, 0), (136, 2), (159, 1), (160, 0), (164, 0),
      (166, 1), (175, 1),
    ]
    for (offset, byte) in damages {
      var damaged = written
      damaged[offset] = byte
      #expect(throws: EventError.self, "\(byte) at \(offset)") {
        try damaged.withUnsafeBytes { try ViewEvent(decoding: $0) }
      }
    }
  }

  @Test func `An event takes items until it is full, and pointers that go on become one`() {
    var event = event()
    let item = event.items[0]
    while event.hasRoom(for: item) { event.items.append(item) }
    #expect((20...60).contains(event.items.count) && bytes(event).count <= ViewEvent.byteCountMax)
    var pointer = item[0]
    #expect(
      pointer.extend(by: .init(topic: 1, partition: 0, sequence: 15, count: 2, side: .from)) && pointer.count == 6)
    for other in [
      ViewEvent.Pointer(topic: 1, partition: 0, sequence: 18, side: .from),
      .init(topic: 6, partition: 0, sequence: 17, side: .from),
      .init(topic: 1, partition: 0, sequence: 17, side: .with),
      .init(topic: 1, partition: 0, sequence: 17, side: .from, rows: 0..<1),
    ] {
      #expect(!pointer.extend(by: other) && pointer.count == 6)
    }
  }

  @Test func `Noise is refused or read, and never crashes`() {
    var random = SplitMix64(seed: 23)
    let written = bytes(event())
    for _ in 0..<5000 {
      var noise = written
      for _ in 0..<Int(random.next() % 8) {
        noise[Int(random.next() % UInt64(noise.count))] = UInt8(truncatingIfNeeded: random.next())
      }
      noise.withUnsafeBytes { bytes in
        guard let event = try? ViewEvent(decoding: bytes) else { return }
        #expect(event.nextItem >= event.firstItem && event.items.allSatisfy { !$0.isEmpty })
      }
    }
  }
}
