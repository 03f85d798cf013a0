import Fabric
import Glibc
import Host
import Rings
import RunModel
import Topics

/// The edge's end of a fabric: publishes what is durable, in order, and answers nodes that ask for what their streams
/// do not have. A fabric that is slow or away stops nothing: what the ring has no more is read from the journal.
final class Uplink {
  private let configuration: UplinkConfiguration
  private let images: TopicFollower
  private let pace: OrderedPace?
  private let previews: PreviewThread?
  /// The event that waits for its order.
  private var unordered: UInt64?
  private let stopRequested: () -> Bool
  private let didWork: () -> Void
  private let noticed: (String) -> Void
  private let write: (UplinkReport) throws -> Bool
  private let rules: FabricRules
  private var isStopping = false
  /// An event that salvage gave up, behind which no node can go on.
  private var isBroken = false
  private var report: UplinkReport
  /// What was done over connections before this one.
  private var before: UplinkReport
  private var written: UplinkReport?
  private var told = ContinuousClock.now
  private var link: Link?
  /// What the publisher before this one knew to be the edge's in the streams.
  private var proven: [UInt64]?
  /// Streams of which nobody says anything.
  private let silence = StreamSilence()
  private var backOff = BackOff()
  /// The topic's last event, once it came, and what stands in place of its own metadata.
  private var end: (sequence: UInt64, metadata: [UInt8])?
  /// When servers last did what was asked of them.
  private var lastGood = ContinuousClock.now
  private var checked = ContinuousClock.now
  /// Checks in a row, after everything was acknowledged, that found all of it.
  private var agreements = 0
  private let watch: FabricWatch
  /// Whether rows are packed, where that is decided as it goes.
  private var choice: PackingChoice?
  private let idleCores: () -> Double?
  /// Nil where nodes keep their slices.
  private let slices: SliceKeeper?
  /// Bytes that were acknowledged when it was last told.
  private var bytesBefore: UInt64 = 0

  /// What there is while servers answer.
  private struct Link {
    let publisher: BandPublisher
    let replays: ReplayService
    let store: FabricStore
    /// F9: nobody else publishes this run; nil where the rule is taken away.
    let lease: FabricLease?
  }

  /// How long it sleeps where no event comes, while the scan goes on: answers of servers, and nodes, wait meanwhile. An
  /// event wakes it.
  private static let poll: Duration = .milliseconds(20)
  /// How often it is looked what there is to do, once the end came.
  private static let lastPoll: Duration = .milliseconds(20)
  private static let (checkInterval, lastCheckInterval) = (Duration.seconds(5), Duration.milliseconds(500))
  private static let (agreementsMin, tellInterval) = (2, Duration.seconds(1))
  /// Requests of nodes that are answered between two events, and bytes while there is no event to publish.
  private static let (requestsMax, idleByteCountMax) = (8, 8 << 20)
  /// Faults of streams that are listed; streams that are removed and filled again because somebody else published in
  /// them, before it is given up.
  private static let (faultsMax, replacedMax) = (16, 16)

  /// `pace` says what nodes are to know of updates, nil where all are made; `previews` shows some images beside.
  /// `noticed` hears of what was done, `write` leaves behind how it stands, and `writeParts` what nodes have made;
  /// false of these where there is no room. `idleCores` says how many cores had nothing to do since it was last asked.
  init(
    _ configuration: UplinkConfiguration, images: TopicFollower, pace: OrderedPace? = nil,
    previews: PreviewThread? = nil, stopRequested: @escaping () -> Bool, didWork: @escaping () -> Void,
    noticed: @escaping (String) -> Void,
    write: @escaping (UplinkReport) throws -> Bool, writeParts: @escaping ([PartRecord]) throws -> Bool = { _ in true },
    idleCores: @escaping () -> Double? = IdleCores.looks(), rules: FabricRules = FabricRules()
  ) {
    watch = FabricWatch(
      run: configuration.topic.identity.runID, granules: configuration.granules, wanted: configuration.wanted,
      hearsScores: configuration.hearsScores, noticed: noticed, write: writeParts)
    slices = configuration.returned.map { returned in
      SliceKeeper(slices: returned.slices, columns: returned.columns, noticed: noticed)
    }
    (self.configuration, self.images, self.stopRequested) = (configuration, images, stopRequested)
    (self.pace, self.previews, self.idleCores) = (pace, previews, idleCores)
    (self.didWork, self.noticed, self.write) = (didWork, noticed, write)
    self.rules = rules
    choice = configuration.policy == .auto ? PackingChoice() : nil
    report = UplinkReport(fabric: "\(configuration.address)")
    before = report
  }

