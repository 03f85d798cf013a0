import Foundation
import Glibc
import Host
import Rings
import TestSupport
import Testing

@testable import Fabric

/// Encrypted servers that know who connects, with what `Tools/fabric keys` makes.
@Suite(.enabled(if: FabricServer.isAvailable, "no nats-server: Tools/fabric gets it"))
struct FabricSecurityTests {
  private let keys: TestFolder
  private let server: FabricServer
  private let edge = Edge()

  init() throws {
    keys = try Self.makeKeys()
    server = try Self.start(keys)
  }

  private static func makeKeys(_ more: [String] = []) throws -> TestFolder {
    let keys = try TestFolder()
    let tool = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Tools/fabric").path
    let process = Process()
    process.executableURL = URL(filePath: "/bin/bash")
    process.arguments = [tool, "keys", keys.path] + more
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
    return keys
  }

  private static func start(_ keys: TestFolder, certificate: String = "server") throws -> FabricServer {
    let accounts = try String(contentsOfFile: keys.file("accounts.conf"), encoding: .utf8)
    return try FabricServer(
      """
      tls {
        cert_file: "\(keys.file("\(certificate).pem"))", key_file: "\(keys.file("\(certificate).key"))", timeout: 30
      }
      authorization { timeout: 30 }
      \(accounts)
      """)
  }

  private func connect(_ role: String?, authority: String? = nil, scheme: String = "tls") throws -> FabricConnection {
    var address = try FabricAddress("\(scheme)://127.0.0.1:\(server.port)")
    address.credentials = role.map { keys.file("\($0).nk") }
    address.authority = authority ?? keys.file("ca.pem")
    return try FabricConnection(address, name: "test", patience: .zero)
  }

  private func refusal(_ body: () throws -> Void) -> FabricError? {
    #expect(throws: FabricError.self, performing: body)
  }

  @Test func `An edge publishes, a node reads, and neither does what the other may`() throws {
    let (edgeConnection, nodeConnection) = (try connect("edge"), try connect("node"))
    let store = try FabricStore(edgeConnection, run: edge.topic.identity.runID)
    try store.make()
    try store.create("plan", [1])
    #expect(try publish(try edge.publisher(edgeConnection), edge))
    let service = try edge.replayService(edgeConnection)
    try expectRead(try edge.reader(nodeConnection, 0..<3), edge, 0..<3, service: service)
    #expect(try FabricStore(nodeConnection, run: edge.topic.identity.runID).get("plan")?.value == [1])
    let publisher = try edge.publisher(nodeConnection)
    #expect(try publisher.synchronise() == edge.count)
    let error = refusal { try publisher.streams.remove() }
    guard case .refused(_, let reason)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(reason.localizedCaseInsensitiveContains("permissions violation"))
  }

  @Test func `A viewer sees previews, which an edge alone publishes, and no projection`() throws {
    let run = edge.topic.identity.runID, edgeConnection = try connect("edge"), viewer = try connect("viewer")
    try publish(try edge.publisher(edgeConnection), edge, through: 3)
    let stream = try PreviewStream(edgeConnection, run: run)
    try stream.make()
    _ = try stream.send(edge.event(2), shown: 1, isLast: false)
    #expect(try PreviewStream.latestRun(viewer) == run)
    let reader = try PreviewReader(viewer, run: run)
    #expect(try reader.next(timeout: .seconds(5))?.message.projection == 2)
    _ = try stream.send(edge.event(3), shown: 2, isLast: false)
    #expect(try reader.next(timeout: .seconds(5))?.message.projection == 3)
    let projections = "$JS.API.DIRECT.GET.\(edge.topic.stream(0)).\(edge.topic.subject(0))"
    for (role, body) in [
      ("viewer", { _ = try JetStream(viewer).ask(JetStream.Request(subject: projections, what: "a projection")) }),
      (
        "node",
        {
          let stream = try PreviewStream(try connect("node"), run: run, limit: .seconds(2))
          _ = try stream.send(edge.event(4), shown: 3, isLast: false)
        }
      ),
    ] as [(String, () throws -> Void)] {
      guard case .refused(_, let reason)? = refusal(body) else {
        Issue.record("\(role) was let")
        continue
      }
      #expect(reason.localizedCaseInsensitiveContains("permissions violation"))
    }
    #expect(try stream.newest()?.projection == 3)
  }

