import Benchmarks
import Testing

@Suite struct LatencyTests {
  @Test func `Percentiles of known durations are within a thousandth`() {
    let latency = Latency((1...100_000).reversed().map { UInt64($0) })
    #expect(latency.count == 100_000 && latency.max == 100_000)
    for (value, exact) in [(latency.p50, 50_000.0), (latency.p99, 99_000), (latency.p999, 99_900)] {
      #expect(abs(Double(value) - exact) <= exact / 1000, "\(value) for \(exact)")
    }
  }

  @Test func `One duration is all of its percentiles, and none is all zeros`() {
    let one = Latency([1_234_567_891_234])
    #expect(one.count == 1 && one.max == 1_234_567_891_234 && one.p50 <= one.max && one.p50 == one.p999)
    #expect(Double(one.max - one.p50) <= Double(one.max) / 1000)
    let none = Latency([])
    #expect(none.count == 0 && none.p50 == 0 && none.max == 0)
  }
}

@Suite struct ByteSizeTests {
  @Test(arguments: [("0", 0), ("512", 512), ("64K", 65_536), ("1m", 1 << 20), ("2G", 2 << 30)])
  func `A size is a number with a unit or without`(text: String, bytes: Int) {
    #expect(ByteSize.parse(text) == bytes)
    #expect(ByteSize.parse(ByteSize.text(bytes)) == bytes)
  }

  @Test(arguments: ["", "K", "-1", "1.5K", "1KB", "1T", "٣", "9999999999G", "+1"])
  func `What is no size is refused`(text: String) { #expect(ByteSize.parse(text) == nil) }
}
