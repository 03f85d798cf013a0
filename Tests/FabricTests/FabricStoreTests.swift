import Foundation
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
    try store.remove()
    try store.remove()
  }

  @Test func `A value has a limit`() throws {
    let store = try FabricStore(connection, bucket: "limits")
    try store.make()
    let most = [UInt8](repeating: 7, count: FabricStore.valueByteCountMax)
    try store.put("plan", most)
    #expect(try store.get("plan")?.value == most)
    #expect(throws: FabricError.self) { try store.put("plan", most + [1]) }
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