  /// Runs until all is acknowledged, it is asked to end, or servers stay away too long after the end of the scan.
  func run() throws {
    var isDone = false
    while !isDone, !isStopped() {
      do {
        isDone = try step(link ?? connect())
      } catch let error as FabricError {
        try suffer(error)
        isDone = try isGivenUp()
      }
      try tell()
    }
    previews?.end(isComplete: isComplete)
    try tell(isOver: true)
    noticed("\(report.words)")
    // One that comes later need not wait.
    do throws(FabricError) { try link?.lease?.release() } catch { noticed("\(error)") }
  }

  /// Connects, and publishes the plan before anything else. Nobody else publishes the run's images then.
  private func connect() throws -> Link {
    let connection = try FabricConnection(configuration.address, name: "slipring uplink", sends: true, patience: .zero)
    let store = try FabricStore(connection, run: configuration.topic.identity.runID)
    try slices?.attach(SliceStream(connection, run: configuration.topic.identity.runID), store)
    try publishPlan(store)
    let lease = rules.leasesUplink ? try takeLease(connection) : nil
    let publisher = try BandPublisher(
      connection, topic: configuration.topic, granules: configuration.granules, eventsMax: configuration.eventsMax,
      messageByteCountMax: configuration.messageByteCountMax, proven: proven, silence: silence)
    let replays = try ReplayService(connection, topic: configuration.topic, granules: configuration.granules) {
      [unowned self] sequence, _ in try self.event(sequence)
    }
    publisher.packs = choice?.packs ?? (configuration.policy == .compress)
    replays.packs = publisher.packs
    try watch.attach(connection)
    noticed("connected to the fabric \(configuration.address)")
    let link = Link(publisher: publisher, replays: replays, store: store, lease: lease)
    self.link = link
    return link
  }

  /// The right to publish the run. What died before, of this very run's uplink, holds nothing against it.
  private func takeLease(_ connection: FabricConnection) throws(FabricError) -> FabricLease {
    let run = configuration.topic.identity.runID, store = try FabricStore(connection, leasesOf: run)
    let record = LeaseRecord(
      node: FabricNames.node(Machine.hostName), state: .reading, holder: configuration.holder)
    try makeBucket(store)
    try makeBucket(FabricStore(nodes: connection))
    if let lease = try FabricLease.take(FabricNames.uplink, in: store, record) { return lease }
    let holder = try store.get(FabricNames.uplink).flatMap { entry throws(FabricError) in
      try LeaseRecord(decoding: entry.value, what: FabricNames.uplink).node
    }
    throw .held("the uplink of run \(run)", by: holder ?? "somebody")
  }

  /// A bucket whose values vanish. Servers with little room left refuse to make what they have.
  private func makeBucket(_ store: FabricStore) throws(FabricError) {
    do throws(FabricError) { _ = try store.get(FabricNames.uplink) } catch {
      guard case .missing = error else { throw error }
      try store.make(lifetime: FabricNames.lifetime)
    }
  }

  /// Renews the right to publish, where it is time.
  private func keepLease(_ link: Link) throws(FabricError) {
    guard let lease = link.lease, lease.isDue else { return }
    (lease.record.cursor, lease.record.of) = (link.publisher.acknowledged, images.published)
    try lease.renew()
    guard lease.isLost else { return }
    throw .held("the uplink of run \(configuration.topic.identity.runID)", by: "somebody else")
  }

  /// Where it is there already, a life before has published it; where it is there no more, somebody removed it.
  private func publishPlan(_ store: FabricStore) throws {
    let key = UplinkConfiguration.planKey
    var found: FabricStore.Entry?
    do throws(FabricError) { found = try store.get(key) } catch {
      // Only then: a server with little room left refuses to make what it has.
      guard case .missing = error else { throw error }
      try store.make()
    }
    guard let entry = found else {
      try store.create(key, configuration.plan)
      return
    }
    guard entry.value != configuration.plan else { return }
    noticed("somebody else had written the plan of the run on the fabric: it is written again")
    try store.put(key, configuration.plan)
  }

