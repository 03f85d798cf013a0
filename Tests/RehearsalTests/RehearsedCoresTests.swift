import Host
import Testing

@testable import Rehearsal

/// What is known of a run's cores before it begins, and that it has no others.
@Suite struct RehearsedCoresTests {
  private func words(_ cores: Int, _ threads: Int, _ sustained: Double?, widens: Bool = false) -> [String] {
    RehearsedCores.words(
      cores: cores, threads: threads, sustained: sustained, rate: 50, projections: 200, widens: widens)
  }

  @Test func `Enough cores are said to be enough`() {
    #expect(
      words(4, 3, 80) == [
        "cores: 4; workers have 3 threads, 1 spare", "updates: keep up with 80.0 projections a second at most",
      ])
    #expect(words(1, 1, nil) == ["cores: 1; workers have 1 thread, no core is spare for the other stages"])
  }

  @Test func `Threads share their core's time, and what is behind at the end waits so long`() {
    // 40 of 50 a second: of 200 a fifth waits, 1 s of work.
    #expect(words(2, 2, 40)[1].hasSuffix("and 50.0 are measured: 40 of 200 are behind at the end, 1 s"))
    #expect(
      words(1, 2, 80) == [
        "cores: 1; workers have 2 threads, no core is spare for the other stages", words(2, 2, 40)[1],
      ])
    #expect(words(2, 2, 40, widens: true)[1].hasSuffix("and 50.0 are measured: they are made less often"))
  }

  @Test func `A process has the cores of the run and no others, and whoever starts it keeps its own`() throws {
    let own = try Affinity.current()
    let seen = try RehearsedCores(1).start { try Affinity.current() }
    #expect(try seen == [own[own.count - 1]] && Affinity.current() == own)
    #expect(try RehearsedCores(nil).start { try Affinity.current() } == own)
    #expect(throws: (any Error).self) { try RehearsedCores(own.count + 1) }
  }
}
