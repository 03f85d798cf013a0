internal import CLinux

/// What a process that crashes says of itself, in a file of its own. It writes that itself, in some milliseconds, and
/// then ends by the signal that it crashed by: nobody has to wait for a debugger, and none stays behind.
///
/// ```
/// reconstruct.0                                                  `subject`
/// process 4711, thread 4713 pool-1, signal 4, at address 0x55d0…, 1795982707 s since 1970
/// r8 0x0 r9 0x64 …                                               registers
/// frames 0x55d0… 0x55d0… …                                       of the thread that crashed, the innermost first
/// 0  0x55d0…  slipring+0x1200  $s6Stages…+16                     file, address in it, function and bytes behind it
/// build 5f3a…                                                    of the program
/// end of report                                                  missing where the report was cut off
/// ```
///
/// Functions have their mangled names (`swift demangle` reads them), as far as the files have symbols: of a stripped
/// program there are addresses, which `addr2line` looks up in one of the same build. A thread whose stack has
/// overflowed, other than the first, and a process that is killed leave no report.
package enum CrashReport {
  /// The environment variable with which Swift's runtime is told to start no debugger.
  package static let runtimeVariable = (name: "SWIFT_BACKTRACE", value: "enable=no")

  /// Has this process write a report into the new file `path` when it crashes. To be called from the main thread.
  package static func arm(path: String, subject: String) throws(HostError) {
    let error = clinux_crash_report(path, subject)
    guard error == 0 else { throw .system(call: "sigaction", subject: path, errno: Errno(rawValue: -error)) }
  }
}
