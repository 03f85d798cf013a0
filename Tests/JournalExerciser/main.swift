import Glibc
import Host
import Journal

// One part of a journal test as a process of its own: JournalExerciser MODE FOLDER [NAME=VALUE …].
// It ends with 0 when everything held, and otherwise with a line on standard error and the error's exit code.

func fail(_ message: String, code: Int32) -> Never {
  let line = "JournalExerciser: \(message)\n"
  write(2, line, line.utf8.count)
  exit(code)
}

/// The arguments after the mode.
struct Options {
  let folder: String
  private var values: [String: UInt64] = [:]

  init?(_ arguments: [String]) {
    guard let folder = arguments.first else { return nil }
    self.folder = folder
    for argument in arguments.dropFirst() {
      let parts = argument.split(separator: "=")
      guard parts.count == 2, let value = UInt64(parts[1]) else { return nil }
      values[String(parts[0])] = value
    }
  }

  subscript(_ name: String, default standard: UInt64 = 0) -> UInt64 { values[name] ?? standard }
}

guard CommandLine.arguments.count > 1, let options = Options(Array(CommandLine.arguments.dropFirst(2))) else {
  fail("write, rate: MODE FOLDER [NAME=VALUE …]", code: 64)
}
do throws(JournalError) {
  do throws(HostError) {
    if options["parent"] != 0 { try ChildProcess.dieWithParent(expectedParent: Int32(options["parent"])) }
  } catch { throw .host(error) }
  switch CommandLine.arguments[1] {
  case "write": try write(options)
  case "rate": try rate(options)
  default: fail("unknown mode \(CommandLine.arguments[1])", code: 64)
  }
} catch {
  fail(error.description, code: error.exitCode)
}
