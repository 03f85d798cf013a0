import Foundation
import Glibc
import Host
import Run
import Testing

/// A `slipring` process as a person would start it.
final class Command {
  let process: ChildProcess
  private let output: Capture
  private let errors: Capture

  /// How a command ended and what it printed.
  struct Outcome {
    let status: ProcessEnd
    let output: String
    let errors: String
    /// The JSON object that `--json` prints.
    func result() throws -> RunResult { try JSONDecoder().decode(RunResult.self, from: Data(output.utf8)) }
  }

  /// The program lies beside the test bundle.
  static let executable: String = {
    let bundle = Bundle.allBundles.map(\.bundlePath).first { $0.hasSuffix(".xctest") } ?? CommandLine.arguments[0]
    return URL(filePath: bundle).deletingLastPathComponent().appending(path: "slipring").path
  }()

  init(
    _ arguments: [String], executable: String = Command.executable, faults: String? = nil,
    variables: [String: String] = [:]
  ) throws {
    (output, errors) = (try Capture(), try Capture())
    var environment = ProcessInfo.processInfo.environment
    environment["SLIPRING_FAULTS"] = faults
    environment.merge(variables) { $1 }
    process = try ChildProcess(
      executable: executable, arguments: arguments, environment: environment, standardOutput: output.descriptor,
      standardError: errors.descriptor)
  }

  /// Waits for the end; a command that takes longer than `limit` is killed and fails the test.
  func end(within limit: Duration = .seconds(120)) throws -> Outcome {
    var status = try process.waitForExit(timeout: limit)
    if status == nil {
      try process.signal(SIGKILL)
      status = try process.waitForExit(timeout: .seconds(10))
      Issue.record("slipring took longer than \(limit)")
    }
    return Outcome(status: try #require(status), output: try output.text(), errors: try errors.text())
  }

  /// What it has printed on standard error so far.
  func errorsSoFar() throws -> String { try errors.text() }

  static func run(_ arguments: String...) throws -> Outcome { try Command(arguments).end() }

  /// What a process prints, in a file without a name.
  private final class Capture {
    let descriptor: Int32

    init() throws {
      descriptor = open(NSTemporaryDirectory(), 0o20000000 | O_DIRECTORY | O_RDWR | O_CLOEXEC, 0o600)
      guard descriptor >= 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
    }

    deinit { close(descriptor) }

    /// Leaves the place where the process writes alone: it may still run.
    func text() throws -> String {
      var status = stat()
      try #require(fstat(descriptor, &status) == 0)
      var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
      let count = pread(descriptor, &bytes, bytes.count, 0)
      try #require(count == bytes.count)
      return String(decoding: bytes, as: UTF8.self)
    }
  }
}

/// Expects that a command failed with this code and one line that contains the fragments.
func expectFailure(
  _ code: Int32, _ outcome: Command.Outcome, _ fragments: String..., at location: SourceLocation = #_sourceLocation
) {
  #expect(outcome.status == .exited(code), "\(outcome.errors)", sourceLocation: location)
  let errors = outcome.errors.split(separator: "\n").filter { $0.contains("error:") }
  #expect(errors.count == 1, "\(outcome.errors)", sourceLocation: location)
  for fragment in fragments {
    #expect(
      errors.first?.contains(fragment) == true, "'\(fragment)' is missing: \(outcome.errors)", sourceLocation: location)
  }
}

/// Waits for something to become true.
func wait(
  _ what: String, within seconds: Int = 30, at location: SourceLocation = #_sourceLocation,
  until isTrue: () throws -> Bool
) throws {
  for _ in 0..<100 * seconds {
    if try isTrue() { return }
    usleep(10_000)
  }
  Issue.record("waited in vain: \(what)", sourceLocation: location)
}

/// Waits until a run has acquired so many projections; gives its status.
@discardableResult
func waitForImages(_ count: Int, of runFolder: String, at location: SourceLocation = #_sourceLocation) throws
  -> RunStatus
{
  var status: RunStatus?
  try wait("\(count) projections", at: location) {
    guard let data = FileManager.default.contents(atPath: runFolder + "/status.json") else { return false }
    status = try JSONDecoder().decode(RunStatus.self, from: data)
    return status.map { $0.acquired >= count } ?? false
  }
  return try #require(status, sourceLocation: location)
}

/// Regions of runs in /dev/shm.
func regions(of run: String) throws -> [String] { try SharedRegion.names(prefix: "slipring-\(run)") }

/// Changes what a run wrote as JSON, and its checksum with it, as nobody but the program would.
func rewrite(_ path: String, _ change: (String) -> String) throws {
  let text = change(try String(contentsOfFile: path, encoding: .utf8))
  let end = try #require(text.range(of: ",\n  \"sha256\" : \"", options: .backwards))
  var sum = SHA256()
  Array(text[..<end.lowerBound].utf8).withUnsafeBytes { sum.update($0) }
  try Data("\(text[..<end.upperBound])\(sum.hexDigest())\"\n}\n".utf8).write(to: URL(filePath: path))
}

/// Whether a command ends well: what a test needs may not be there.
func works(_ path: String, _ arguments: String...) -> Bool {
  guard access(path, X_OK) == 0, let process = try? ChildProcess(executable: path, arguments: arguments) else {
    return false
  }
  return (try? process.waitForExit(timeout: .seconds(60))) == .exited(0)
}
