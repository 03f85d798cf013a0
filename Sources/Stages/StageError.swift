package import Host

/// What ends a stage's work, beside the errors of the files, rings and machine that it uses.
package enum StageError: SysExitError, Equatable, Sendable {
  /// Nothing came, or nobody made room, within the limit.
  case stalled(String)
  /// Another stage broke the agreement on what events follow each other.
  case disorder(String)
  /// The volume is no longer a number.
  case diverged(String)
  /// The program that denoises did not do it.
  case program(String)
  /// What never came, or was lost, cannot be done without.
  case lost(String)
  /// Shared memory is not what was written there.
  case damaged(String)

  /// One line: what happened, and what to do where a person can do something.
  package var description: String {
    switch self {
    case .stalled(let what): "stalled: \(what)"
    case .disorder(let what): "events out of order: \(what)"
    case .diverged(let what): "the reconstruction diverged: \(what)"
    case .program(let what): "the denoising program failed: \(what)"
    case .lost(let what): "the scan lacks what it needs: \(what)"
    case .damaged(let what): "\(what) is not what was written there; slipring resume makes it again"
    }
  }

  /// The sysexits code: bad data for a reconstruction that diverges or lacks what it needs, otherwise an internal
  /// error.
  package var sysExit: SysExit {
    switch self {
    case .diverged, .lost, .damaged: .data
    case .program: .unavailable
    case .stalled, .disorder: .software
    }
  }
}
