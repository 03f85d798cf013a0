import Testing

@testable import Rehearsal

/// How long projections wait, from statuses a second apart.
@Suite struct StatusTraceTests {
  private func latency(_ samples: [(time: Double, acquired: Int, reconstructed: Int)]) -> Double? {
    var trace = StatusTrace()
    for sample in samples { trace.add(acquired: sample.acquired, reconstructed: sample.reconstructed, at: sample.time) }
    return trace.latency
  }

  @Test func `A worker that keeps up makes nothing wait`() {
    #expect(latency([(0, 0, 0), (1, 100, 100), (2, 200, 200)]) == 0)
  }

  @Test func `A worker that is a second behind makes each wait a second`() throws {
    let latency = try #require(self.latency([(0, 0, 0), (1, 100, 0), (2, 200, 100), (3, 200, 200)]))
    #expect(abs(latency - 1) < 1e-9, "\(latency)")
  }

  @Test func `The slowest hundredth does not count, and the next one does`() throws {
    // Two of a hundred wait nine seconds.
    let latency = try #require(self.latency([(0, 0, 0), (1, 100, 98), (9, 100, 98), (10, 100, 100)]))
    #expect(latency > 8 && latency <= 9, "\(latency)")
    let fewer = try #require(self.latency([(0, 0, 0), (1, 200, 199), (9, 200, 199), (10, 200, 200)]))
    #expect(fewer < 0.1, "\(fewer)")
  }

  @Test func `A resumed run does not go back, and what was never taken makes it unknown`() {
    #expect(latency([(0, 0, 0), (1, 100, 100), (2, 40, 40), (3, 200, 200)]) == 0)
    #expect(latency([(0, 0, 0), (1, 100, 50)]) == nil && latency([]) == nil && latency([(0, 0, 0)]) == nil)
  }
}
