import Foundation
import Glibc
import Host

/// A server of a fabric on a free port of this machine, whose streams are in a folder of its own; it ends with the
/// value that owns it.
package final class FabricServer {
  /// The port that it listens on, through all of its lives.
  package let port: UInt16
  /// Where its streams are.
  package var store: String { folder.file("store") }
  private let folder: TestFolder
  private let more: String
  private let hasJetStream: Bool
  private var process: Process?
  private var input: FileHandle?
  private var number: pid_t?

  /// Kills the server when its input ends: when it is told to, or this process is gone.
  private static let keeper = """
    exec 3<&0
    "$@" </dev/null >/dev/null 2>&1 3<&- &
    echo $!
    read -r nothing <&3
    kill -9 $!
    wait $!
    """

  /// The program; nil where `Tools/fabric` could not get it.
  package static let program: String? = {
    var package = URL(filePath: #filePath).deletingLastPathComponent()
    while package.path != "/", !FileManager.default.fileExists(atPath: package.appending(path: "Package.swift").path) {
      package.deleteLastPathComponent()
    }
    let path = package.appending(path: ".build/fabric/nats-server").path
    return FileManager.default.isExecutableFile(atPath: path) ? path : nil
  }()

  /// Whether there is one.
  package static var isAvailable: Bool { program != nil }

  /// Starts it; `more` are lines for its settings.
  package init(_ more: String = "", hasJetStream: Bool = true) throws {
    (folder, self.more, self.hasJetStream) = (try TestFolder(), more, hasJetStream)
    port = try LoopbackPort.free()
    try start()
  }

  deinit { kill() }

  /// Three servers that know of each other.
  package static func cluster() throws -> [FabricServer] {
    let ports = try (0..<3).map { _ in try LoopbackPort.free() }
    let routes = ports.map { "\"nats://127.0.0.1:\($0)\"" }.joined(separator: ", ")
    return try ports.map { port in
      try FabricServer(
        "cluster { name: test, no_advertise: true, listen: \"127.0.0.1:\(port)\", routes: [\(routes)] }")
    }
  }

  /// Its address.
  package var address: String { "nats://127.0.0.1:\(port)" }

  /// Starts it again, and waits until it takes connections.
  package func start() throws {
    let streams = #"jetstream { store_dir: "\#(store)", max_mem: 256MB, max_file: 8GB, sync_interval: "1s" }"#
    let settings = """
      server_name: "test-\(port)"
      listen: "127.0.0.1:\(port)"
      \(hasJetStream ? streams : "")
      ping_interval: "1s", ping_max: 3, write_deadline: "10s"
      \(more)
      """
    try settings.write(toFile: folder.file("server.conf"), atomically: false, encoding: .utf8)
    guard let program = Self.program else { throw POSIXError(.ENOENT) }
    // Its other end is this process's alone: what is started beside must not keep it open.
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { throw POSIXError(.EMFILE) }
    ends.forEach { _ = fcntl($0, F_SETFD, FD_CLOEXEC) }
    let (process, output) = (Process(), Pipe())
    input = FileHandle(fileDescriptor: ends[1], closeOnDealloc: true)
    process.executableURL = URL(filePath: "/bin/sh")
    process.arguments = [
      "-c", Self.keeper, "sh", program, "-c", folder.file("server.conf"), "-l", folder.file("log"),
    ]
    (process.standardInput, process.standardOutput) = (
      FileHandle(fileDescriptor: ends[0], closeOnDealloc: true), output
    )
    try process.run()
    self.process = process
    let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
    number = pid_t(line.trimmingCharacters(in: .whitespacesAndNewlines))
    for _ in 0..<400 {
      if try LoopbackPort.isServed(port) { return }
      usleep(25_000)
    }
    throw POSIXError(.ETIMEDOUT)
  }

  /// Kills it, as a crash would.
  package func kill() {
    signal(SIGKILL)
    input = nil
    if let process {
      Glibc.kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
    }
    (process, number) = (nil, nil)
  }

  /// Stops and continues it: to others it is there and says nothing.
  package func signal(_ signal: Int32) {
    if let number { Glibc.kill(number, signal) }
  }

  /// Loses everything that it keeps; to be called while it is killed.
  package func wipe() throws { try FileManager.default.removeItem(atPath: store) }

  /// The files in which the messages of a stream are, in order.
  package func blocks(of stream: String) throws -> [String] {
    let all = try FileManager.default.subpathsOfDirectory(atPath: store)
    return all.filter { $0.contains("/\(stream)/msgs/") && $0.hasSuffix(".blk") }.sorted().map { "\(store)/\($0)" }
  }

  /// Flips a bit in the middle of a stream's first file; to be called while it is killed.
  package func flipBit(in stream: String, seed: UInt64) throws {
    guard let path = try blocks(of: stream).first else { throw POSIXError(.ENOENT) }
    var random = SplitMix64(seed: seed)
    var bytes = try Data(contentsOf: URL(filePath: path))
    let place = Int.random(in: bytes.count / 4..<bytes.count * 3 / 4, using: &random)
    bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
    try bytes.write(to: URL(filePath: path))
  }
}
