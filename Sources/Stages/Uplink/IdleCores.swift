import Glibc
import Host

/// How many of the cores that a stage may use had nothing to do, from one look to the next (`/proc/stat`).
struct IdleCores {
  private let cores: Set<Int>
  private var before: (ticks: UInt64, at: ContinuousClock.Instant)?

  private static let fileByteCountMax = 64 << 10

  /// Of the cores that the calling thread may use.
  init() { cores = (try? Set(Affinity.current())) ?? [] }

  /// One look after the other, at the cores of the thread that asks for this.
  static func looks() -> () -> Double? {
    var idle = IdleCores()
    return { idle.look() }
  }

  /// How many since the last look; nil at the first, and where the system does not tell.
  mutating func look() -> Double? {
    guard let text = MachineFigures.read("/proc/stat", byteCountMax: Self.fileByteCountMax),
      let ticks = Self.idleTicks(text, of: cores)
    else { return nil }
    let now = ContinuousClock.now
    defer { before = (ticks, now) }
    guard let before, now > before.at, ticks >= before.ticks else { return nil }
    return Double(ticks - before.ticks) / Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
      / ((now - before.at) / .seconds(1))
  }

  /// Ticks in which these cores had nothing to do, or waited for a disk: `cpu3 user nice system idle iowait …`; nil
  /// where one of them is not there.
  static func idleTicks(_ text: String, of cores: Set<Int>) -> UInt64? {
    var (sum, found) = (UInt64(0), 0)
    for line in text.split(separator: "\n") where line.hasPrefix("cpu") {
      let words = line.split(separator: " ")
      guard words.count >= 6, let core = Int(words[0].dropFirst(3)), cores.contains(core), let idle = UInt64(words[4]),
        let disk = UInt64(words[5])
      else { continue }
      (sum, found) = (sum &+ idle &+ disk, found + 1)
    }
    return found > 0 && found == cores.count ? sum : nil
  }
}
