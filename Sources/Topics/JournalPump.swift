import Glibc
import Host
import Journal
import Rings
import Synchronization

/// A thread that writes what a ring's writer commits to the journal, and publishes what is durable. It owns the
/// journal; the ring's writer stays with the thread that fills slots, so that neither waits for the other.
///
/// ```
/// stage's thread   claim ─ fill ─ commit ──────────── claim …
///                                   │ committed            ▲ lease (readers gave the slot back)
/// this thread            append ─ submit ─ complete ─ publish
/// ```
final class JournalPump: @unchecked Sendable {
  private let ring: RingWriter
  private let journal: JournalWriter
  private let failure = Mutex<JournalError?>(nil)
  /// Set with `failure`, and cheaper to look at for each event.
  private let hasFailed = Atomic<Bool>(false)
  /// Counts commits and the request to stop; the thread sleeps on it.
  private let bell: UnsafeMutablePointer<UInt32>
  private let isAsleep = Atomic<Bool>(false)
  private let isStopping = Atomic<Bool>(false)
  private let published: Atomic<UInt64>
  private let hasNoRoom = Atomic<Bool>(false)
  private let room: TopicWriter.Room
  private var thread = pthread_t()

  private static let closeLimit: Duration = .seconds(30)
  /// What waits for the disk without a completion gives up after this long; the journal has its own, shorter limits.
  private static let flushLimit: Duration = .seconds(120)

  init(ring: RingWriter, journal: JournalWriter, room: TopicWriter.Room) throws(HostError) {
    precondition(
      journal.identity == ring.ring.specification.identity && journal.stride == ring.ring.specification.slotStride,
      "a journal of \(journal.identity) for ring \(ring.ring.name)")
    precondition(
      journal.state.nextSequence <= ring.nextSequence,
      "ring \(ring.ring.name) goes on at \(ring.nextSequence), its journal at \(journal.state.nextSequence)")
    self.ring = ring
    self.journal = journal
    self.room = room
    bell = .allocate(capacity: 1)
    bell.initialize(to: 0)
    published = Atomic(journal.state.durableThrough)
    ring.publish(through: journal.state.durableThrough)
    let retained = Unmanaged.passRetained(self)
    let error = pthread_create(
      &thread, nil,
      { argument in
        // Sound: the argument is the retained object that was passed below, or nothing is done.
        if let argument { Unmanaged<JournalPump>.fromOpaque(argument).takeRetainedValue().run() }
        return nil
      }, retained.toOpaque())
    guard error == 0 else {
      retained.release()
      throw .system(call: "pthread_create", subject: "journal", errno: Errno(rawValue: error))
    }
  }

  deinit { bell.deallocate() }

  /// Writes what was committed, closes the journal and ends the thread, which keeps this object until then. To be
  /// called once.
  func stop() {
    let wasStopping = isStopping.exchange(true, ordering: .sequentiallyConsistent)
    precondition(!wasStopping, "the journal of ring \(ring.ring.name) is stopped twice")
    ringBell()
    pthread_join(thread, nil)
  }

  /// Throws what stopped the thread.
  func check() throws(JournalError) {
    guard hasFailed.load(ordering: .acquiring) else { return }
    if let error = failure.withLock({ $0 }) { throw error }
  }

  /// Whether what was committed waits for room on the disk. Nothing is lost meanwhile.
  var isDiskFull: Bool { hasNoRoom.load(ordering: .relaxed) }

  /// Says that something was committed.
  func wake() {
    // SYNC commit → sleep: the commit's count is stored before this is read; the thread reads the count after it said
    // that it sleeps.
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    if isAsleep.load(ordering: .sequentiallyConsistent) { ringBell() }
  }

  /// Waits until everything below `sequence` is published, as long as the disk takes something. Where it is full, waits
  /// for room, or with `waitsForRoom` false for nothing more.
  func flush(through sequence: UInt64, waitsForRoom: Bool = true) throws(JournalError) {
    precondition(sequence <= ring.nextSequence, "event \(ring.nextSequence) is not committed, \(sequence) is awaited")
    wake()
    var patience = Patience(room, Self.flushLimit, reached: published.load(ordering: .acquiring))
    while patience.reached < sequence {
      try check()
      if isDiskFull, !waitsForRoom { return }
      try patience.look(
        reached: published.load(ordering: .acquiring), isFull: isDiskFull, folder: "of \(ring.ring.name)")
      usleep(isDiskFull ? 10_000 : 100)
    }
  }

