import Fabric
import Host
import Rings

/// What nodes have registered, leased and made of a run, as the buckets of the servers say it. What cannot be read
/// there stops nothing: it is for people, but for the parts, which an edge that waits for them asks for again and
/// again.
final class FabricWatch {
  private let run: RunID
  private let granules: Granules
  private let wanted: UplinkConfiguration.Wanted?
  private let noticed: (String) -> Void
  private let write: ([PartRecord]) throws -> Bool
  private var stores: (run: FabricStore, leases: FabricStore, nodes: FabricStore)?
  private var nodes: [NodeRecord] = []
  private var leases: [Int: (record: LeaseRecord, revision: UInt64)] = [:]
  private var parts: [Int: PartRecord] = [:]
  /// Whether they are left behind as they are.
  private var areWritten = true
  /// What they say of slices; nil where nobody needs it.
  private var scores: HeardScores?
  private var scoresHeardAt: Double?
  private var told: Set<String> = []
  private var due = ContinuousClock.now
  /// When something changed last in what nodes say.
  private var lastSign = ContinuousClock.now

  private static let (interval, intervalOfScores) = (Duration.seconds(2), Duration.milliseconds(500))
  /// The same, where the servers do not say.
  private static let intervalRefused: Duration = .seconds(60)
  private static let toldMax = 64

  /// `hearsScores` says whether anybody needs them; `noticed` hears of parts, and of what is none; `write` leaves all
  /// of them behind, or gives false where there is no room at present.
  init(
    run: RunID, granules: Granules, wanted: UplinkConfiguration.Wanted?, hearsScores: Bool = false,
    noticed: @escaping (String) -> Void, write: @escaping ([PartRecord]) throws -> Bool
  ) {
    (self.run, self.granules, self.wanted) = (run, granules, wanted)
    (self.noticed, self.write) = (noticed, write)
    scores = hearsScores ? HeardScores(run: run, granules: granules) : nil
  }

  /// Looks by another connection from now on.
  func attach(_ connection: FabricConnection) throws(FabricError) {
    stores = (
      try FabricStore(connection, run: run), try FabricStore(connection, leasesOf: run),
      try FabricStore(nodes: connection)
    )
  }

  /// Whether parts are missing that are waited for, or their list is, and still may come.
  var isWaiting: Bool { wanted != nil && !(missing.isEmpty && areWritten) && !isGivenUp }

  /// Whether nothing was heard of nodes for too long.
  private var isGivenUp: Bool { wanted.map { ContinuousClock.now - lastSign >= $0.patience } ?? false }

  /// Granules that are awaited.
  private var missing: [Int] { wanted?.granules.filter { parts[$0] == nil } ?? [] }

  /// The scan is on the servers: from now on it is nodes that are waited for.
  func begin() { lastSign = .now }

  /// Looks what nodes have done, now and then.
  func turn() throws {
    guard ContinuousClock.now >= due, let stores else { return }
    due = .now + (scores == nil ? Self.interval : Self.intervalOfScores)
    do throws(FabricError) {
      try lookAtParts(stores.run)
      try lookAtLeases(stores.leases)
      nodes = try Self.all(stores.nodes).compactMap { key, entry in
        guard let node = try? NodeRecord(decoding: entry.value, what: key), node.node == key else { return nil }
        return node
      }.sorted { $0.node < $1.node }
    } catch {
      if wanted == nil { due = .now + Self.intervalRefused }
      switch error {
      // Servers that are away are the uplink's to tell.
      case .unreachable, .closed: throw error
      default: tell("\(error)")
      }
    }
  }

  /// The values of a bucket; none where it is not there.
  private static func all(_ store: FabricStore) throws(FabricError) -> [String: FabricStore.Entry] {
    do throws(FabricError) { return try store.all() } catch {
      guard case .missing = error else { throw error }
      return [:]
    }
  }

  private func lookAtParts(_ store: FabricStore) throws(FabricError) {
    let keys = Set(try store.keys())
    let new = (0..<granules.count).filter { parts[$0] == nil && keys.contains(FabricNames.part($0)) }
    var found: [String: FabricStore.Entry] = [:]
    for granule in new { found[FabricNames.part(granule)] = try store.get(FabricNames.part(granule)) }
    for part in PartRecord.parts(in: found, of: granules, notice: tell) {
      parts[part.granule] = part
      lastSign = .now
      noticed("node \(part.node) has made granule \(part.granule)")
    }
    // Who lost everything has lost these as well.
    for (granule, part) in parts where !keys.contains(FabricNames.part(granule)) {
      do throws(FabricError) { try store.create(FabricNames.part(granule), part.encoded()) } catch {
        guard case .conflict = error else { throw error }
      }
    }
    guard !new.isEmpty || !areWritten else { return }
    let all = parts.values.sorted { $0.granule < $1.granule }
    areWritten = true
    do { areWritten = try write(all) } catch { tell("the list of parts cannot be written: \(error)") }
  }

  private func lookAtLeases(_ store: FabricStore) throws(FabricError) {
    let entries = try Self.all(store)
    var now: [Int: (record: LeaseRecord, revision: UInt64)] = [:]
    for granule in 0..<granules.count {
      let key = FabricNames.lease(granule), entry = entries[key]
      let lease = entry.flatMap { try? LeaseRecord(decoding: $0.value, what: key) }
      scores?.take(granule, lease, revision: entry?.revision, now: .now)
      guard let entry, let lease else { continue }
      now[granule] = (lease, entry.revision)
      if leases[granule]?.revision != entry.revision { lastSign = .now }
    }
    leases = now
    if scores != nil { scoresHeardAt = Machine.realtime.rounded(.down) }
  }

  private func tell(_ words: String) {
    guard told.count < Self.toldMax, told.insert(words).inserted else { return }
    noticed(words)
  }

  /// Says how it stands.
  func note(in report: inout UplinkReport) {
    var states: [String: Int] = [:]
    for granule in 0..<granules.count {
      let state = parts[granule] != nil ? "made" : leases[granule]?.record.state.rawValue ?? "free"
      states[state, default: 0] += 1
    }
    let isKnown = wanted != nil || !nodes.isEmpty || !leases.isEmpty || !parts.isEmpty
    report.granules = isKnown ? states : nil
    report.nodes =
      isKnown
      ? nodes.map { node in
        UplinkReport.Node(
          name: node.node, version: node.version, cores: node.cores,
          granules: leases.filter { $0.value.record.node == node.node && parts[$0.key] == nil }.keys.sorted())
      } : nil
    if let scores {
      report.scores = scores.reports(without: Set(parts.keys), now: .now)
      (report.scoresHeardAt, report.scoresDamaged) = (scoresHeardAt, scores.damaged)
    }
    report.nodesExpected = wanted?.nodes
    report.missing = wanted == nil ? nil : missing
  }
}
