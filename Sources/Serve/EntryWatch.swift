/// Which entries of a queue are to be looked at, so that thousands of scans that are over cost nothing.
///
/// An entry of which something is to be done is looked at every time. Whoever changes one that is over says so in the
/// log of changes, and a new one changes its folder. What neither tells, as of an entry that a person mended, or where
/// the log could not be written, is found when all are looked at, now and then.
struct EntryWatch {
  private let queue: ScanQueue
  private var follower: ChangeFollower
  /// Entries of which something is to be done.
  private var open: Set<Int> = []
  /// The highest number that was seen.
  private var last = 0
  /// The queue's folder when it was read, and when it was like this for the first time.
  private var folder: (stamp: FileStamp, since: ContinuousClock.Instant)?
  private var lookedAtAll: ContinuousClock.Instant?

  /// All entries are looked at so often.
  static let allPeriod: Duration = .seconds(10)
  /// A name that appears within a tick of the clock after its folder was read leaves the folder's time as it was.
  private static let tickMax: Duration = .seconds(2)

  init(_ queue: ScanQueue) {
    self.queue = queue
    follower = ChangeFollower(queue)
  }

  /// Numbers of the entries that are to be looked at now, rising.
  mutating func due(_ now: ContinuousClock.Instant = .now) throws -> [Int] {
    var due = open
    while case let changes = follower.next(), !changes.isEmpty { due.formUnion(changes.map(\.scan)) }
    let isForAll = lookedAtAll.map { now - $0 >= Self.allPeriod } ?? true
    if isFolderChanged(now) || isForAll {
      let numbers = try queue.numbers()
      // One that somebody has removed is none any more.
      if isForAll { (due, open, lookedAtAll) = (Set(numbers), [], now) }
      due.formUnion(numbers.filter { $0 > last })
      last = max(last, numbers.last ?? 0)
    }
    open.formUnion(due)
    return due.sorted()
  }

  /// Nothing is to be done of an entry until somebody changes it.
  mutating func settle(_ number: Int) { open.remove(number) }

  private mutating func isFolderChanged(_ now: ContinuousClock.Instant) -> Bool {
    guard let stamp = FileStamp(path: queue.entries) else { return true }
    if let folder, folder.stamp == stamp { return now - folder.since < Self.tickMax }
    folder = (stamp, now)
    return true
  }
}
