import Glibc
import Host
import Rings

// One part of a ring test as a process of its own: RingExerciser MODE RING RUN [NAME=VALUE …].
// It ends with 0 when everything held, and otherwise with a line on standard error and the error's exit code.

/// The arguments after the mode.
struct Options {
  let ring: String
  let runID: RunID
  private let values: [String: UInt64]

  init?(_ arguments: [String]) {
    guard arguments.count >= 2, let runID = RunID(arguments[1]) else { return nil }
    ring = arguments[0]
    self.runID = runID
    var values: [String: UInt64] = [:]
    for argument in arguments.dropFirst(2) {
      let parts = argument.split(separator: "=")
      guard parts.count == 2, let value = UInt64(parts[1]) else { return nil }
      values[String(parts[0])] = value
    }
    self.values = values
  }

  subscript(_ name: String) -> UInt64 { values[name, default: 0] }

  func attach() throws(RingError) -> Ring {
    try Ring.attach(name: ring, expecting: RingIdentity(runID: runID, topic: 1, partition: 0))
  }
}

func fail(_ message: String, code: Int32) -> Never {
  let line = "RingExerciser: \(message)\n"
  write(2, line, line.utf8.count)
  exit(code)
}

guard CommandLine.arguments.count > 1, let options = Options(Array(CommandLine.arguments.dropFirst(2))) else {
  fail("write, read, stall, time: MODE RING RUN [NAME=VALUE …]", code: 64)
}
do throws(RingError) {
  do throws(HostError) { try ChildProcess.dieWithParent(expectedParent: Int32(options["parent"])) } catch {
    throw .host(error)
  }
  switch CommandLine.arguments[1] {
  case "write": try write(options)
  case "read": try read(options)
  case "stall": try stall(options)
  case "time": try time(options)
  default: fail("unknown mode \(CommandLine.arguments[1])", code: 64)
  }
} catch {
  fail(error.description, code: error.exitCode)
}
