import Foundation
import Glibc
import Host
import Simulation

/// The detector of a rehearsal: a process that sends a simulated scan over ZeroMQ on the loopback address.
final class VirtualDetector {
  /// What it is.
  struct Setting {
    let (rows, columns): (Int, Int)
    /// Frames a second.
    let rate: Double
    /// Frames that it can hold back; nil for one that waits.
    let memory: Int?
    let (projections, flats, darks): (Int, Int, Int)
    let lineIntegrals: Bool
    /// Degrees of each projection.
    let thetas: [Double]
    /// In pixels.
    let axis: Double
    let seed: UInt64

    var frameByteCount: Int { rows * columns * (lineIntegrals ? 4 : 2) }
  }

  /// What it says at its end.
  private struct SenderReport: Decodable { let overrun: Int }

  /// Where it listens.
  let port: UInt16
  private let process: ChildProcess
  private let output: String

  /// What a file of projections takes at most; of a longer scan the projections are sent again and again.
  private static let byteCountMax = 512 << 20

  /// Projections of the file, and how often they are sent.
  private static func rounds(_ setting: Setting) -> (measured: Int, rounds: Int) {
    let fitting = max(1, min(setting.projections, byteCountMax / setting.frameByteCount))
    // The same number in all, where that can be.
    let exact = (fitting / 2...fitting).last { $0 > 0 && setting.projections % $0 == 0 }
    let measured = exact ?? fitting
    return (measured, (setting.projections + measured - 1) / measured)
  }

  /// Measures what is to be sent into a file. `check` ends it by throwing.
  static func measure(_ setting: Setting, into path: String, check: () throws -> Void) throws {
    let measured = rounds(setting).measured
    // Of a part that is sent again and again, each round covers the whole range.
    let thetas = (0..<measured).map { setting.thetas[$0 * setting.thetas.count / measured] }
    let simulation = Simulation(
      sample: .phantom(Foam(rows: setting.rows, columns: setting.columns, seed: setting.seed, voidValue: 0)),
      rows: setting.rows, columns: setting.columns, thetas: thetas, rotationAxis: setting.axis,
      signal: setting.lineIntegrals
        ? .lineIntegrals
        : .counts(
          photons: 20_000, darkLevel: 100, flats: setting.flats, darks: setting.darks, seed: setting.seed))
    try Simulator(simulation).write(to: path) { _ in try check() }
  }

  /// Starts it; it sends the file at `scan` to whoever connects. What it says goes to `output`.
  init(_ setting: Setting, scan: String, executable: String, output: String) throws {
    self.output = output
    port = try LoopbackPort.free()
    process = try Self.start(
      executable,
      [
        "simulate", "--stream", "zmq+push://127.0.0.1:\(port)", "--scan", scan, "--rate", "\(setting.rate)", "--rounds",
        "\(Self.rounds(setting).rounds)", "--json", "--quiet",
      ] + (setting.memory.map { ["--memory", "\($0)"] } ?? []), output: output, errors: output + ".log")
  }

  /// Starts a process whose standard output and error go to files.
  static func start(_ executable: String, _ arguments: [String], output: String, errors: String) throws -> ChildProcess
  {
    var descriptors: [Int32] = []
    defer { for descriptor in descriptors { close(descriptor) } }
    for path in [output, errors] {
      let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
      guard descriptor >= 0 else { throw HostError.system(call: "open", subject: path, errno: .current) }
      descriptors.append(descriptor)
    }
    return try ChildProcess(
      executable: executable, arguments: arguments, standardOutput: descriptors[0], standardError: descriptors[1])
  }

  /// Has it measure and send nothing, or go on.
  func pause(_ isPaused: Bool) throws { try process.signal(isPaused ? SIGSTOP : SIGCONT) }

  /// Frames for which its memory had no place, where it has sent the rest within `timeout`; nil where it has not.
  func overrun(within timeout: Duration) throws -> Int? {
    guard try process.waitForExit(timeout: timeout) == .exited(0) else { return nil }
    return try JSONDecoder().decode(SenderReport.self, from: Data(contentsOf: URL(filePath: output))).overrun
  }

  /// Ends it.
  func end() throws {
    guard try process.reap() == nil else { return }
    try process.signal(SIGKILL)
    _ = try process.waitForExit(timeout: .seconds(10))
  }
}