  private func run() {
    do {
      while !isStopping.load(ordering: .acquiring) { if try !step() { sleep() } }
      var patience = Patience(room, Self.closeLimit, reached: journal.state.durableThrough)
      while try step() {
        try patience.look(reached: journal.state.durableThrough, isFull: isDiskFull, folder: "of \(ring.ring.name)")
      }
      try journal.close(timeout: Self.closeLimit)
      precondition(
        journal.state.durableThrough == journal.state.nextSequence, "closed with what is not durable: \(journal.state)")
      ring.publish(through: journal.state.durableThrough)
    } catch {
      failure.withLock { $0 = error }
      hasFailed.store(true, ordering: .releasing)
    }
    note(isFull: false)
  }

  /// Takes note of whether the disk is full, and says so where that changed.
  private func note(isFull: Bool) {
    guard hasNoRoom.exchange(isFull, ordering: .relaxed) != isFull else { return }
    room.changed(isFull)
  }

  /// How long is waited for the disk: as long as it takes something within a limit, and for room on a full one as long
  /// as people are given to make it.
  private struct Patience {
    private let room: TopicWriter.Room
    private let limit: Duration
    private(set) var reached: UInt64
    private var (stalled, full): (Deadline, Deadline)

    init(_ room: TopicWriter.Room, _ limit: Duration, reached: UInt64) {
      (self.room, self.limit, self.reached) = (room, limit, reached)
      (stalled, full) = (Deadline(after: limit), Deadline(after: room.limit))
    }

    /// Throws where nothing was reached for too long.
    mutating func look(reached now: UInt64, isFull: Bool, folder: String) throws(JournalError) {
      if now > reached || isFull { stalled = Deadline(after: limit) }
      if now > reached || !isFull { full = Deadline(after: room.limit) }
      reached = max(reached, now)
      if full.hasPassed { throw .full(folder: folder) }
      if stalled.hasPassed { throw .stalled(folder: folder, waited: limit) }
    }
  }

  /// Moves on what can be moved; false where nothing is left to do.
  private func step() throws(JournalError) -> Bool {
    let committed = ring.committedThrough
    let before = journal.state
    do throws(JournalError) {
      while journal.state.nextSequence < committed {
        try journal.append(ring.slotBytes(journal.state.nextSequence))
        // Where much has waited this goes on for seconds: readers and the writer need what is durable meanwhile.
        announce(journal.state.durableThrough)
      }
    } catch {
      // A full disk or a slow one is back-pressure: the record was not taken and is handed over again, as long as it
      // takes.
      switch error {
      case .full, .stalled: usleep(10_000)
      default: throw error
      }
    }
    var durable = try journal.poll()
    note(isFull: journal.alarm == .journalFull)
    if journal.state.nextSequence > before.nextSequence { FaultPoint.submit.reach() }
    // A full disk is looked at as often as the journal says, which then sleeps.
    let wait: Duration = isDiskFull ? .milliseconds(100) : .milliseconds(1)
    if durable == before.durableThrough { durable = try journal.poll(wait: wait) }
    precondition(
      durable >= before.durableThrough && journal.state.nextSequence >= before.nextSequence,
      "the journal went back from \(before) to \(journal.state)")
    if durable > before.durableThrough { FaultPoint.completion.reach() }
    announce(durable)
    return durable < ring.committedThrough
  }

  /// Publishes what is durable by now; only the pump's thread stores the count.
  private func announce(_ durable: UInt64) {
    precondition(durable <= journal.state.nextSequence, "\(durable) of \(journal.state) would be published")
    guard durable > published.load(ordering: .relaxed) else { return }
    ring.publish(through: durable)
    published.store(durable, ordering: .releasing)
  }

  private func sleep() {
    let count = Atomic<UInt32>.load(bell)
    isAsleep.store(true, ordering: .sequentiallyConsistent)
    // SYNC sleep → commit: that it sleeps is stored before the count is read, whose load alone would not wait for it.
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    if ring.committedThrough == journal.state.nextSequence, !isStopping.load(ordering: .sequentiallyConsistent) {
      Futex.wait(on: bell, while: count, timeout: .milliseconds(100))
    }
    isAsleep.store(false, ordering: .sequentiallyConsistent)
  }

  private func ringBell() {
    Atomic<UInt32>.increment(bell)
    Futex.wake(bell)
  }
}

extension Atomic where Value == UInt32 {
  // Sound: an atomic word has the layout of the word, and the bell is only ever accessed atomically.
  fileprivate static func load(_ word: UnsafeMutablePointer<UInt32>) -> UInt32 {
    UnsafeMutableRawPointer(word).assumingMemoryBound(to: Self.self).pointee.load(ordering: .sequentiallyConsistent)
  }

  fileprivate static func increment(_ word: UnsafeMutablePointer<UInt32>) {
    UnsafeMutableRawPointer(word).assumingMemoryBound(to: Self.self).pointee.add(1, ordering: .sequentiallyConsistent)
  }
}