  /// An event that nodes may have; nil where it was given up, and before its order is there.
  private func event(_ sequence: UInt64) throws -> EdgeEvent? {
    unordered = nil
    guard sequence < images.published, case .event(let event) = try images.arrival(at: sequence) else { return nil }
    if event.header.kind == .end { return EdgeEvent(event, metadata: try endMetadata(event)) }
    guard let pace else { return EdgeEvent(event) }
    switch try pace.interval(from: sequence) {
    case .ordered(let interval): return EdgeEvent(event, interval: interval)
    case .open:
      unordered = sequence
      return nil
    case .lost: return nil
    }
  }

  /// The next thing to do; true where nothing is left.
  private func step(_ link: Link) throws -> Bool {
    try keepLease(link)
    if case .interrupted(let reason) = link.publisher.state, try !resume(link, after: reason) { return true }
    let acknowledged = link.publisher.acknowledged, isBusy = try publishNext(link.publisher)
    let hasAnswered = try answer(link, isBusy)
    if !isBusy, !hasAnswered, end == nil, link.publisher.state == .flowing {
      if let pace, unordered == link.publisher.published {
        pace.awaitOrder(timeout: Self.poll)
      } else {
        _ = images.awaitEvent(link.publisher.published, timeout: Self.poll)
      }
    }
    let state = try link.publisher.pump(timeout: isBusy || hasAnswered || end == nil ? .zero : Self.lastPoll)
    if state == .flowing, link.publisher.acknowledged > acknowledged || link.publisher.inFlight == 0 { noteGood() }
    try slices?.turn()
    if state == .flowing { try watch.turn() }
    previews?.note(
      acknowledged: before.bytes + link.publisher.counts.bytes, isBehind: isBusy || link.publisher.inFlight > 0)
    return try isBroken || !isBusy && look(at: link) && !watch.isWaiting
  }

  /// Answers nodes that ask for events: with as many bytes as an event has, while there are events to publish, so that
  /// who asks for everything again takes half of the link at most. Whether somebody asked.
  private func answer(_ link: Link, _ isBusy: Bool) throws -> Bool {
    var hasAnswered = false
    var left = isBusy ? configuration.messageByteCountMax * configuration.granules.count : Self.idleByteCountMax
    for _ in 0..<Self.requestsMax where left > 0 {
      guard let sent = try link.replays.serve(timeout: .zero, byteCountMax: left) else { return hasAnswered }
      (left, hasAnswered) = (left - sent, true)
    }
    return hasAnswered
  }

  /// Asks where the streams are; false where servers have refused everything for too long after the end of the scan.
  private func resume(_ link: Link, after reason: String) throws -> Bool {
    agreements = 0
    if link.publisher.hasBegun {
      noticed("asking where the streams are: \(reason)")
      report.away = reason
      if try isGivenUp() { return false }
      wait(backOff.fail())
    }
    try noteEnd()
    link.publisher.end = end?.sequence
    _ = try link.publisher.synchronise()
    try link.publisher.compare(below: images.published, event)
    report.note(link.publisher, served: link.replays.served, after: before)
    guard report.replaced <= Self.replacedMax else {
      report.away =
        "somebody else publishes in the streams of the run, again and again; give the servers keys (Tools/fabric keys)"
      isBroken = true
      return false
    }
    // Who lost streams may have lost the plan as well.
    try publishPlan(link.store)
    return true
  }

  /// Publishes an event that some stream lacks; false where there is none.
  private func publishNext(_ publisher: BandPublisher) throws -> Bool {
    let sequence = publisher.published
    guard publisher.state == .flowing, sequence < images.published, !isEnded(before: sequence) else { return false }
    guard let event = try event(sequence) else {
      // Nodes are told with an image which updates follow it.
      if unordered == sequence { return false }
      report.away =
        "event \(sequence) of \(configuration.images.name) was given up by salvage; nodes cannot go on behind it"
      isBroken = true
      return false
    }
    let state = try publisher.publish(event)
    if case .flowing = state { didWork() }
    return true
  }

  /// Looks whether the topic's last event is there: a life before may have published it.
  private func noteEnd() throws {
    if end == nil, images.published > 0 { _ = try event(images.published - 1) }
  }

  private func isEnded(before sequence: UInt64) -> Bool { end.map { sequence > $0.sequence } ?? false }

