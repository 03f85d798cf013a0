import Foundation

/// Whether memory in /dev/shm is on huge pages: 512 times fewer that the processor has to look up.
package enum SharedHugePages: Sendable {
  /// What most distributions have.
  case never
  /// Where a program asks for it.
  case advised
  case always

  /// From the mounts of a process, of which the last one on a folder counts, and from what the kernel has for all
  /// (transparent_hugepage/shmem_enabled).
  package init(mounts: String, enabled: String) {
    let mount = mounts.split(separator: "\n").map { $0.split(separator: " ") }.last {
      $0.count > 3 && $0[1] == "/dev/shm"
    }
    let word = mount?[3].split(separator: ",").first { $0.hasPrefix("huge=") }?.dropFirst("huge=".count)
    self =
      if enabled.contains("[deny]") {
        .never
      } else if enabled.contains("[force]") || word == "always" || word == "within_size" {
        .always
      } else if word == "advise" {
        .advised
      } else {
        .never
      }
  }

  /// That of this process; never where nobody tells.
  package static var current: SharedHugePages {
    func text(_ path: String) -> String {
      FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
    return SharedHugePages(
      mounts: text("/proc/self/mounts"), enabled: text("/sys/kernel/mm/transparent_hugepage/shmem_enabled"))
  }
}
