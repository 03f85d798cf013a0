internal import Rings

/// Walks through a journal's records in their order and decides, by `RecoveryRule.table`, what each is that is not as
/// expected.
struct JournalScan {
  let source: RecordSource
  let catalog: SegmentCatalog
  let depth: RecoveryDepth
  private let extents: [SegmentCatalog.Extent]
  /// All sequences below it were durable: the most that any valid record, page or the caller says.
  private(set) var durableThrough: UInt64
  /// What lies in each slot, in the scope of this scan.
  private var peeked: [Int: [LaterFinding]] = [:]
  /// The headers that were whole, so that they are not read twice.
  private var headers: [UInt64: EventHeader] = [:]
  private(set) var damages: [JournalDamage] = []
  private(set) var losses: [Range<UInt64>] = []
  private(set) var recordCount = 0
  private(set) var epochHighest: UInt64 = 0
  /// Where the scope of this scan begins.
  private(set) var scopeFirst: UInt64 = 0

  /// Where the next record's place is, and what it follows.
  private(set) var position: UInt64 = 0
  private(set) var predecessor = RecordSource.Predecessor(chain: 0, epoch: 0)
  private(set) var endRule: RecoveryRule?

  init(_ source: RecordSource, _ catalog: SegmentCatalog, depth: RecoveryDepth, floor: UInt64) {
    self.source = source
    self.catalog = catalog
    self.depth = depth
    extents = catalog.extents
    precondition(
      zip(extents, extents.dropFirst()).allSatisfy { $0.range.upperBound <= $1.range.lowerBound },
      "segments overlap: \(extents)")
    durableThrough = max(
      floor, catalog.retired?.first ?? 0, catalog.through?.durableThrough ?? 0,
      catalog.segments.map(\.page.durableThrough).max() ?? 0,
      catalog.losses.map(\.durableThrough).max() ?? 0)
    epochHighest = catalog.segments.map(\.page.epoch).max() ?? 0
  }

  /// Whether nothing was ever written here.
  var isBrandNew: Bool {
    catalog.segments.isEmpty && catalog.decisions.isEmpty && catalog.retired == nil && durableThrough == 0
  }

  /// The lowest sequence that is kept.
  var first: UInt64 { extents.first.map(\.range.lowerBound) ?? catalog.retired?.first ?? 0 }

  /// The end of what may be appended to: the last segment, if the journal ends cleanly in it and its file is whole.
  var openSegment: SegmentEntry? {
    guard endRule?.decision == .cleanEnd || !source.rules.keepsTornBytes, let last = catalog.segments.last,
      position >= last.first,
      position < last.capacityEnd,
      UInt64(last.fileByteCount) == last.page.end, !catalog.decisions.contains(where: { $0.decision == .setAside })
    else { return nil }
    return last
  }

  /// Scans to the end, past damage.
  mutating func run() throws(JournalError) {
    let start = scopeStart()
    try peekThrough(from: start)
    begin(at: start)
    scopeFirst = position
    // Each turn moves on by a record, a loss or an extent, or ends.
    while endRule == nil {
      if let loss = lossHere {
        pass(loss)
      } else if let extent = catalog.extent(of: position) {
        try step(in: extent)
      } else if let next = extents.first(where: { $0.range.lowerBound > position }) {
        decide(.missing, later: .record, extent: nil, resume: next.range.lowerBound)
      } else {
        decide(.missing, later: .nothing, extent: nil, resume: nil)
      }
    }
  }

  /// The extent to begin with: all of them, or the newest that begins with what is durable.
  private func scopeStart() -> Int {
    guard depth == .tail else { return 0 }
    return extents.lastIndex { $0.range.lowerBound <= durableThrough } ?? 0
  }

  /// Looks at the header in every slot of the scope: what says how much was durable may lie beyond what is damaged.
  private mutating func peekThrough(from start: Int) throws(JournalError) {
    for extent in extents.dropFirst(start) {
      let segment = catalog.segments[extent.index]
      var found: [LaterFinding] = []
      found.reserveCapacity(extent.range.count)
      for sequence in extent.range {
        let (later, header) = try source.peek(segment, sequence)
        found.append(later)
        if let header {
          if depth == .tail { headers[sequence] = header }
          durableThrough = max(durableThrough, header.durableThrough)
          epochHighest = max(epochHighest, header.epoch)
        }
      }
      peeked[extent.index] = found
    }
  }

  /// Goes to the first record of the scope; before it only the segments' own words are compared.
  private mutating func begin(at start: Int) {
    position = catalog.retired?.first ?? 0
    if let lowest = extents.first, lowest.range.lowerBound < position { position = lowest.range.lowerBound }
    for extent in extents.prefix(start) {
      passLosses()
      if extent.range.lowerBound > position { addDamage(position..<extent.range.lowerBound, .missing) }
      position = max(position, extent.range.upperBound)
    }
    if start < extents.count {
      passLosses()
      if start > 0, extents[start].range.lowerBound > position {
        addDamage(position..<extents[start].range.lowerBound, .missing)
      }
      if start > 0 { position = extents[start].range.lowerBound }
    }
    let page = catalog.extent(of: position).map { catalog.segments[$0.index].page }
    predecessor = RecordSource.Predecessor(chain: page?.first == position ? page?.chain : nil, epoch: page?.epoch ?? 0)
    if position == 0 { predecessor.chain = 0 }
  }

