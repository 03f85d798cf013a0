import Glibc
import Host
import Rings
import Synchronization
import Topics

/// Reads the worker's rows of every projection on a thread of its own, a pass over the projections for some rows after
/// the other, ahead of who computes with them, as far as its memory goes.
///
/// ```
/// this thread    read ─ check ─ copy ──► batches, filled and emptied in turns ──► correct ─ iterate   who computes
/// ```
///
/// Every row is read once, and what lies around it is not: the checksums of each projection's bands are kept between
/// the passes.
final class RowReadAhead: @unchecked Sendable {
  private let projections: TopicReader
  private let applied: [AppliedProjections.Projection]
  private let passes: [Range<Int>]
  private let first: Int
  private let columns: Int
  private let batches: [RowBatch]
  // Batches that were filled and emptied since the start: the thread fills number `filled`, and who computes empties
  // number `emptied`, so no batch is used by both.
  private let filled = Atomic<Int>(0)
  private let emptied = Atomic<Int>(0)
  private let isStopping = Atomic<Bool>(false)
  private let failure = Mutex<(any Error)?>(nil)
  private var thread: pthread_t?

  /// How often each side looks for the other.
  private static let pollMicroseconds: UInt32 = 50

  /// Reads the rows of each of `passes` (rows of the worker, whose first one is row `first` of an image), of all that
  /// were applied. From here until this object goes nobody else uses `projections`.
  init(
    _ projections: TopicReader, _ applied: [AppliedProjections.Projection], passes: [Range<Int>], from first: Int,
    columns: Int, threads: Int
  ) throws(HostError) {
    self.projections = projections
    self.applied = applied
    self.passes = passes
    (self.first, self.columns) = (first, columns)
    let rows = passes.map(\.count).max() ?? 1
    let size = Self.batches(rows: rows, columns: columns, threads: threads, projections: applied.count * passes.count)
    batches = (0..<size.count).map { _ in RowBatch(capacity: size.capacity, rowCount: rows, columns: columns) }
    var id = pthread_t()
    // Sound: the thread is joined before this object goes, so the unretained reference is valid as long as it runs.
    let error = pthread_create(
      &id, nil,
      { argument in
        Unmanaged<RowReadAhead>.fromOpaque(argument!).takeUnretainedValue().run()
        return nil
      }, Unmanaged.passUnretained(self).toOpaque())
    guard error == 0 else {
      throw .system(call: "pthread_create", subject: "read-ahead", errno: Errno(rawValue: error))
    }
    thread = id
  }

  /// Ends the reading, before this object goes.
  func stop() {
    isStopping.store(true, ordering: .releasing)
    if let thread { pthread_join(thread, nil) }
    thread = nil
  }

  deinit { stop() }

  /// The next rows, in the order of the passes and of the projections: those of one pass. Waits for them at most
  /// `limit`. To be emptied before the next call.
  func next(limit: Duration) throws -> RowBatch {
    let number = emptied.load(ordering: .relaxed), deadline = Deadline(after: limit)
    // SYNC next → run: what was filled is seen after the count.
    while filled.load(ordering: .acquiring) == number {
      if let failure = failure.withLock({ $0 }) { throw failure }
      guard !deadline.hasPassed else { throw StageError.stalled("the rows of projections were not read in \(limit)") }
      usleep(Self.pollMicroseconds)
    }
    return batches[number % batches.count]
  }

  /// Gives the batch of the last `next` back.
  func empty() {
    let number = emptied.load(ordering: .relaxed)
    precondition(number < filled.load(ordering: .relaxed), "batch \(number) was never filled")
    batches[number % batches.count].removeAll()
    // SYNC empty → run: what was read of the batch was read before it is filled again.
    emptied.store(number + 1, ordering: .releasing)
  }

  private func run() {
    do { try readAll() } catch { failure.withLock { $0 = error } }
  }

  private func readAll() throws {
    var tables = [BandTable?](repeating: nil, count: passes.count > 1 ? applied.count : 0)
    for pass in passes {
      var batch: RowBatch?
      let rows = first + pass.lowerBound..<first + pass.upperBound
      for (ordinal, projection) in applied.enumerated() {
        guard let open = try batch ?? freeBatch() else { return }
        var table = tables.isEmpty ? nil : tables[ordinal]
        let event = try projections.event(at: projection.sequence, rows: rows, table: &table)
        if !tables.isEmpty { tables[ordinal] = table }
        open.add(try RowPixels(event, rows: rows, columns: columns), rows: pass, slot: ordinal)
        batch = open.isFull || ordinal == applied.count - 1 ? nil : open
        // SYNC run → next: see there.
        if batch == nil { filled.add(1, ordering: .releasing) }
      }
    }
  }

  /// The batch to be filled, once it is free; nil where the reading was ended.
  private func freeBatch() throws -> RowBatch? {
    let number = filled.load(ordering: .relaxed)
    // SYNC run → empty: see there. Who computes may take as long as it likes, and ends this when it goes.
    while number - emptied.load(ordering: .acquiring) == batches.count {
      if isStopping.load(ordering: .acquiring) { return nil }
      usleep(Self.pollMicroseconds)
    }
    return isStopping.load(ordering: .acquiring) ? nil : batches[number % batches.count]
  }
}

// Memory: what is read ahead does not grow with the scan.
extension RowReadAhead {
  /// Bytes that are read ahead, if that is two batches at least.
  private static let byteCountMax = 64 << 20
  private static let batchByteCount = 4 << 20

  private static func batches(
    rows: Int, columns: Int, threads: Int, projections: Int
  ) -> (count: Int, capacity: Int) {
    let part = RowBatch.byteCount(rowCount: rows, columns: columns)
    let capacity = max(threads, min(batchByteCount / part, 256), 1)
    let needed = (projections + capacity - 1) / capacity
    return (max(2, min(byteCountMax / (capacity * part), needed)), capacity)
  }

  /// Bytes of the batches for so many projections in all passes.
  static func byteCount(rows: Int, columns: Int, threads: Int, projections: Int) -> Int {
    let size = batches(rows: rows, columns: columns, threads: threads, projections: projections)
    return size.count * size.capacity * RowBatch.byteCount(rowCount: rows, columns: columns)
  }
}
