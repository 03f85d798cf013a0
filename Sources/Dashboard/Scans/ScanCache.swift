import Serve

/// What a server's folder says of its scans, read once and then again what changed. Lives on the server's thread.
final class ScanCache {
  let catalogue: Catalogue
  private var records: [Int: ScanRecord] = [:]
  private var follower: ChangeFollower
  /// The newest changes.
  private(set) var changes: [ScanChange] = []
  private var (lookDue, progressDue) = (ContinuousClock.now, ContinuousClock.now)
  private var isComplete = false

  private static let (period, progressPeriod) = (Duration.milliseconds(250), Duration.milliseconds(500))
  private static let changesMax = 1000

  init(_ queue: ScanQueue) {
    catalogue = Catalogue(queue)
    follower = ChangeFollower(queue)
  }

  /// The number of the newest change.
  var lastChange: Int { follower.lastID }

  /// Reads what changed. With `isUrgent` at once, for who has just changed something; with `forSomebody` also how far
  /// those are that are being reconstructed, which changes all the time.
  func look(isUrgent: Bool = false, forSomebody: Bool = false, _ now: ContinuousClock.Instant = .now) throws {
    let wantsProgress = isUrgent || (forSomebody && now >= progressDue)
    guard wantsProgress || now >= lookDue else { return }
    lookDue = now + Self.period
    // The follower was made before everything is read for the first time: nothing is missed.
    if !isComplete {
      records = Dictionary(try catalogue.records().map { ($0.number, $0) }) { $1 }
      isComplete = true
    }
    var changed: Set<Int> = []
    while case let newer = follower.next(), !newer.isEmpty {
      changes = (changes + newer).suffix(Self.changesMax)
      changed.formUnion(newer.map(\.scan))
    }
    if wantsProgress {
      progressDue = now + Self.progressPeriod
      changed.formUnion(records.values.filter { $0.state == .running }.map(\.number))
    }
    for number in changed { records[number] = try catalogue.record(number) }
  }

  func record(_ number: Int) -> ScanRecord? { records[number] }

  /// Numbers of the scans that are being reconstructed.
  var running: [Int] { records.values.filter { $0.state == .running }.map(\.number).sorted() }

  /// Scans of which something is to be done, in the order in which they come.
  var queued: [ScanRecord] { records.values.filter { !$0.isOver }.sorted(by: ScanRecord.comesFirst) }

  /// How many scans there are in each state.
  var counts: [QueueEntry.EntryState: Int] { Dictionary(grouping: records.values, by: \.state).mapValues(\.count) }

  /// So many scans with a number below `number`, the newest first; those in `state` where that is given.
  func page(below number: Int, state: QueueEntry.EntryState?, limit: Int) -> [ScanRecord] {
    Array(
      records.values.filter { $0.number < number && (state == nil || $0.state == state) }
        .sorted { $0.number > $1.number }.prefix(limit))
  }

  /// How many there are in `state`, or in all.
  func count(_ state: QueueEntry.EntryState?) -> Int { state.map { counts[$0] ?? 0 } ?? records.count }

  /// Up to `limit` changes behind `id`.
  func changes(after id: Int, limit: Int) -> [ScanChange] {
    guard id < lastChange else { return [] }
    if let first = changes.first, first.id <= id + 1 { return Array(changes.filter { $0.id > id }.prefix(limit)) }
    var older = ChangeFollower(catalogue.queue, after: id)
    return Array(older.next().prefix(limit))
  }
}
