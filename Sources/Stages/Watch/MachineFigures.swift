import Alarms
import Glibc
import Host

/// What the machine says of itself: room on disk at each look, stalls and dropped packets once a second. What it does
/// not tell is not known.
struct MachineFigures {
  private static let looksOfSecond = 10
  static let fileByteCountMax = 16 << 10
  private static let pressures: [(Gauge, String)] = [
    (.processorPressure, "/proc/pressure/cpu"), (.diskPressure, "/proc/pressure/io"),
    (.memoryPressure, "/proc/pressure/memory"),
  ]

  private let configuration: WatchConfiguration
  private let sharesDisk: Bool
  private var looks = 0
  private var slow: [Gauge: Double] = [:]
  private var dropsBefore: Double?

  init(_ configuration: WatchConfiguration) {
    self.configuration = configuration
    let devices = [configuration.runFolder.path, configuration.output.path].map(Self.device)
    sharesDisk = devices[0] == devices[1]
  }

  /// Fills in what is known. `left` are the projections that are still to come; nil where the room that the rest of the
  /// run takes is not known any more.
  mutating func fill(_ sample: inout GaugeSample, projectionsLeft left: Int?) {
    disk(&sample, left)
    if looks % Self.looksOfSecond == 0 { lookSlowly() }
    looks += 1
    for (gauge, value) in slow { sample[gauge] = value }
  }

  private func disk(_ sample: inout GaugeSample, _ left: Int?) {
    let (run, output) = (configuration.runFolder, configuration.output)
    guard let free = Self.free(run.path) else { return }
    let outputFree = sharesDisk ? free : Self.free(output.path) ?? free
    sample[.diskFree] = Double(min(free, outputFree))
    guard let left else { return }
    let ahead = left.multipliedReportingOverflow(by: run.byteCountOfProjection)
    guard !ahead.overflow else { return }
    let spare = Double(free) - Double(ahead.partialValue)
    sample[.diskSpare] =
      sharesDisk
      ? spare - Double(output.byteCount) : min(spare, Double(outputFree) - Double(output.byteCount))
  }

  private static func free(_ path: String) -> Int? {
    do { return try Machine.diskFree(path) } catch { return nil }
  }

  private static func device(_ path: String) -> UInt64 {
    var status = stat()
    return stat(path, &status) == 0 ? UInt64(status.st_dev) : 0
  }

  private mutating func lookSlowly() {
    for (gauge, path) in Self.pressures {
      if let text = Self.read(path), let value = Self.pressure(text) { slow[gauge] = value }
    }
    if let drops = Self.drops() {
      slow[.socketDrops] = drops - (dropsBefore ?? drops)
      dropsBefore = dropsBefore ?? drops
    }
  }

  /// Percent of the last ten seconds in which some task waited: `some avg10=0.12 avg60=…`.
  static func pressure(_ text: String) -> Double? {
    guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("some ") }),
      let word = line.split(separator: " ").first(where: { $0.hasPrefix("avg10=") })
    else { return nil }
    return Double(word.dropFirst("avg10=".count))
  }

  /// What sockets had no room for: of UDP (`Udp: … RcvbufErrors`) and TCP (`TcpExt: … TCPRcvQDrop, TCPBacklogDrop`).
  private static func drops() -> Double? {
    let counts = [
      read("/proc/net/snmp").map { counter($0, "Udp:", ["RcvbufErrors"]) },
      read("/proc/net/netstat").map { counter($0, "TcpExt:", ["TCPRcvQDrop", "TCPBacklogDrop"]) },
    ]
    return counts.contains { $0 != nil } ? counts.reduce(0) { $0 + ($1 ?? 0) } : nil
  }

  /// The sum of counters in a table of two lines that begin alike: names, then values.
  static func counter(_ text: String, _ prefix: String, _ names: [String]) -> Double {
    // Bytes: hundreds of names are looked at each second, and characters cost ten times as much.
    let start = "\(prefix) ".utf8
    let lines = text.utf8.split(separator: UInt8(ascii: "\n")).filter { $0.starts(with: start) }
      .map { $0.split(separator: UInt8(ascii: " ")).dropFirst() }
    guard lines.count >= 2 else { return 0 }
    return zip(lines[0], lines[1]).reduce(0) { sum, word in
      names.contains { word.0.elementsEqual($0.utf8) } ? sum + (Double(Substring(word.1)) ?? 0) : sum
    }
  }

  /// The beginning of a file of the system's; nil where it cannot be read.
  static func read(_ path: String, byteCountMax: Int = fileByteCountMax) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    return withUnsafeTemporaryAllocation(byteCount: byteCountMax, alignment: 8) { bytes in
      let count = Glibc.read(descriptor, bytes.baseAddress, bytes.count)
      return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
    }
  }
}
