import Foundation
import Rings
import TestSupport
import Testing

@testable import Fabric

/// Rights that have to be renewed, against a real server.
@Suite(.enabled(if: FabricServer.isAvailable, "no nats-server: Tools/fabric gets it"))
struct FabricLeaseTests {
  private let server: FabricServer
  private let connection: FabricConnection
  private let store: FabricStore
  private static let lifetime: Duration = .seconds(2)

  init() throws {
    server = try FabricServer()
    connection = try FabricConnection(try FabricAddress(server.address), name: "test", patience: .seconds(5))
    store = try FabricStore(connection, leasesOf: .random())
    try store.make(lifetime: Self.lifetime)
  }

  private func take(_ node: String, _ granule: Int = 0, holder: String? = nil, rules: FabricRules = FabricRules())
    throws
    -> FabricLease?
  {
    try FabricLease.take(
      FabricNames.lease(granule), in: store, LeaseRecord(node: node, holder: holder), lifetime: Self.lifetime,
      rules: rules)
  }

  @Test(arguments: [false, true])
  func `F8: one of two gets a granule`(isAway: Bool) throws {
    var rules = FabricRules()
    rules.createsLeases = !isAway
    let first = try take("a", rules: rules), second = try take("b", rules: rules)
    #expect(first != nil)
    #expect((second == nil) == !isAway)
  }

  @Test(arguments: [false, true])
  func `F8: who cannot renew a lease knows that it is lost before another can have it`(isAway: Bool) throws {
    var rules = FabricRules()
    rules.endsLeases = !isAway
    let lease = try #require(try take("a", rules: rules))
    var second: FabricLease?
    for _ in 0..<400 where second == nil {
      let wasLost = lease.isLost
      second = try take("b")
      if second != nil { #expect(wasLost == !isAway) }
      usleep(20_000)
    }
    #expect(second != nil)
    // It does not come back either.
    try lease.renew()
    #expect(lease.isLost && second?.isLost == false)
    try lease.release()
    #expect(try store.get("granule.0").map { try LeaseRecord(decoding: $0.value, what: "x").node } == "b")
  }

  @Test func `Leases that are renewed stay, and what is told with them is read by all`() throws {
    let leases = try (0..<40).map { try #require(try take("a", $0)) }
    let start = ContinuousClock.now
    while .now - start < .seconds(3) {
      usleep(200_000)
      for lease in leases { (lease.record.state, lease.record.cursor) = (.sweeping, 7) }
      if leases[0].isDue { try FabricLease.renew(leases) }
    }
    #expect(leases.allSatisfy { !$0.isLost })
    let records = try store.all("granule.").values.map { try LeaseRecord(decoding: $0.value, what: "x") }
    #expect(records.count == 40 && records.allSatisfy { $0.cursor == 7 && $0.state == .sweeping && $0.epoch > 0 })
    try leases.forEach { try $0.release() }
    #expect(try take("b", 17) != nil)
  }

  @Test func `A renewal whose answer is lost costs nothing, and one that somebody wrote over does`() throws {
    let lease = try #require(try take("a"))
    try lease.renew()
    // As the server has it, where its answer did not come.
    let entry = try #require(try store.get("granule.0"))
    try store.update("granule.0", entry.value, after: entry.revision)
    try lease.renew()
    #expect(!lease.isLost)
    try store.put("granule.0", LeaseRecord(node: "a", epoch: 99).encoded())
    try lease.renew()
    #expect(lease.isLost)
  }

  @Test func `The successor of a holder has what it had at once, and nobody else`() throws {
    let first = try #require(try take("a", holder: "x"))
    #expect(try take("a", holder: "y") == nil && take("a") == nil)
    let second = try #require(try take("a", holder: "x"))
    try first.renew()
    try second.renew()
    #expect(first.isLost && !second.isLost)
  }
}