  @Test func `A node registers, leases granules and tells parts, and changes no plan`() throws {
    let (edgeConnection, nodeConnection) = (try connect("edge"), try connect("node"))
    let run = edge.topic.identity.runID
    let plans = try FabricStore(edgeConnection, run: run)
    try plans.make()
    try plans.create("plan", [1])
    for store in [try FabricStore(edgeConnection, leasesOf: run), try FabricStore(nodes: edgeConnection)] {
      try store.make(lifetime: FabricNames.lifetime)
    }
    #expect(try FabricStore.runs(nodeConnection, key: "plan").map(\.run) == [run])
    let leases = try FabricStore(nodeConnection, leasesOf: run)
    let lease = try #require(
      try FabricLease.take(FabricNames.lease(3), in: leases, LeaseRecord(node: "a")))
    try lease.renew()
    #expect(try leases.keys() == ["granule.3"] && !lease.isLost)
    try lease.release()
    try FabricStore(nodes: nodeConnection).create("a", [1])
    let store = try FabricStore(nodeConnection, run: run)
    try store.create(FabricNames.part(3), [1])
    guard case .refused? = refusal({ _ = try store.put("plan", [2]) }) else {
      Issue.record("a node wrote a plan")
      return
    }
    #expect(try plans.get("plan")?.value == [1])
  }

  @Test func `A node's projections are refused, and it hears why`() throws {
    try publish(try edge.publisher(try connect("edge")), edge, through: 3)
    let publisher = try edge.publisher(try connect("node"))
    _ = try publisher.synchronise()
    _ = try publisher.publish(edge.event(3))
    while publisher.state == .flowing { _ = try publisher.pump(timeout: .milliseconds(100)) }
    guard case .interrupted(let reason) = publisher.state else { return }
    #expect(reason.localizedCaseInsensitiveContains("permissions violation"))
  }

  @Test func `No key, another key, another authority and no encryption are told apart`() throws {
    #expect(refusal { _ = try connect(nil) } == .authentication("tls://127.0.0.1:\(server.port)"))
    let other = keys.file("other.nk")
    try "SUAACAQDAQCQMBYIBEFAWDANBYHRAEISCMKBKFQXDAMRUGY4DUPB6IBZGM\n"
      .write(toFile: other, atomically: false, encoding: .utf8)
    #expect(chmod(other, 0o600) == 0)
    guard case .credentials? = refusal({ _ = try connect("other") }) else {
      Issue.record("a mistyped seed was taken")
      return
    }
    guard case .untrusted? = refusal({ _ = try connect("edge", authority: "/etc/ssl/certs/ca-certificates.crt") })
    else {
      Issue.record("another authority was taken")
      return
    }
    guard case .untrusted? = refusal({ _ = try connect("edge", scheme: "nats") }) else {
      Issue.record("a connection in the clear was taken")
      return
    }
    guard case .credentials? = refusal({ _ = try connect("edge", authority: keys.file("none.pem")) }) else {
      Issue.record("an authority that is not there was taken")
      return
    }
  }

  /// The library drops one signature in 256; here three in four.
  @Test func `A signature that the library cannot send is followed by another`() throws {
    var address = try FabricAddress("tls://127.0.0.1:\(server.port)"), unsendable = 0, last: FabricConnection?
    (address.credentials, address.authority) = (keys.file("edge.nk"), keys.file("ca.pem"))
    let signers = (0..<16).map { _ in NonceSigner(seedFile: keys.file("edge.nk")) { $0 >= 192 } }
    for signer in signers {
      last = try FabricConnection(address, name: "test", patience: .seconds(20), signer: signer)
      unsendable += signer.unsendableCount
    }
    #expect(unsendable > 0)
    let connection = try #require(last)
    server.kill()
    try server.start()
    for _ in 0..<600 where !connection.isConnected { usleep(50_000) }
    #expect(connection.isConnected && !connection.isClosed)
  }

  @Test func `What cannot be signed so that the library sends it ends`() throws {
    var address = try FabricAddress("tls://127.0.0.1:\(server.port)")
    (address.credentials, address.authority) = (keys.file("edge.nk"), keys.file("ca.pem"))
    let signer = NonceSigner(seedFile: keys.file("edge.nk")) { _ in false }
    let error = refusal { _ = try FabricConnection(address, name: "test", patience: .zero, signer: signer) }
    guard case .unreachable(_, let reason)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(reason.contains("cannot sign") && signer.unsendableCount > 1)
  }

  /// A server says so where it, or who connects, was too slow.
  @Test func `A key that nobody looked at in time is no wrong key`() throws {
    let (listener, port) = try LoopbackPort.bound()
    defer { close(listener) }
    try #require(listen(listener, 4) == 0)
    Thread.detachNewThread {
      let client = accept(listener, nil, nil)
      guard client >= 0 else { return }
      defer { close(client) }
      let greeting = #"INFO {"server_id":"a","version":"2.15.1","proto":1,"max_payload":1048576,"auth_required":true}"#
      for line in [greeting, "-ERR 'Authentication Timeout'"] {
        let bytes = Array("\(line)\r\n".utf8)
        send(client, bytes, bytes.count, Int32(MSG_NOSIGNAL))
        var heard = [UInt8](repeating: 0, count: 4096)
        _ = recv(client, &heard, heard.count, 0)
      }
    }
    let error = refusal {
      _ = try FabricConnection(try FabricAddress("nats://127.0.0.1:\(port)"), name: "test", patience: .zero)
    }
    guard case .unreachable(_, let reason)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(reason.contains("Authentication Timeout"))
  }

  @Test func `Who may look lists runs, and only the administrator removes them`() throws {
    let run = edge.topic.identity.runID, edgeConnection = try connect("edge"),
      store = try FabricStore(edgeConnection, run: run)
    try store.make()
    try store.create("plan", [1])
    try publish(try edge.publisher(edgeConnection), edge)
    for role in ["edge", "viewer", "admin"] {
      let connection = try connect(role)
      #expect(try FabricHolding.all(connection).map(\.run) == [run], "\(role)")
      guard role != "admin" else { continue }
      guard case .refused? = refusal({ _ = try FabricHolding.remove(run, connection) }) else {
        Issue.record("\(role) removed a run")
        return
      }
    }
    // Images, and plans, are not for who only looks.
    guard case .refused? = refusal({ _ = try FabricStore(try connect("viewer"), run: run).get("plan") }) else {
      Issue.record("a viewer read a plan")
      return
    }
    #expect(try FabricHolding.remove(run, try connect("admin")) == 3)
  }

  @Test func `The file of a key that others may read is refused`() throws {
    #expect(chmod(keys.file("edge.nk"), 0o644) == 0)
    let error = refusal { _ = try connect("edge") }
    #expect(error?.description.contains("chmod 600") == true && error?.exitCode == 66)
  }

  @Test func `A certificate for another host is refused`() throws {
    // Vouched for by the same authority.
    let command = """
      cd "\(keys.path)" && openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=other \
        -addext subjectAltName=DNS:other.example -keyout other.key -out other.csr &&
      openssl x509 -req -in other.csr -CA ca.pem -CAkey ca.key -CAcreateserial -copy_extensions copy -out other.pem
      """
    let process = Process()
    process.executableURL = URL(filePath: "/bin/sh")
    process.arguments = ["-c", command]
    (process.standardError, process.standardOutput) = (FileHandle.nullDevice, FileHandle.nullDevice)
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
    let other = try Self.start(keys, certificate: "other")
    var address = try FabricAddress("tls://127.0.0.1:\(other.port)")
    (address.credentials, address.authority) = (keys.file("edge.nk"), keys.file("ca.pem"))
    guard case .untrusted? = refusal({ _ = try FabricConnection(address, name: "test", patience: .zero) }) else {
      Issue.record("a certificate for another host was taken")
      return
    }
  }
}
