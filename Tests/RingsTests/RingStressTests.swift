import Host
import Rings
import Testing

@Suite(.serialized) struct RingStressTests {
  @Test func `ten million events from one process reach four others, two of them slow, whole and once`() throws {
    let count: UInt64 = 10_000_000
    let ring = try TemporaryRing(slotCount: 512, payloadCapacity: 0, readers: 4)
    var parts: [Exerciser] = []
    for reader in 0..<4 {
      let pause: [String: UInt64] = reader < 2 ? [:] : ["every": reader == 2 ? 40_000 : 100_000, "pause": 3000]
      parts.append(
        try Exerciser("read", ring, ["reader": UInt64(reader), "until": count, "batch": 16].merging(pause) { $1 }))
    }
    parts.append(try Exerciser("write", ring, ["epoch": try ring.ring.grantEpoch(), "until": count]))
    for part in parts {
      #expect(try part.process.waitForExit(timeout: .seconds(120)) == .exited(0))
    }
    let progress = ring.ring.progress
    #expect(progress.published == count && progress.committed == count && progress.dropped == 0)
    #expect(progress.cursors == [count, count, count, count])
  }

  @Test func `a small event is written and read in under a microsecond`() throws {
    let ring = try TemporaryRing(slotCount: 256, payloadCapacity: 0, readers: 1)
    let part = try Exerciser("time", ring, ["epoch": try ring.ring.grantEpoch(), "rounds": 4000])
    let figures = try part.line().split(whereSeparator: \.isWhitespace).compactMap { Double($0) }
    try #require(figures.count == 2)
    #expect(figures[0] < 1e6 && figures[1] < 1e6)
  }
}
