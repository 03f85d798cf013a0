import Testing

@testable import Benchmarks

@Suite struct StreamWindowsTests {
  @Test func `work is what the windows of a scan hold`() {
    // Each projection is used length / step times, in updates of 12 bytes a voxel.
    let short = StreamWindows.sliding(length: 12, step: 12).work(projections: 120, iterations: 1)
    #expect(short.angles == 120 && short.bytesPerVoxel == 10 * 12)
    let long = StreamWindows.sliding(length: 42, step: 1).work(projections: 120, iterations: 2)
    #expect(long.angles == 2 * 42 * 120 && long.bytesPerVoxel == Double(2 * (120 + 41) * 12))
  }

  @Test func `spread windows draw from what has come, and are smoothed every twelfth update`() {
    let work = StreamWindows.spread.work(projections: 12, iterations: 1)
    #expect(work.angles == 12 + 0 + 1 + 10 * 2)
    #expect(work.bytesPerVoxel == Double(12 * 12 + 8))
  }
}
