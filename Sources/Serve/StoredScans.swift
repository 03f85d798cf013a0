import Glibc
import Run

/// What the scans of a queue that are over take on disk, and which of it has had its time. Entries are read again where
/// they changed, and sizes measured bit by bit, so that thousands of scans cost little.
struct StoredScans {
  struct StoredScan {
    fileprivate let stamp: FileStamp
    let state: QueueEntry.EntryState
    let ended: Double
    /// Its run's folder.
    let run: String?
    /// What of it was removed, or is being removed.
    let cleared: ScanClearing?
    /// Bytes of the files that are there: of the volume of a finished scan, else whether anything acquired is there, 1
    /// or 0. Nil where that was not measured.
    fileprivate(set) var byteCount: Int?
    fileprivate var measured: ContinuousClock.Instant?

    init(_ entry: QueueEntry, _ stamp: FileStamp) {
      (self.stamp, state, run, cleared) = (stamp, entry.state, entry.run, entry.cleared)
      ended = entry.ended ?? entry.added
    }
  }

  /// Something to be removed, and the key that asks for it.
  struct DueScan: Equatable {
    let number: Int
    let by: DiskLimits.LimitKey
  }

  private(set) var scans: [Int: StoredScan] = [:]

  /// How long measuring may take at a time, and how long what was measured holds: people move volumes.
  private static let (budget, validity) = (Duration.milliseconds(300), Duration.seconds(3600))

  /// Looks at the entries that changed, and with `measures` at what some of those took that were not measured for long.
  mutating func look(_ queue: ScanQueue, measures: Bool) throws {
    let numbers = try queue.numbers(), there = Set(numbers)
    scans = scans.filter { there.contains($0.key) }
    for number in numbers {
      guard let stamp = FileStamp(path: queue.entryPath(of: number)) else { continue }
      if scans[number]?.stamp == stamp { continue }
      guard let entry = try queue.entryIfWhole(number), entry.isOver else {
        scans[number] = nil
        continue
      }
      scans[number] = StoredScan(entry, stamp)
    }
    guard measures else { return }
    let now = ContinuousClock.now
    let due = scans.filter { $0.value.measured.map { now - $0 > Self.validity } ?? true }
    for (index, (number, scan)) in due.sorted(by: { $0.value.ended < $1.value.ended }).enumerated() {
      // On a machine that has much to do, time passes without anything being measured.
      guard index < 200 || .now - now < Self.budget else { break }
      scans[number]?.byteCount = try Self.byteCount(of: number, scan.state, queue)
      scans[number]?.measured = .now
    }
  }

  /// What a scan left is to be measured again.
  mutating func forget(_ number: Int) { scans[number] = nil }

  private static func byteCount(of number: Int, _ state: QueueEntry.EntryState, _ queue: ScanQueue) throws -> Int {
    guard state == .finished else { return queue.acquired(of: number).contains { access($0, F_OK) == 0 } ? 1 : 0 }
    // What lies elsewhere, as of a server's folder that was moved, is not the server's to remove.
    let outputs = try queue.outputs(of: number).filter { $0.hasPrefix(queue.volumes + "/") }
    return outputs.reduce(0) { $0 + (ScanOutput($1).byteCount ?? 0) }
  }

  /// What is to be removed at the time `now`, the oldest first. The newest volume always stays, and while not all are
  /// measured nothing goes for their size.
  func due(_ limits: DiskLimits, now: Double) -> [DueScan] {
    let there = scans.filter { $0.value.byteCount ?? 0 > 0 }.sorted {
      ($0.value.ended, $0.key) < ($1.value.ended, $1.key)
    }
    // What was begun is brought to its end.
    var due = there.compactMap { number, scan in scan.cleared.map { DueScan(number: number, by: $0.by) } }
    func isOld(_ scan: StoredScan, _ seconds: Double?) -> Bool { seconds.map { scan.ended < now - $0 } ?? false }
    due += there.filter { $0.value.state != .finished && $0.value.cleared == nil && isOld($0.value, limits.keepFailed) }
      .map { DueScan(number: $0.key, by: .keepFailed) }
    let volumes = there.filter { $0.value.state == .finished && $0.value.cleared == nil }.dropLast()
    let old = volumes.prefix { isOld($0.value, limits.keepVolumes) }
    due += old.map { DueScan(number: $0.key, by: .keepVolumes) }
    guard let limit = limits.volumesAtMost, scans.values.allSatisfy({ $0.byteCount != nil }) else { return due }
    var sum = there.filter { $0.value.state == .finished }.reduce(0) { $0 + ($1.value.byteCount ?? 0) }
    sum -= old.reduce(0) { $0 + ($1.value.byteCount ?? 0) }
    for (number, scan) in volumes.dropFirst(old.count) {
      guard sum > limit else { break }
      due.append(DueScan(number: number, by: .volumesAtMost))
      sum -= scan.byteCount ?? 0
    }
    return due
  }
}

extension ScanQueue {
  func entryPath(of number: Int) -> String { "\(folder(of: number))/entry.json" }

  /// Where volumes are.
  var volumes: String { "\(folder)/scans" }

  /// Files and folders of a scan's volume.
  func outputs(of number: Int) throws -> [String] { try JobOutcome.read(folder(of: number))?.result?.outputs ?? [] }

  /// Folders with what was acquired of a scan, that of each of its runs among them.
  func acquired(of number: Int) -> [String] {
    let retries: Int
    do { retries = try entry(number)?.retries ?? 0 } catch { retries = 0 }
    let run = runFolder(of: number)
    return [spool(of: number), run] + (0..<min(max(retries, 0), 1000)).map { "\(run)-\($0 + 1)" }
  }
}
