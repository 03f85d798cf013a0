import Foundation
import Host
import TestSupport
import Testing

@testable import Fabric

@Suite struct FabricAddressTests {
  @Test func `An address is servers with their ports`() throws {
    #expect("\(try FabricAddress("nats://edge"))" == "nats://edge:4222")
    #expect("\(try FabricAddress("tls://a.b:1,c-d:65535"))" == "tls://a.b:1,c-d:65535")
    #expect(try FabricAddress("nats://a:1,nats://b:2").servers == ["a:1", "b:2"])
    #expect(try FabricAddress("nats://[::1]:5").servers == ["[::1]:5"])
    #expect(try FabricAddress("tls://a:1,b:2").locations == ["tls://a:1", "tls://b:2"])
  }

  @Test(arguments: [
    "", "edge:4222", "http://edge", "nats://", "nats://a,", "nats://a:0", "nats://a:70000", "nats://a:b", "nats://a b",
    "nats://a:1/x", "nats://[::1", "nats://[::1]x", "nats://a:+1", "nats://a\n",
  ])
  func `What is no address is refused in one line`(text: String) {
    let error = #expect(throws: FabricError.self) { _ = try FabricAddress(text) }
    #expect(error?.exitCode == 64)
  }

  @Test func `A password in an address is refused, and not printed`() {
    let error = #expect(throws: FabricError.self) { _ = try FabricAddress("nats://me:secret@edge") }
    #expect(error?.description.contains("secret") == false)
  }

  @Test func `It comes back from JSON, checked again`() throws {
    var address = try FabricAddress("tls://edge:1")
    (address.credentials, address.authority) = ("/a", "/b")
    let data = try JSONEncoder().encode(address)
    #expect(try JSONDecoder().decode(FabricAddress.self, from: data) == address)
    #expect(throws: FabricError.self) {
      try JSONDecoder().decode(FabricAddress.self, from: Data(#"{"address":"ftp://x"}"#.utf8))
    }
  }

  @Test func `The public key of a seed is the one that servers list`() throws {
    let folder = try TestFolder(), file = folder.file("user.nk")
    let seed = "SUAACAQDAQCQMBYIBEFAWDANBYHRAEISCMKBKFQXDAMRUGY4DUPB6IC5CQ"
    try "# a comment\n\(seed)\n".write(toFile: file, atomically: false, encoding: .utf8)
    #expect(chmod(file, 0o600) == 0)
    #expect(
      try UserKey(seedFile: file).publicText == "UB43KVROR7TFJ6KAPCYRF2FJROTZAH4FHLTJLPWX4DRZCC5NASLGJBFE")
    try (String(seed.dropLast()) + "7").write(toFile: file, atomically: false, encoding: .utf8)
    #expect(throws: FabricError.self) { _ = try UserKey(seedFile: file) }
    try "SUAIBAD".write(toFile: file, atomically: false, encoding: .utf8)
    let error = #expect(throws: FabricError.self) { _ = try UserKey(seedFile: file) }
    #expect(error?.exitCode == 66)
    #expect(throws: FabricError.self) { _ = try UserKey(seedFile: folder.file("none")) }
  }
}
