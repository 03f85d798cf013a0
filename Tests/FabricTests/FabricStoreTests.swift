import Foundation
import Host
import Rings
import TestSupport
import Testing

@testable import Fabric

@Suite(.enabled(if: FabricServer.isAvailable, "no nats-server: Tools/fabric gets it"))
struct FabricStoreTests {
  private let server: FabricServer
  private let connection: FabricConnection

  init() throws {
    server = try FabricServer()
    connection = try FabricConnection(try FabricAddress(server.address), name: "test", patience: .seconds(5))
  }

  @Test func `A value is created once, and read by all`() throws {
    let store = try FabricStore(connection, run: .random())
    #expect(throws: FabricError.self) { _ = try store.get("plan") }
    try store.make()
    try store.make()
    #expect(try store.get("plan") == nil)
    let first = try store.create("plan", [1, 2, 3])
    #expect(throws: FabricError.conflict("plan of bucket \(store.bucket)")) { try store.create("plan", [4]) }
    let entry = try #require(try store.get("plan"))
    #expect(entry.value == [1, 2, 3] && entry.revision == first)
    #expect(try store.put("granule.0.part", []) > first)
    #expect(try store.get("granule.0.part")?.value == [])
  }

  @Test func `Servers without JetStream are told at once`() throws {
    let bare = try FabricServer(hasJetStream: false), start = ContinuousClock.now
    let connection = try FabricConnection(try FabricAddress(bare.address), name: "test", patience: .seconds(5))
    let error = #expect(throws: FabricError.self) { _ = try FabricStore(connection, run: .random()).get("plan") }
    #expect(error?.description.contains("without JetStream") == true && error?.exitCode == 69)
    #expect(ContinuousClock.now - start < .seconds(2))
    let edge = Edge(), publisher = try edge.publisher(connection)
    #expect(throws: FabricError.self) { _ = try publisher.synchronise() }
    // A node goes on asking.
    let reader = try edge.reader(connection, 0..<1)
    #expect(try reader.next(timeout: .milliseconds(300)) == nil)
    #expect(reader.refusal == error)
    // Nor does the fabric take a value where there is no bucket.
    let other = try FabricStore(self.connection, bucket: "none")
    #expect(throws: FabricError.missing("plan of bucket none")) { try other.put("plan", [1]) }
  }

  @Test func `A bucket without streams, and streams without a bucket, are listed and removed`() throws {
    let run = RunID.random(), edge = Edge()
    try FabricStore(connection, run: run).make()
    _ = try edge.publisher(connection).synchronise()
    let found = try FabricHolding.all(connection)
    #expect(Set(found.map(\.run)) == [run, edge.topic.identity.runID])
    #expect(found.first { $0.run == run }.map { [$0.streams, Int($0.events)] } == [0, 0])
    #expect(try FabricHolding.remove(run, connection) == 0)
    #expect(try FabricHolding.remove(edge.topic.identity.runID, connection) == 3)
    #expect(try FabricHolding.all(connection) == [])
  }

  @Test func `A value has a limit`() throws {
    let store = try FabricStore(connection, bucket: "limits")
    try store.make()
    let most = [UInt8](repeating: 7, count: FabricStore.valueByteCountMax)
    try store.put("plan", most)
    #expect(try store.get("plan")?.value == most)
    #expect(throws: FabricError.self) { try store.put("plan", most + [1]) }
  }

  @Test func `A value is changed, and removed, by who knows its revision, and then created anew`() throws {
    let store = try FabricStore(connection, leasesOf: .random())
    let taken = FabricError.conflict("granule.0 of bucket \(store.bucket)")
    try store.make(lifetime: .seconds(60))
    let first = try store.create("granule.0", [1])
    let second = try store.update("granule.0", [2], after: first)
    #expect(throws: taken) { try store.update("granule.0", [3], after: first) }
    #expect(throws: taken) { try store.remove("granule.0", after: first) }
    #expect(try store.get("granule.0") == store.all()["granule.0"] && store.get("granule.0")?.value == [2])
    try store.remove("granule.0", after: second)
    #expect(try store.get("granule.0") == nil && store.all().isEmpty)
    #expect(throws: taken) { try store.update("granule.0", [4], after: second) }
    #expect(try store.create("granule.0", [5]) > second)
    #expect(throws: taken) { try store.create("granule.0", [6]) }
  }

  @Test func `Values that are not written again vanish, and can be created by somebody else`() throws {
    let store = try FabricStore(nodes: connection)
    try store.make(lifetime: .seconds(2))
    var revision = try store.create("a", [1])
    let start = ContinuousClock.now
    try store.create("b", [2])
    // Longer than it lives without.
    while .now - start < .seconds(3) {
      usleep(300_000)
      revision = try store.update("a", [1], after: revision)
    }
    #expect(try store.get("b") == nil && store.all().keys.sorted() == ["a"])
    try store.create("b", [3])
  }

  @Test func `All keys are listed, and the values of some`() throws {
    let store = try FabricStore(connection, run: .random())
    #expect(throws: FabricError.missing("the keys of bucket \(store.bucket)")) { try store.keys() }
    try store.make()
    #expect(try store.keys() == [])
    try store.create("plan", [1])
    for granule in 0..<300 { try store.create(FabricNames.part(granule), [UInt8(granule & 255)]) }
    #expect(try store.keys().count == 301)
    let parts = try store.all("part.")
    #expect(parts.count == 300 && (0..<300).allSatisfy { parts["part.\($0)"]?.value == [UInt8($0 & 255)] })
  }

  @Test func `Runs are listed by the time of their plan`() throws {
    let runs = [RunID.random(), RunID.random(), RunID.random()]
    for run in runs {
      let store = try FabricStore(connection, run: run)
      try store.make()
      try store.put("plan", Array("\(run)".utf8))
      usleep(5_000)
    }
    try FabricStore(connection, run: .random()).make()
    try FabricStore(connection, bucket: "slipring-nodes").make()
    try FabricStore(connection, bucket: "slipring-nodes").put("plan", [1])
    #expect(try FabricStore.runs(connection, key: "plan").map(\.run) == runs)
  }
}
