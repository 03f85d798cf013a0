/// The exit codes of sysexits.h that Slipring uses.
package enum SysExit: Int32, Sendable {
  /// The command was used wrongly.
  case usage = 64
  /// The input's content is wrong.
  case data = 65
  /// An input file is missing or unreadable.
  case noInput = 66
  /// What is asked for is not running, nobody is at the other end, or a service cannot be had.
  case unavailable = 69
  /// A bug, or a stage that died.
  case software = 70
  /// The operating system refused something.
  case system = 71
  /// Output, a ring or a volume cannot be created.
  case cannotCreate = 73
  /// Reading or writing failed.
  case inputOutput = 74
  /// Somebody stopped it, or something was not ready in time; it can go on.
  case temporary = 75
  /// Not allowed.
  case noPermission = 77
  /// The scan file is wrong.
  case configuration = 78
}

/// An error that can end a program: its description is one line for a person, its code is for programs.
package protocol SysExitError: Error, CustomStringConvertible {
  /// What the program ends with.
  var sysExit: SysExit { get }
}

extension SysExitError {
  /// The process's exit status.
  package var exitCode: Int32 { sysExit.rawValue }
}
