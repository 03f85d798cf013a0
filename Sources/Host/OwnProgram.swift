internal import CLinux
internal import Glibc

/// The program that this process runs. Its file may have been replaced meanwhile, as by an upgrade: a run has one
/// program all the same.
package enum OwnProgram {
  /// What starts this very program again, whatever lies by now where it lay.
  package static let executable = "/proc/self/exe"

  /// Where it lay when it was started.
  package static let file: String = {
    let link = withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer -> String in
      let count = readlink(executable, buffer.baseAddress!, buffer.count)
      return String(
        decoding: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<max(0, count)]), as: UTF8.self)
    }
    let mark = " (deleted)"
    let path = link.hasSuffix(mark) ? String(link.dropLast(mark.count)) : link
    return path.isEmpty ? CommandLine.arguments[0] : path
  }()

  /// Its version and the file that it was started from, which no other build has: what the processes of a run compare.
  package static let build: String = {
    var status = stat()
    guard stat(executable, &status) == 0 else { return programVersion }
    return "\(programVersion) (file \(status.st_ino) of device \(status.st_dev))"
  }()

  /// Whether another program lies by now where it lay, or none.
  package static var isReplaced: Bool {
    var (own, other) = (stat(), stat())
    guard stat(executable, &own) == 0 else { return false }
    return stat(file, &other) != 0 || (own.st_ino, own.st_dev) != (other.st_ino, other.st_dev)
  }

  /// Gives the process its name in `ps` and `top`, which one that was started as `executable` lacks.
  package static func giveName() {
    // Only a name: one that is refused it works all the same.
    _ = clinux_name_process("slipring")
  }
}