  /// The end's metadata, with what nodes cannot see.
  private func endMetadata(_ event: Event) throws -> [UInt8] {
    if let end { return end.metadata }
    let sequence = event.header.sequence
    var told = try EndEvent(decoding: event.metadata)
    // What was read of the journal is gone with the next event.
    if let look = configuration.look { told.sampleLeaves = try look.leaves(images, before: sequence) }
    let metadata = [UInt8](unsafeUninitializedCapacity: EventHeader.metadataCapacity) { buffer, count in
      count = told.encode(into: UnsafeMutableRawBufferPointer(buffer))
    }
    end = (sequence, metadata)
    return metadata
  }

  /// Compares the streams with what they have acknowledged, now and then; true where they have everything.
  private func look(at link: Link) throws -> Bool {
    let publisher = link.publisher
    let isWhole = end.map { publisher.acknowledged > $0.sequence } ?? false
    let isAgreed = agreements >= Self.agreementsMin
    guard ContinuousClock.now - checked >= (isWhole && !isAgreed ? Self.lastCheckInterval : Self.checkInterval) else {
      return isAgreed
    }
    checked = .now
    try noteEnd()
    publisher.end = end?.sequence
    if isWhole { try publishPlan(link.store) }
    let faults = try publisher.check()
    let words = faults.prefix(Self.faultsMax).map { "\($0)" }
    words.filter { !report.faults.contains($0) }.forEach(noticed)
    report.faults = words
    agreements = isWhole && !faults.contains(where: \.isMendable) ? agreements + 1 : 0
    if agreements == Self.agreementsMin, !isAgreed { watch.begin() }
    return agreements >= Self.agreementsMin
  }

  private func noteGood() {
    lastGood = .now
    if !isBroken { report.away = nil }
    backOff.succeed()
  }

  /// Waits, after servers did not do what was asked of them.
  private func suffer(_ error: FabricError) throws {
    if report.away == nil { noticed("\(error)") }
    if let words = silence.takeWords() { noticed(words) }
    if let link {
      proven = link.publisher.proven
      report.note(link.publisher, served: link.replays.served, after: before)
    }
    (report.away, before) = ("\(error)", report)
    (link, agreements) = (nil, 0)
    wait(backOff.fail())
  }

  /// Whether somebody asked for the end.
  private func isStopped() -> Bool {
    isStopping = isStopping || stopRequested()
    return isStopping
  }

  /// Waits as long as nobody asks for the end.
  private func wait(_ duration: Duration) {
    let deadline = Deadline(after: duration)
    while !deadline.hasPassed, !isStopped() {
      usleep(UInt32(max(.zero, min(deadline.remaining, Self.poll)) / .microseconds(1)))
    }
  }
}

// What becomes of it.
extension Uplink {
  /// Whether all is acknowledged.
  private var isComplete: Bool {
    guard let end, let link else { return false }
    return link.publisher.acknowledged > end.sequence
  }

  /// Whether the scan is over and servers stay away.
  private func isGivenUp() throws -> Bool {
    guard ContinuousClock.now - lastGood >= configuration.patience else { return false }
    return try end != nil || event(images.published &- 1)?.event.header.kind == .end
  }

  /// Looks whether rows are to be packed, where nobody has decided that. Without servers nothing is learnt.
  private func choosePacking() {
    guard let link, choice != nil, case let idle = idleCores(), link.publisher.state == .flowing else { return }
    // What waits for its order does not wait for the link.
    let known = unordered == nil ? images.published : link.publisher.published
    choice?.look(lag: known - min(known, link.publisher.acknowledged), idleCores: idle)
    guard let packs = choice?.packs, packs != link.publisher.packs else { return }
    (link.publisher.packs, link.replays.packs, report.isPacking) = (packs, packs, packs)
    noticed(packs ? "the link does not keep up, and a core idles: rows are compressed" : "rows go up as they are again")
  }

  /// Leaves behind how it stands, now and then, and in the end.
  private func tell(isOver: Bool = false) throws {
    guard isOver || ContinuousClock.now - told >= Self.tellInterval else { return }
    let sinceTold = max(.milliseconds(1), ContinuousClock.now - told)
    told = .now
    if let link { report.note(link.publisher, served: link.replays.served, after: before) }
    watch.note(in: &report)
    report.preview = previews?.report
    report.bytesPerSecond = Double(report.bytes - min(report.bytes, bytesBefore)) / (sinceTold / .seconds(1))
    bytesBefore = report.bytes
    report.events = images.published
    (report.isComplete, report.isOver) = (isComplete, isOver)
    choosePacking()
    guard report != written else { return }
    written = try write(report) ? report : nil
  }
}
