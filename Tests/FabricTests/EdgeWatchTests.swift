import Glibc
import Host
import Rings
import TestSupport
import Testing

@testable import Fabric

/// Whether an edge is there, by a real server.
@Suite(.enabled(if: FabricServer.isAvailable, "no nats-server: Tools/fabric gets it"))
struct EdgeWatchTests {
  private let server: FabricServer
  private let watch: EdgeWatch
  private let store: FabricStore
  private static let lifetime: Duration = .seconds(2)

  init() throws {
    server = try FabricServer()
    let connection = try FabricConnection(try FabricAddress(server.address), name: "test", patience: .seconds(5))
    let run = RunID.random()
    store = try FabricStore(connection, leasesOf: run)
    watch = try EdgeWatch(connection, run: run)
  }

  /// Waits until the edge has been away for some time; false where it is not within 10 s.
  private func isAway(for time: Duration) -> Bool {
    let deadline = Deadline(after: .seconds(10))
    while !deadline.hasPassed {
      if watch.away() >= time { return true }
      usleep(20_000)
    }
    return false
  }

  @Test func `An edge that lets its right lapse is away, as one that never had any`() throws {
    #expect(isAway(for: .seconds(1)))
    try store.make(lifetime: Self.lifetime)
    let start = ContinuousClock.now
    let lease = try #require(
      try FabricLease.take(FabricNames.uplink, in: store, LeaseRecord(node: "a"), lifetime: Self.lifetime))
    // It has it for longer than it is looked for.
    for _ in 0..<10 {
      usleep(300_000)
      try lease.renew()
    }
    #expect(watch.away() == .zero)
    #expect(isAway(for: .seconds(1)))
    // From when it was last there.
    #expect(watch.away() < .now - start - .seconds(2))
  }

  @Test func `Servers that say nothing say nothing of an edge`() throws {
    try store.make()
    #expect(isAway(for: .milliseconds(1)))
    server.signal(SIGSTOP)
    for _ in 0..<40 where watch.away() > .zero { usleep(100_000) }
    #expect(watch.away() == .zero)
    server.signal(SIGCONT)
    #expect(isAway(for: .milliseconds(1)))
  }
}