  private mutating func step(in extent: SegmentCatalog.Extent) throws(JournalError) {
    precondition(extent.range.contains(position), "record \(position) is not in \(extent.range)")
    let segment = catalog.segments[extent.index]
    if position == segment.first {
      if source.rules.checksEpoch, segment.page.epoch < predecessor.epoch { return reject(.epochBack, extent) }
      if source.rules.checksChain, let chain = predecessor.chain, chain != segment.page.chain {
        return reject(.chainBroken, extent)
      }
      predecessor = RecordSource.Predecessor(
        chain: segment.page.chain, epoch: max(predecessor.epoch, segment.page.epoch))
    }
    let withPayload = depth == .everything || position >= durableThrough
    if !withPayload, let header = headers[position], case .intact = source.verdict(header, position, after: predecessor)
    {
      return pass(header)
    }
    switch try source.verdict(segment, position, after: predecessor, withPayload: withPayload) {
    case .intact(let header): pass(header)
    case .bad(let finding): reject(finding, extent)
    }
  }

  private mutating func pass(_ header: EventHeader) {
    precondition(header.sequence == position, "record \(header.sequence) in the place of \(position)")
    predecessor = RecordSource.Predecessor(chain: header.chainAfter, epoch: header.epoch)
    position += 1
    recordCount += 1
  }

  private mutating func reject(_ finding: RecordFinding, _ extent: SegmentCatalog.Extent) {
    let later = later(extent)
    decide(finding, later: later.kind, extent: extent, resume: later.record)
  }

  /// What lies after `position`, and the first sequence there with a whole header in its place.
  private func later(_ start: SegmentCatalog.Extent) -> (kind: LaterFinding, record: UInt64?) {
    var kind = LaterFinding.nothing
    for extent in extents where extent.index >= start.index {
      precondition(
        peeked[extent.index]?.count == extent.range.count, "nobody looked at the slots of \(extent.range) before")
      for (sequence, peek) in zip(extent.range, peeked[extent.index] ?? []) where sequence > position {
        if peek == .record { return (.record, sequence) }
        if peek == .garbage { kind = .garbage }
      }
    }
    return (kind, nil)
  }

  /// Applies the table: ends here, or notes the damage and goes on behind it.
  private mutating func decide(
    _ finding: RecordFinding, later: LaterFinding, extent: SegmentCatalog.Extent?, resume: UInt64?
  ) {
    precondition(resume ?? .max > position, "a scan at \(position) would resume at \(resume ?? 0)")
    let isAcknowledged = position < durableThrough && source.rules.protectsAcknowledged
    let rule = RecoveryRule.rule(record: finding, isAcknowledged: isAcknowledged, later: later)
    guard rule.decision == .corruption else {
      endRule = rule
      return
    }
    if let resume, resume <= durableThrough || extent == nil {
      addDamage(position..<resume, finding)
      position = resume
      predecessor.chain = nil
    } else {
      // Nothing behind it was acknowledged but what is missing: the damage reaches to there, and the journal ends.
      addDamage(position..<max(position, durableThrough), finding)
      position = max(position, durableThrough)
      endRule = rule
    }
  }

  private mutating func addDamage(_ range: Range<UInt64>, _ finding: RecordFinding) {
    precondition(
      damages.last?.upperBound ?? 0 <= range.lowerBound, "damage of \(range) is noted after \(damages)")
    damages.append(JournalDamage(lowerBound: range.lowerBound, upperBound: range.upperBound, finding: finding))
  }

  /// What salvage gave up from this place on, or from one that the scope leaves out, unless a segment was begun here
  /// since.
  private var lossHere: ControlPage? {
    let found = catalog.losses.last { $0.first == position || $0.first < position && position < $0.end }
    guard let loss = found else { return nil }
    return catalog.extent(of: position).map { catalog.segments[$0.index].number > loss.number } ?? false ? nil : loss
  }

  /// Goes past records that were given up; a cut without records ends what the segments of that time hold.
  private mutating func pass(_ loss: ControlPage) {
    precondition(
      loss.first <= position && loss.first <= loss.end, "a loss of \(loss.first) to \(loss.end) at record \(position)")
    if loss.first == loss.end {
      endRule = RecoveryRule.rule(record: .torn, isAcknowledged: false, later: .garbage)
    } else {
      // Before the scope it may have been passed already.
      if losses.last != loss.first..<loss.end { losses.append(loss.first..<loss.end) }
      position = loss.end
      predecessor.chain = loss.chain
    }
  }

  private mutating func passLosses() {
    while let loss = lossHere, loss.first < loss.end { pass(loss) }
  }
}
