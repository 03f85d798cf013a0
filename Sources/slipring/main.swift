import ArgumentParser
import Glibc
import Host
import Run
import ScanPlan

// Before any thread, which would inherit the other one.
OwnProgram.giveName()
// A closed pipe and a file-size limit are errors of that write, not the end of the process.
signal(SIGPIPE, SIG_IGN)
signal(SIGXFSZ, SIG_IGN)
// The soft limit is for programs that use select(2).
Machine.raiseDescriptorLimit()

// Ends with one line on standard error and a sysexits code. A stage that failed has printed its line itself.
do {
  // The arguments are read there. Without them every command would print the help, and end well.
  guard !CommandLine.arguments.isEmpty else {
    guard access("/proc/self/cmdline", F_OK) == 0 else {
      throw ScanFailure(.system, "/proc is missing, as in a bare chroot; mount it: mount -t proc proc /proc")
    }
    // What kept it from being read is what it was before: a limit on open files.
    let isOpen = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC) >= 0
    let reason = isOpen ? "it could not be read before" : String(cString: strerror(errno))
    throw ScanFailure(.system, "cannot open /proc/self/cmdline: \(reason)")
  }
  var command = try Slipring.parseAsRoot()
  try command.run()
} catch let failure as StageFailure {
  exit(failure.exitCode)
} catch let error where Slipring.isUsage(error) {
  Slipring.exit(withError: Slipring.onOneLine(error))
} catch {
  let failure = ScanFailure(error)
  Console.error(failure.description)
  exit(failure.exitCode)
}

extension Slipring {
  /// The same error about arguments whose line ends and control characters are written out.
  static func onOneLine(_ error: any Error) -> any Error {
    let words = CommandLine.arguments.dropFirst()
    guard words.contains(where: { $0 != $0.onOneLine }) else { return error }
    do { _ = try parseAsRoot(words.map(\.onOneLine)) } catch { return error }
    return error
  }

  /// Errors that the argument parser made and formats best itself: help, version, wrong arguments.
  static func isUsage(_ error: any Error) -> Bool {
    error is ValidationError || error is CleanExit || error is ExitCode || "\(type(of: error))".contains("CommandError")
  }
}
