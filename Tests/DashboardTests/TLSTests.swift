import Foundation
import Glibc
import Host
import ScanPlan
import Synchronization
import TestSupport
import Testing

@testable import Dashboard

/// Pages that are served as https://, asked by Python's ssl module; certificates are made by the openssl program.
@Suite(
  .enabled(
    if: access("/usr/bin/python3", X_OK) == 0 && access("/usr/bin/openssl", X_OK) == 0, "needs python3 and openssl"))
struct TLSTests {
  private let folder: TestFolder

  init() throws { folder = try TestFolder() }

  /// A picture at `/picture`, everything else a line; `/events` are events.
  private final class Pictures: Site {
    static let picture = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) }

    func respond(to request: Request, viewers: Int) -> Response {
      switch request.path {
      case "/events": .events
      case "/picture": Response(type: "image/png", Self.picture)
      default: Response(status: 200, "here is \(request.path)")
      }
    }

    func tick(viewers: Int) -> [UInt8]? { Array("data: now\n\n".utf8) }
  }

  @discardableResult
  private func run(_ program: String, _ arguments: [String]) throws -> String {
    let (process, output) = (Process(), Pipe())
    (process.executableURL, process.arguments) = (URL(filePath: program), arguments)
    (process.standardOutput, process.standardError, process.standardInput) = (output, FileHandle.nullDevice, nil)
    try process.run()
    let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    process.waitUntilExit()
    try #require(process.terminationStatus == 0, "\(program) \(arguments): \(process.terminationStatus)")
    return text
  }

  /// A certificate for 127.0.0.1 that is its own authority.
  private func certificate(_ name: String, key options: [String] = ["-nodes"]) throws -> TLSFiles {
    let files = TLSFiles(certificate: folder.file("\(name).pem"), key: folder.file("\(name).key"))
    try run(
      "/usr/bin/openssl",
      ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-days", "2"] + options
        + ["-subj", "/CN=\(name)", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", files.key]
        + ["-out", files.certificate])
    return files
  }

  private func listener(_ files: TLSFiles, notice: @escaping @Sendable (String) -> Void = { _ in }) throws -> Listener {
    var address = try #require(DashboardAddress("127.0.0.1:0"))
    address.tls = files
    return try Listener(address, notice: notice)
  }

  private func withServer(_ listener: Listener, _ body: (UInt16) throws -> Void) throws {
    let server = try Server(listener) { Pictures() }
    defer { server.stop(grace: .zero) }
    try body(server.address.port)
  }

  private struct Told: Decodable {
    struct Answer: Decodable {
      let status: Int
      let bytes: Int?
      let sha256: String?
      let event: String?
    }

    let answers: [Answer]?
    let version: String?
    let refused: String?
    let ended: Bool?
  }

  private func ask(_ port: UInt16, _ arguments: [String]) throws -> Told {
    let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Readers/ask_https.py")
    let text = try run("/usr/bin/python3", [script.standardized.path, "\(port)"] + arguments)
    return try JSONDecoder().decode(Told.self, from: Data(text.utf8))
  }

  @Test func `several requests of one connection, a large picture and events come whole`() throws {
    let files = try certificate("own")
    try withServer(try listener(files)) { port in
      let told = try ask(port, [files.certificate, "/a", "/picture", "/b", "/events"])
      #expect(told.answers?.map(\.status) == [200, 200, 200, 200] && told.version == "TLSv1.3")
      #expect(told.answers?.map(\.bytes) == [11, 3_000_000, 11, nil])
      var sha256 = SHA256()
      Pictures.picture.withUnsafeBytes { sha256.update($0) }
      let digest = sha256.hexDigest()
      #expect(told.answers?[1].sha256 == digest)
      #expect(told.answers?.last?.event == "data: now\n")
    }
  }

  @Test func `plain text, old versions and noise are refused, and the next client is served`() throws {
    let files = try certificate("own")
    try withServer(try listener(files)) { port in
      let plain = try Client.request("/a", port: port)
      #expect(plain.status == 400 && plain.text.contains("https://"))
      #expect(try ask(port, ["OLD"]).refused != nil)
      #expect(try ask(port, [files.certificate, "NOISE"]).ended == true)
      #expect(try ask(port, [files.certificate, "/a"]).answers?.map(\.status) == [200])
    }
  }

  @Test func `who never ends agreeing on keys is let go, however steadily bytes come`() throws {
    try withServer(try listener(certificate("own"))) { port in
      let client = try Client(port: port)
      let start = ContinuousClock.now
      // A record that says that it has 512 bytes.
      client.send("\u{16}\u{3}\u{1}\u{2}\u{0}")
      for _ in 0..<18 {
        client.send("a")
        usleep(500_000)
      }
      #expect(client.receive().isEmpty)
      #expect(ContinuousClock.now - start < Connection.requestLimit + .seconds(20))
    }
  }

  @Test func `a renewed certificate is served without a restart, and one that cannot be used is told once`() throws {
    let notices = Mutex<[String]>([])
    let (first, second) = (try certificate("first"), try certificate("second"))
    let listener = try listener(first) { notice in notices.withLock { $0.append(notice) } }
    let identity = try #require(listener.identity)
    for (new, old) in [(second.certificate, first.certificate), (second.key, first.key)] {
      try #require(rename(new, old) == 0)
    }
    identity.refresh(.now + .seconds(20))
    #expect(notices.withLock { $0 } == [])
    try Data("half a certificate".utf8).write(to: URL(filePath: first.certificate + ".new"))
    // What is served now, for the client to trust.
    try FileManager.default.copyItem(atPath: first.certificate, toPath: folder.file("trusted.pem"))
    try #require(rename(first.certificate + ".new", first.certificate) == 0)
    for seconds in [40, 60, 80] { identity.refresh(.now + .seconds(seconds)) }
    #expect(notices.withLock { $0.count } == 1)
    #expect(notices.withLock { $0.first?.contains("is no certificate in PEM") } == true)
    try withServer(listener) { port in
      let told = try ask(port, [folder.file("trusted.pem"), "/a"])
      #expect(told.answers?.map(\.status) == [200])
    }
  }

  @Test func `files that cannot be used are refused by name`() throws {
    func failure(_ files: TLSFiles) throws -> ScanFailure {
      do { _ = try TLSIdentity(files) { _ in } } catch { return error }
      throw ScanFailure(.software, "\(files) were taken")
    }
    let (good, other) = (try certificate("good"), try certificate("other"))
    let missing = try failure(TLSFiles(certificate: folder.file("none.pem"), key: good.key))
    #expect(missing.sysExit == .noInput && missing.description.contains("none.pem"))
    let foreign = try failure(TLSFiles(certificate: good.certificate, key: other.key))
    #expect(foreign.sysExit == .configuration && foreign.description.contains("is not the private key of"))
    let swapped = try failure(TLSFiles(certificate: good.key, key: good.key))
    #expect(swapped.sysExit == .configuration && swapped.description.contains("is no certificate in PEM"))
    // Nobody is there to be asked for it.
    let locked = try failure(certificate("locked", key: ["-passout", "pass:secret"]))
    #expect(locked.sysExit == .configuration && locked.description.contains("without a passphrase"))
    try #require(chmod(good.key, 0o644) == 0)
    let open = try failure(good)
    #expect(open.sysExit == .noPermission && open.description.contains("chmod o-r"))
  }
}
