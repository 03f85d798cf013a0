import Glibc
import Run

/// What the scans of a queue take on disk, and which of it has had its time. Entries are read again where they changed,
/// and sizes measured bit by bit, so that thousands of scans cost little.
struct StoredScans {
  struct StoredScan {
    fileprivate let stamp: FileStamp
    let state: QueueEntry.EntryState
    let ended: Double
    /// Its run's folder.
    let run: String?
    /// What of it was removed, or is being removed.
    let cleared: ScanClearing?
    /// What it takes; nil where that was not measured.
    fileprivate(set) var size: Size?
    fileprivate var measured: ContinuousClock.Instant?

    /// What a scan takes of the disk.
    struct Size: Equatable {
      /// Bytes of its volume, of what was written of it before it failed or was removed, or for one that is being
      /// reconstructed of what is going to be written.
      var volume = 0
      /// Whether anything is there that a failed or removed one acquired.
      var hasAcquired = false
    }

    init(_ entry: QueueEntry, _ stamp: FileStamp) {
      (self.stamp, state, run, cleared) = (stamp, entry.state, entry.run, entry.cleared)
      ended = entry.ended ?? entry.added
    }
  }

  /// Something to be removed, and the key that asks for it.
  struct DueScan: Equatable {
    /// What is to go of a scan.
    enum Part: Equatable {
      /// Its volume, or what was written of one.
      case volume
      /// What a failed or removed one acquired.
      case acquired
    }

    let number: Int
    var part = Part.volume
    let by: DiskLimits.LimitKey
  }

  /// Those that are over, and those that are being reconstructed.
  private(set) var scans: [Int: StoredScan] = [:]

  /// How long measuring may take at a time, and how long what was measured holds: people move volumes.
  private static let (budget, validity) = (Duration.milliseconds(300), Duration.seconds(3600))

  /// Looks at the entries that changed, and with `measures` at what some of those take that were not measured for long.
  mutating func look(_ queue: ScanQueue, measures: Bool) throws {
    let numbers = try queue.numbers(), there = Set(numbers)
    scans = scans.filter { there.contains($0.key) }
    for number in numbers {
      guard let stamp = FileStamp(path: queue.entryPath(of: number)) else { continue }
      if scans[number]?.stamp == stamp { continue }
      guard let entry = try queue.entryIfWhole(number), entry.isOver || entry.state == .running else {
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
      let size = try Self.size(of: number, scan, queue)
      scans[number]?.size = size ?? .init()
      // What a run is going to write is known once it is planned.
      scans[number]?.measured = size == nil ? nil : .now
    }
  }

  /// What a scan left is to be measured again.
  mutating func forget(_ number: Int) { scans[number] = nil }

  /// Nil where that is not known yet.
  private static func size(of number: Int, _ scan: StoredScan, _ queue: ScanQueue) throws -> StoredScan.Size? {
    if scan.state == .running {
      // What is wrong with its plan is its job's to say.
      let planned: Int?
      do { planned = try scan.run.flatMap { try RunFolder(path: $0).outputByteCountMax() } } catch { planned = nil }
      return planned.map { .init(volume: $0) }
    }
    // What lies elsewhere, as of a server's folder that was moved, is not the server's to remove.
    let outputs = try queue.written(of: number, scan.state).filter { $0.hasPrefix(queue.volumes + "/") }
    return .init(
      volume: outputs.reduce(0) { $0 + (ScanOutput($1).byteCount ?? 0) },
      hasAcquired: scan.state != .finished && queue.acquired(of: number).contains { access($0, F_OK) == 0 })
  }

  /// What is to be removed at the time `now`, the oldest first. The newest volume always stays, and while not all are
  /// measured nothing goes for their size. What is going to be written counts as what is there.
  func due(_ limits: DiskLimits, now: Double) -> [DueScan] {
    let over = scans.filter { $0.value.state != .running }.sorted {
      ($0.value.ended, $0.key) < ($1.value.ended, $1.key)
    }
    func isOld(_ scan: StoredScan, _ seconds: Double?) -> Bool { seconds.map { scan.ended < now - $0 } ?? false }
    // What was begun is brought to its end.
    var due = over.compactMap { number, scan -> DueScan? in
      guard let cleared = scan.cleared, let size = scan.size else { return nil }
      let part: DueScan.Part = scan.state == .finished ? .volume : .acquired
      guard part == .volume ? size.volume > 0 : size.hasAcquired else { return nil }
      return DueScan(number: number, part: part, by: cleared.by)
    }
    for (number, scan) in over where scan.state != .finished && isOld(scan, limits.keepFailed) {
      // Which files are its run's is written in what was acquired.
      if scan.size?.volume ?? 0 > 0 { due.append(DueScan(number: number, by: .keepFailed)) }
      guard scan.cleared == nil, scan.size?.hasAcquired == true else { continue }
      due.append(DueScan(number: number, part: .acquired, by: .keepFailed))
    }
    let there = over.filter { number, scan in
      scan.size?.volume ?? 0 > 0 && !due.contains { $0.number == number && $0.part == .volume }
    }
    let newest = there.last { $0.value.state == .finished }?.key
    let volumes = there.filter { $0.key != newest }
    let old = volumes.prefix { isOld($0.value, limits.keepVolumes) }
    due += old.map { DueScan(number: $0.key, by: .keepVolumes) }
    guard let limit = limits.volumesAtMost, scans.values.allSatisfy({ $0.size != nil }) else { return due }
    let planned = scans.values.filter { $0.state == .running }
    var sum = (there.map(\.value) + planned).reduce(0) { $0 + ($1.size?.volume ?? 0) }
    sum -= old.reduce(0) { $0 + ($1.value.size?.volume ?? 0) }
    for (number, scan) in volumes.dropFirst(old.count) {
      guard sum > limit else { break }
      due.append(DueScan(number: number, by: .volumesAtMost))
      sum -= scan.size?.volume ?? 0
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

  /// What lies among the volumes of a scan that is over: the volume of a finished one with the notes beside it, else
  /// what was written of one.
  func written(of number: Int, _ state: QueueEntry.EntryState) throws -> [String] {
    let notes = try entry(number)?.output.map { output in OutputFolder.notes.map { "\(output)/\($0)" } } ?? []
    // The list goes first, as it would be wrong.
    if state == .finished { return try notes + outputs(of: number) }
    // The last run of several has the folder.
    for run in runFolders(of: number).reversed() {
      do {
        let written = try RunFolder(path: run).outputs()
        if !written.isEmpty { return notes.filter(written.contains) + written.filter { !notes.contains($0) } }
      } catch {
        // Of a run whose plan cannot be read nobody knows what it wrote.
      }
    }
    return []
  }

  /// Folders with what was acquired of a scan, that of each of its runs among them.
  func acquired(of number: Int) -> [String] { [spool(of: number)] + runFolders(of: number) }

  /// Folders of the runs of a scan, the last one last.
  private func runFolders(of number: Int) -> [String] {
    let retries: Int
    do { retries = try entry(number)?.retries ?? 0 } catch { retries = 0 }
    let run = runFolder(of: number)
    return [run] + (0..<min(max(retries, 0), 1000)).map { "\(run)-\($0 + 1)" }
  }
}
