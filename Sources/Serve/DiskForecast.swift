/// How much room a disk has, and how long it lasts.
package struct DiskForecast: Codable, Equatable, Sendable {
  /// Bytes that this user may still write, and of the whole disk.
  package let freeBytes: Int
  package let totalBytes: Int
  /// What was taken in the last hour, without what the server itself removed; nil before that can be told.
  package let bytesPerHour: Int?

  private static let warningHours = 24.0

  /// Hours until it is full, at the rate of the last hour; nil where nothing is taken or that cannot be told.
  package var hoursLeft: Double? {
    guard let bytesPerHour, bytesPerHour > 0 else { return nil }
    return Double(freeBytes) / Double(bytesPerHour)
  }

  /// What to say where it is full within a day.
  var warning: String? {
    guard let hoursLeft, hoursLeft < Self.warningHours else { return nil }
    return "the disk is full in \((hoursLeft * 10).rounded() / 10) hours, at the rate of the last hour"
  }
}

/// Watches how the room on a disk goes.
struct DiskWatch {
  private var samples: [(time: ContinuousClock.Instant, free: Int)] = []
  private var total = 0
  /// Bytes that were given back since the first sample, and when.
  private var removed: [(time: ContinuousClock.Instant, byteCount: Int)] = []

  private static let (window, shortest) = (Duration.seconds(3600), Duration.seconds(600))
  private static let removedMax = 10_000
  /// So that what it says, and is written down, does not change with each file.
  private static let grain = 1 << 24

  /// Takes what is free now.
  mutating func add(free: Int, total: Int, now: ContinuousClock.Instant) {
    samples.append((now, free))
    self.total = total
    // The one before the last hour is where it begins.
    while samples.count > 2, now - samples[1].time >= Self.window { samples.removeFirst() }
    removed.removeAll { $0.time <= samples[0].time }
  }

  /// Bytes that the server gave back: they hide how fast the disk fills.
  mutating func note(removed byteCount: Int, now: ContinuousClock.Instant) {
    guard byteCount > 0, removed.count < Self.removedMax else { return }
    removed.append((now, byteCount))
  }

  /// As it is now; nil before the first sample.
  var forecast: DiskForecast? {
    guard let first = samples.first, let last = samples.last else { return nil }
    let time = last.time - first.time
    let taken = first.free - last.free + removed.reduce(0) { $0 + $1.byteCount }
    let rate = time < Self.shortest ? nil : Int(Double(max(0, taken)) / (time / .seconds(3600)))
    func rounded(_ bytes: Int) -> Int { bytes / Self.grain * Self.grain }
    return DiskForecast(freeBytes: rounded(last.free), totalBytes: total, bytesPerHour: rate.map(rounded))
  }
}
