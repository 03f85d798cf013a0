import Rings
import RunModel

/// How long the newest projection will have waited when the volume has it, as the slowest worker goes on.
struct UpdateWait {
  private let workers: [RingObserver]
  private var known: [Known]

  /// What is known of a worker.
  private struct Known {
    /// Updates that it has reported, and when the last one was, in nanoseconds since 1970.
    var reported = 0
    var reportedAt: UInt64?
    /// Whether there was another one to make at once when it had reported that one.
    var wasBusy = false
    /// Seconds of one.
    var seconds: Double?
  }

  /// Updates over which a worker's seconds are averaged.
  private static let averaged = 8.0

  /// One observer a worker, or none.
  init(_ workers: [RingObserver]) {
    self.workers = workers
    known = workers.map { _ in Known() }
  }

  /// Seconds from when the newest projection was acquired, at `acquiredAt` (0: unknown), to the end of the last of the
  /// first `ordered` updates, at `now` in nanoseconds since 1970.
  mutating func seconds(ordered: Int, acquiredAt: UInt64, now: UInt64) -> Double {
    let age = acquiredAt > 0 && acquiredAt < now ? Double(now - acquiredAt) / 1e9 : 0
    return age + (workers.indices.map { wait(for: $0, ordered: ordered, now: now) }.max() ?? 0)
  }

  private mutating func wait(for worker: Int, ordered: Int, now: UInt64) -> Double {
    look(at: worker, ordered: ordered)
    let known = known[worker], waiting = ordered - known.reported
    guard waiting > 0 else { return 0 }
    // A worker that is stopped reports nothing.
    let silence = known.reportedAt.map { $0 < now ? Double(now - $0) / 1e9 : 0 } ?? 0
    let expected = Double(waiting) * (known.seconds ?? 0)
    return known.wasBusy ? max(expected, silence) : expected
  }

  /// Takes note of a worker's newest report. What cannot be read now is read at the next look.
  private mutating func look(at worker: Int, ordered: Int) {
    guard let (header, metadata) = (try? workers[worker].latest()) ?? nil, header.kind == .update,
      let update = metadata.withUnsafeBytes({ try? UpdateEvent(decoding: $0) }), update.phase == .window,
      update.index >= known[worker].reported
    else { return }
    let before = known[worker], count = update.index + 1 - before.reported
    var (seconds, weight) = (Double(update.duration) / 1e9, 1 / Self.averaged)
    if before.wasBusy, let at = before.reportedAt, at < header.acquiredAt {
      // All that it does between two of them.
      seconds = Double(header.acquiredAt - at) / 1e9 / Double(count)
      weight = min(1, Double(count) / Self.averaged)
    }
    known[worker].seconds = before.seconds.map { $0 + (seconds - $0) * weight } ?? seconds
    (known[worker].reported, known[worker].reportedAt) = (update.index + 1, header.acquiredAt)
    known[worker].wasBusy = ordered > update.index + 1
  }
}
