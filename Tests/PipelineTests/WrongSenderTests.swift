import Detectors
import Foundation
import Glibc
import Host
import Run
import TestSupport
import Testing

extension Pipeline {
  /// Senders that send what no scan can use: people hear of it at once, and a run without a projection is no success.
  @Suite struct WrongSenderTests {
    private let folder: TestFolder
    private let sender: ZeroMQSender
    private static let (rows, columns) = (4, 24)

    init() throws {
      folder = try TestFolder()
      sender = try ZeroMQSender(StreamAddress("zmq+push://127.0.0.1:0"), queueLength: 100, linger: .zero)
    }

    private func recon(_ options: [String] = [], port: String? = nil) throws -> Command {
      let port = try port ?? "\(#require(sender.address.description.split(separator: ":").last))"
      return try Command(
        [
          "recon", "zmq+pull://127.0.0.1:\(port)", "--output-folder", folder.file("out"), "--run-folder",
          folder.file("run"), "--shape", "\(Self.rows),\(Self.columns)", "--projections", "30", "--rotation-axis", "12",
          "--json",
        ] + options)
    }

    private func send(_ header: String, byteCount: Int? = 192) throws {
      var header = header
      let body = byteCount.map { [UInt8](repeating: 1, count: $0) }
      try header.withUTF8 { head in
        try (body ?? []).withUnsafeBytes {
          try sender.send(UnsafeRawBufferPointer(head), body == nil ? nil : $0, timeout: .seconds(20)) {}
        }
      }
    }

    private func array(_ fields: String, frame: Int = 0) -> String {
      #"{"htype":"array-1.0",\#(fields),"frame":\#(frame)}"#
    }

    @Test func `Each kind of wrong message is named within two seconds, with what came and what was wanted`() throws {
      let command = try recon()
      try wait("the run") { (try? status())?.stages.contains { $0.name == "acquire" && $0.isRunning } == true }
      let start = ContinuousClock.now
      try send(array(#""shape":[24,4],"type":"uint16""#))
      try send(array(#""shape":[4,24],"type":"float32""#), byteCount: 384)
      try send(array(#""shape":[4,24],"type":"uint16","encoding":"jpeg""#))
      try send(array(#""shape":[4,24],"type":"uint16""#), byteCount: 190)
      try send(#"{"htype":"array-1.0","shape":[4,24],"type":"uint16"}"#)
      try send("P5 24 4 65535 and so on")
      try send(#"{"htype":"picture-3.0","shape":[4,24]}"#)
      try send(array(#""shape":[4,24],"type":"uint16""#), byteCount: nil)
      try send(#"{"htype":"dimage-1.0","series":3,"frame":7}"#)
      try send(String(repeating: " ", count: 70_000))
      let lines = [
        "wrong-shape (24 × 4 came, 4 × 24 was wanted: rows and columns swapped?)",
        "wrong-pixel-type (float32 came, uint16 was wanted: --pixel says which)", "unknown-encoding (jpeg came)",
        "wrong-size (190 B of pixels came, 192 B were wanted)", "bad-field (frame missing)",
        #"no-json (2 parts came, of 192 B at most; the first begins with "P5 24 4"#,
        "unknown-htype (htype picture-3.0 came)", "wrong-parts (1 part came)",
        "header-too-long (a header of 70000 B came, none has more than 65536 B)",
      ]
      try wait("all of them") {
        let errors = try command.errorsSoFar()
        return lines.allSatisfy { errors.contains("messages of the source are dropped: " + $0) }
      }
      let taken = ContinuousClock.now - start
      #expect(taken < .seconds(2), "\(taken)")
      try wait("their details in the status") { try status().faultDetails?.count == 9 }
      try command.process.signal(SIGTERM)
      let outcome = try command.end()
      #expect(outcome.status == .exited(75), "\(outcome.errors)")
      #expect(try outcome.result().droppedMessages.values.reduce(0, +) == 10)
    }

    private func status() throws -> RunStatus {
      try JSONDecoder().decode(RunStatus.self, from: Data(contentsOf: URL(filePath: folder.file("run/status.json"))))
    }

    @Test func `A scan of which every message is dropped ends by the timeout, and says why`() throws {
      let command = try recon(["--source-timeout", "1.5"])
      for frame in 0..<30 { try send(array(#""shape":[24,4],"type":"uint16""#, frame: frame)) }
      expectFailure(
        65, try command.end(), "no projection came", "30 messages were dropped", "rows and columns swapped?")
    }

    @Test func `Parts that are longer than any of the scan are named, though libzmq takes none of them`() throws {
      let command = try recon()
      for _ in 0..<4 { try send(array(#""shape":[4,24],"type":"uint16""#), byteCount: 17 << 20) }
      try wait("a word of it") { try command.errorsSoFar().contains("has it parts of more than 16 MiB?") }
      try command.process.signal(SIGTERM)
      #expect(try command.end().status == .exited(75))
    }

    @Test func `A scan from which nothing comes ends by the timeout`() throws {
      expectFailure(
        69, try recon(["--source-timeout", "0.5"], port: "9").end(), "no projection came from zmq+pull://127.0.0.1:9")
    }

    @Test func `A run whose acquisition is told to end before the first projection is no success`() throws {
      let command = try recon()
      try wait("acquire") { (try? status())?.stages.contains { $0.name == "acquire" && $0.isRunning } == true }
      let acquire = try #require(try status().stages.first { $0.name == "acquire" })
      try #require(kill(acquire.pid, SIGTERM) == 0)
      expectFailure(69, try command.end(), "no projection came")
    }
  }
}
