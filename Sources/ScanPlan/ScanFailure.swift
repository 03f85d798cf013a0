package import Host

/// Why a command ends without its result: one line for a person, one sysexits code for a program.
package struct ScanFailure: SysExitError, Equatable, Sendable {
  /// What the process ends with.
  package let sysExit: SysExit
  /// What happened, where, and what to do; on one line.
  package let description: String

  /// A failure found by whoever plans, runs or shows a scan.
  package init(_ code: SysExit, _ description: String) {
    sysExit = code
    // What people and senders named may have line ends.
    self.description = description.onOneLine
  }

  /// The same exit status in other words.
  package func with(_ description: String) -> ScanFailure { ScanFailure(sysExit, description) }

  /// The failure that an error from below amounts to; one that has no code of its own is a bug.
  package init(_ error: any Error) {
    if let error = error as? any SysExitError {
      self.init(error.sysExit, error.description)
    } else {
      self.init(.software, "\(error)")
    }
  }
}
