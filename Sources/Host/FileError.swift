import Glibc

/// Why a file could not be read or written: one line that says what happened, to which file or dataset, and what can be
/// done.
package enum FileError: SysExitError, Sendable, Equatable {
  /// The input is missing, unreadable, or not a file.
  case cannotOpen(path: String, reason: String)
  /// The input was opened, and what is in it cannot be used.
  case badData(path: String, reason: String)
  /// The output cannot be created under that name.
  case cannotCreate(path: String, reason: String)
  /// The disk has no room for the output, or this user's part of it. Nothing is left behind; writing it again succeeds
  /// once something was removed.
  case full(path: String, reason: String)
  /// Writing the output failed. Nothing is left behind.
  case io(path: String, reason: String)

  /// Why writing to `path` failed, by the system's error number.
  package static func writing(_ path: String, _ code: Int32) -> FileError {
    Errno(rawValue: code).isNoSpace
      ? .full(path: path, reason: errnoText(code)) : .io(path: path, reason: errnoText(code))
  }

  /// Whether only room is missing.
  package var isFull: Bool { if case .full = self { true } else { false } }

  /// The exit code that sysexits.h gives this error: EX_NOINPUT, EX_DATAERR, EX_CANTCREAT or EX_IOERR.
  package var sysExit: SysExit {
    switch self {
    case .cannotOpen: .noInput
    case .badData: .data
    case .cannotCreate: .cannotCreate
    case .full, .io: .inputOutput
    }
  }

  /// The error as one line without a full stop.
  package var description: String {
    switch self {
    case .cannotOpen(let path, let reason): "cannot open \(path): \(reason)"
    case .badData(let path, let reason): "cannot use \(path): \(reason)"
    case .cannotCreate(let path, let reason): "cannot create \(path): \(reason)"
    case .full(let path, let reason), .io(let path, let reason): "cannot write \(path): \(reason)"
    }
  }
}

/// What the system calls `code`, with advice where there is an obvious one.
package func errnoText(_ code: Int32) -> String {
  let text = String(cString: strerror(code))
  return switch code {
  case ENOSPC: "\(text); free some space or choose another output folder"
  case EDQUOT, EFBIG: "\(text); raise the limit or choose another output folder"
  default: text
  }
}

/// The same of a call that failed.
package func errnoText(_ error: HostError) -> String {
  guard case .system(_, _, let errno) = error else { return error.description }
  return errnoText(errno.rawValue)
}
