/// The right of one process to something, for as long as it renews it: a granule (F8), or the uplink of a run (F9). Use
/// from one thread at a time.
///
/// Who takes it creates a value, which the servers let vanish where nobody writes it again. The holder counts from when
/// it asked for the last renewal that was granted, which is earlier than any server does, so it knows that it has lost
/// the right before anybody else can get it.
package final class FabricLease {
  /// What is leased.
  package let key: String
  /// What others read of it; what is changed here is told with the next renewal.
  package var record: LeaseRecord
  private let store: FabricStore
  private let rules: FabricRules
  private let lifetime: Duration
  private var revision: UInt64
  /// When the last renewal that was granted was asked for.
  private var renewed: ContinuousClock.Instant
  private var isTaken = false

  /// A holder stops this long before the servers forget it, a quarter of the lifetime: what it has started takes a
  /// while to end.
  private static let margin = 4

  private init(
    _ key: String, _ store: FabricStore, _ record: LeaseRecord, revision: UInt64, at renewed: ContinuousClock.Instant,
    lifetime: Duration, _ rules: FabricRules
  ) {
    (self.key, self.store, self.record, self.revision, self.renewed) = (key, store, record, revision, renewed)
    (self.lifetime, self.rules) = (lifetime, rules)
    self.record.epoch = revision
  }

  /// Takes what `key` names in a bucket whose values live for `lifetime`; nil where somebody has it. A holder that
  /// `record` names gets what it had before at once.
  package static func take(
    _ key: String, in store: FabricStore, _ record: LeaseRecord, lifetime: Duration = FabricNames.lifetime,
    rules: FabricRules = FabricRules()
  ) throws(FabricError) -> FabricLease? {
    let now = ContinuousClock.now
    let revision: UInt64
    do throws(FabricError) {
      revision =
        rules.createsLeases ? try store.create(key, record.encoded()) : try store.put(key, record.encoded())
    } catch {
      guard case .conflict = error else { throw error }
      guard let holder = record.holder, let entry = try store.get(key),
        try LeaseRecord(decoding: entry.value, what: key).holder == holder
      else { return nil }
      revision = try store.update(key, record.encoded(), after: entry.revision)
    }
    return FabricLease(key, store, record, revision: revision, at: now, lifetime: lifetime, rules)
  }

  /// Whether it is time to renew it.
  package var isDue: Bool { ContinuousClock.now - renewed >= lifetime / 3 }

  /// How long nobody else can have it; none, where somebody may have.
  var remaining: Duration {
    if isTaken { return .zero }
    guard rules.endsLeases else { return lifetime }
    return max(.zero, lifetime - lifetime / Self.margin - (ContinuousClock.now - renewed))
  }

  /// Whether somebody else may have it.
  package var isLost: Bool { remaining <= .zero }

  /// Renews some of one bucket, all at once. One that somebody else has is lost then; where the servers do not answer
  /// all of them stay as they are.
  package static func renew(_ leases: [FabricLease]) throws(FabricError) {
    guard let store = leases.first?.store else { return }
    for lease in leases { precondition(lease.store === store, "leases of two buckets") }
    // What has lapsed may be somebody else's by now, and is taken anew or not at all.
    let held = leases.filter { !$0.isLost }, now = ContinuousClock.now
    let changes = held.map { ($0.key, $0.record.encoded(), $0.revision) }
    for (lease, revision) in zip(held, try store.update(changes)) {
      if let revision {
        (lease.revision, lease.renewed) = (revision, now)
      } else {
        try lease.reclaim()
      }
    }
  }

  /// Renews it.
  package func renew() throws(FabricError) { try Self.renew([self]) }

  /// Another value is there than the one that was known: a renewal whose answer was lost, or somebody else's.
  private func reclaim() throws(FabricError) {
    let now = ContinuousClock.now
    guard let entry = try store.get(key) else { return isTaken = true }
    let found = try LeaseRecord(decoding: entry.value, what: key)
    guard found.node == record.node, found.holder == record.holder, found.epoch == record.epoch,
      let revision = try store.update([(key, record.encoded(), entry.revision)])[0]
    else { return isTaken = true }
    (self.revision, renewed) = (revision, now)
  }

  /// Gives it back, so that somebody else can have it at once; one that is lost already is let be.
  package func release() throws(FabricError) {
    guard !isTaken else { return }
    isTaken = true
    do throws(FabricError) { try store.remove(key, after: revision) } catch {
      guard case .conflict = error else { throw error }
    }
  }
}
