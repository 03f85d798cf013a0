import Host
import Journal
import Rings
import ScanFiles
import Stages
import Streams
import Tomography
import Topics

/// Why a command ends without its result: one line for a person, one sysexits code for a program.
public struct ScanFailure: Error, Equatable, Sendable, CustomStringConvertible {
  /// The codes of sysexits.h that Slipring uses.
  public enum Code: Int32, Sendable {
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
    /// Somebody stopped it; it can go on.
    case aborted = 75
    /// Not allowed.
    case noPermission = 77
    /// The scan file is wrong.
    case configuration = 78
  }

  /// The process's exit status.
  public let exitCode: Int32
  /// What happened, where, and what to do.
  public let description: String

  /// A failure found by this target.
  public init(_ code: Code, _ description: String) {
    exitCode = code.rawValue
    self.description = description
  }

  /// The same exit status in other words.
  public func with(_ description: String) -> ScanFailure { ScanFailure(exitCode, description) }

  private init(_ exitCode: Int32, _ description: String) { (self.exitCode, self.description) = (exitCode, description) }

  /// The failure that an error from below amounts to.
  public init(_ error: any Error) {
    (exitCode, description) =
      switch error {
      case let failure as ScanFailure: (failure.exitCode, failure.description)
      case let error as ScanFileError: (error.exitCode, error.description)
      case let error as HostError: (error.exitCode, error.description)
      case let error as StageError: (error.exitCode, error.description)
      case let error as StreamError: (error.exitCode, error.description)
      case let error as RotationAxisError: (Code.data.rawValue, error.description)
      case let error as RingError: (error.exitCode, error.description)
      case let error as JournalError: (error.exitCode, error.description)
      case let error as EventError: (Code.software.rawValue, error.description)
      default: (Code.software.rawValue, "\(error)")
      }
  }
}
