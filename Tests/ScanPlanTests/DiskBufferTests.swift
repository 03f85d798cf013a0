import Testing

@testable import ScanPlan

@Suite struct DiskBufferTests {
  private static let stride = 256 * 1024 * 2 + 4096

  private func byteCount(images: Int = 1_000_000, gibibytes: Double? = nil, rate: Double? = nil, free: Int = 256 << 30)
    -> Int
  {
    DiskBuffer.slots(stride: Self.stride, images: images, gibibytes: gibibytes, rate: rate, memoryFree: free)
      * Self.stride
  }

  @Test func `Of much memory four gibibytes, of little an eighth, and always enough for some batches`() {
    #expect(((4 << 30) - Self.stride...4 << 30).contains(byteCount()))
    #expect(((2 << 30) - Self.stride...2 << 30).contains(byteCount(free: 16 << 30)))
    #expect(((64 << 20) - Self.stride...64 << 20).contains(byteCount(free: 0)))
  }

  @Test func `Where the rate is known, what comes in eight seconds`() {
    #expect(byteCount(rate: 100) == 800 * Self.stride)
    #expect(byteCount(rate: 1e-5) == byteCount(free: 0) && byteCount(rate: 1e9) == byteCount())
  }

  @Test func `Who says how much has that, and nobody more than the whole scan`() {
    #expect(((10 << 30) - Self.stride...10 << 30).contains(byteCount(gibibytes: 10, rate: 1, free: 0)))
    #expect(byteCount(gibibytes: 0) == 4 * Self.stride)
    #expect(byteCount(images: 60) == 61 * Self.stride && byteCount(images: 1, gibibytes: 1024) == 4 * Self.stride)
  }
}
