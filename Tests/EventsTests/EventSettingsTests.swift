import Foundation
import Glibc
import Host
import TestSupport
import Testing

@testable import Events

@Suite struct EventSettingsTests {
  private let folder: TestFolder

  init() throws { folder = try TestFolder() }

  private func write(_ text: String, mode: mode_t = 0o600, _ name: String = "settings") throws -> String {
    let path = folder.file(name)
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    try #require(chmod(path, mode) == 0)
    return path
  }

  @Test func `Lines are keys and values, comments and blank lines are none`() throws {
    let settings = try EventSettings(
      path: write("# a comment\r\n\nsecurity.protocol = SASL_SSL\nsasl.jaas=a=b\ndiaspora.ca.file=/etc/ca.pem\n"))
    #expect(settings.kafka.map(\.key) == ["security.protocol", "sasl.jaas"])
    #expect(settings.kafka.map(\.value) == ["SASL_SSL", "a=b"] && settings.kafka.map(\.line) == [3, 4])
    #expect(settings.authoritiesFile == "/etc/ca.pem" && settings.tokenFile == nil)
  }

  @Test func `Secrets are their owner's alone, and never said`() throws {
    let text = "sasl.username=lab\nsasl.password=hunter2\n"
    let path = try write(text, mode: 0o640)
    #expect(throws: EventsError.open(path: path)) { try EventSettings(path: path) }
    let settings = try EventSettings(path: write(text))
    #expect(settings.withoutSecrets("lab, hunter2 is wrong") == "lab, … is wrong")
    // Without a secret anybody may read it.
    _ = try EventSettings(path: write("client.id=lab\n", mode: 0o644))
  }

  @Test(arguments: [
    "acks=1", "enable.idempotence=false", "bootstrap.servers=x:1", "nothing", "=1", "a b=1", "diaspora.password=1",
  ]) func `What delivery relies on, and what is no setting, is refused with its line`(line: String) throws {
    let path = try write("client.id=lab\n\(line)\n")
    let error = #expect(throws: EventsError.self) { try EventSettings(path: path) }
    #expect(
      error?.description.hasPrefix("\(path):2: ") == true && error?.exitCode == 78, "\(String(describing: error))")
  }

  @Test func `Files that are none are refused`() throws {
    #expect(throws: EventsError.self) { try EventSettings(path: folder.file("missing")) }
    #expect(throws: EventsError.self) { try EventSettings(path: folder.path) }
    #expect(throws: EventsError.self) {
      try EventSettings(path: write(String(repeating: "client.id=a\n", count: 6000), "long"))
    }
    try Data([0x61, 0x3D, 0xFF, 0x0A]).write(to: URL(filePath: folder.file("bytes")))
    #expect(throws: EventsError.self) { try EventSettings(path: folder.file("bytes")) }
    try #require(mkfifo(folder.file("pipe"), 0o600) == 0)
    #expect(throws: EventsError.self) { try EventSettings(path: folder.file("pipe")) }
  }

  @Test func `A token is read anew each time, and is one line`() throws {
    let token = try write("first\n", "token")
    let settings = try EventSettings(path: write("diaspora.token.file=\(token)\n"))
    #expect(try settings.token() == "first")
    _ = try write("second", "token")
    #expect(try settings.token() == "second")
    for text in ["", "two words", "two\nlines", "tö"] {
      _ = try write(text, "token")
      #expect(throws: EventsError.self, "\(text)") { try settings.token() }
    }
    _ = try write("third", mode: 0o644, "token")
    #expect(throws: EventsError.open(path: token)) { try settings.token() }
  }
}
