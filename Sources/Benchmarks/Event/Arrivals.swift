internal import Glibc
internal import Host
internal import Rings
internal import Synchronization
import Topics

/// A thread that reads a topic through a mapping of its own, as another process would, and notes how long each event
/// took to reach it.
///
/// An event's metadata begins with the time (monotonic, ns, u64) that its latency counts from.
final class Arrivals: @unchecked Sendable {
  private let reader: TopicReader
  private let expected: Int
  // Written by the thread, read after it was joined.
  private var latencies: [UInt64] = []
  private var lastArrival: UInt64 = 0
  private var failure: (any Error)?
  private let received = Atomic<Int>(0)
  private let isStopping = Atomic<Bool>(false)
  private var thread: pthread_t?

  /// Attaches to the ring and reads `expected` events.
  init(of ring: Ring, expecting expected: Int) throws {
    let mapping = try Ring.attach(name: ring.name, expecting: ring.specification.identity)
    reader = try TopicReader(RingReader(ring: mapping, reader: 0), history: nil, replaying: false)
    self.expected = expected
    latencies.reserveCapacity(expected)
    var id = pthread_t()
    // Sound: the thread is joined before this object goes, so the unretained reference is valid as long as it runs.
    let error = pthread_create(
      &id, nil,
      { argument in
        Unmanaged<Arrivals>.fromOpaque(argument!).takeUnretainedValue().run()
        return nil
      }, Unmanaged.passUnretained(self).toOpaque())
    guard error == 0 else {
      throw HostError.system(call: "pthread_create", subject: "reader", errno: Errno(rawValue: error))
    }
    thread = id
  }

  deinit {
    isStopping.store(true, ordering: .relaxed)
    join()
  }

  /// Events that arrived.
  var count: Int { received.load(ordering: .acquiring) }

  /// Waits until `count` events have arrived; false where they did not within `timeout`, or the thread failed.
  func wait(for count: Int, timeout: Duration) -> Bool {
    let deadline = Deadline(after: timeout)
    while self.count < count {
      if deadline.hasPassed || isStopping.load(ordering: .relaxed) { return self.count >= count }
      usleep(50)
    }
    return true
  }

  /// The latencies of all events, and when the last one arrived. Throws what the thread met, or if an event is missing
  /// after `timeout`.
  func finish(timeout: Duration) throws -> (latencies: [UInt64], lastArrival: UInt64) {
    let isComplete = wait(for: expected, timeout: timeout)
    isStopping.store(true, ordering: .relaxed)
    join()
    if let failure { throw failure }
    guard isComplete else { throw BenchmarkError.missing(arrived: count, expected: expected) }
    return (latencies, lastArrival)
  }

  private func join() {
    if let thread { pthread_join(thread, nil) }
    thread = nil
  }

  private func run() {
    do {
      while latencies.count < expected, !isStopping.load(ordering: .relaxed) {
        guard let event = try reader.next(timeout: .milliseconds(100)) else { continue }
        let now = Machine.monotonicNanoseconds
        guard event.header.sequence == UInt64(latencies.count), event.metadata.count >= 8 else {
          throw BenchmarkError.disorder(found: event.header.sequence, expected: UInt64(latencies.count))
        }
        let start = event.metadata.loadUnaligned(as: UInt64.self)
        latencies.append(now > start ? now - start : 0)
        lastArrival = now
        try reader.release(upTo: event.header.sequence + 1)
        received.store(latencies.count, ordering: .releasing)
      }
    } catch {
      failure = error
      isStopping.store(true, ordering: .relaxed)
    }
  }
}

/// A benchmark found what must not be.
enum BenchmarkError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Events did not arrive.
  case missing(arrived: Int, expected: Int)
  /// An event came out of its order.
  case disorder(found: UInt64, expected: UInt64)

  /// What happened.
  var description: String {
    switch self {
    case .missing(let arrived, let expected): "only \(arrived) of \(expected) events reached the reader"
    case .disorder(let found, let expected): "event \(found) reached the reader where event \(expected) was next"
    }
  }
}
