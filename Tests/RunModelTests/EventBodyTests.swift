import Host
import Rings
import RunModel
import Testing

@Suite struct EventBodyTests {
  /// Encodes into a slot's worth of metadata and gives what was used.
  private func bytes(_ encode: (UnsafeMutableRawBufferPointer) -> Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0xAA, count: 256)
    let used = bytes.withUnsafeMutableBytes(encode)
    return Array(bytes[..<used])
  }

  private static let orders: [WorkerOrder] = [
    .rows(role: .projection, sequence: 17, ordinal: 5, theta: -0.1),
    .rows(role: .flat, sequence: 0, ordinal: 0),
    .rows(role: .dark, sequence: 1 << 43, ordinal: 9),
    .update(index: 3, projections: 2..<26, iterations: 2),
    .update(index: 3, projections: 6..<30, every: 9, iterations: 2),
    .update(
      index: 40, projections: 40..<41,
      spread: [.init(ordinal: 3, sequence: 12, theta: 0.25), .init(ordinal: 40, sequence: 1 << 43, theta: -7)],
      iterations: 1),
    .final(iterations: 20, subsets: 4, projections: 181),
    .axis(FoundAxis(31.4375, error: 0.0625), projections: 48, startsOver: false),
    .axis(FoundAxis(1e-3, error: 0), projections: 181, startsOver: true),
  ]

  @Test(arguments: orders, [3..<10, 0..<1, 100..<200])
  func `An order comes back as it was written`(order: WorkerOrder, rows: Range<Int>) throws {
    let written = bytes { order.encode(into: $0, rows: rows, progress: Self.progress) }
    #expect(written.count == WorkerOrder.byteCount + 24 * spread(order).count)
    #expect(try written.withUnsafeBytes { try WorkerOrder(decoding: $0, rows: rows) } == order)
    #expect(try written.withUnsafeBytes { try DistributionProgress(decoding: $0) } == Self.progress)
  }

  private func spread(_ order: WorkerOrder) -> [WorkerOrder.SpreadProjection] {
    if case .update(_, _, _, let spread, _) = order { spread } else { [] }
  }

  @Test func `An order has room for the most spread projections, which rise and lie below the end`() throws {
    let order = { (ordinals: [Int], end: Int, theta: Double) in
      WorkerOrder.update(
        index: 0, projections: end - 1..<end,
        spread: ordinals.map { .init(ordinal: $0, sequence: UInt64($0), theta: theta) }, iterations: 1)
    }
    let decoded = { (order: WorkerOrder, change: (inout [UInt8]) -> Void) in
      var metadata = [UInt8](repeating: 0, count: 3968)
      let used = metadata.withUnsafeMutableBytes { order.encode(into: $0, rows: 0..<1, progress: Self.progress) }
      change(&metadata)
      return try metadata[..<used].withUnsafeBytes { try WorkerOrder(decoding: $0, rows: 0..<1) }
    }
    let most = order(Array(100..<100 + WorkerOrder.spreadMax), 1000, 0.5)
    #expect(try decoded(most) { _ in } == most)
    let two = order([4, 9], 11, 0.5)
    // More than there is room for, more than there are, an ordinal twice, one beyond the end, a theta that is none.
    for (offset, byte) in [(36, UInt8(65)), (36, 3), (36, 1), (128, 9), (152, 11), (152, 4), (128 + 22, 0xF0)] {
      #expect(throws: EventError.self, "\(byte) at \(offset)") {
        try decoded(two) {
          $0[offset] = byte
          if offset == 150 { $0[151] = 0x7F }
        }
      }
    }
    #expect(throws: EventError.self) { try decoded(Self.orders[0]) { $0[36] = 1 } }
  }

  @Test(arguments: [2..<10, 3..<11, 3..<9, 10..<17, 3..<3])
  func `An order to take rows is refused by a worker of others`(rows: Range<Int>) {
    let written = bytes { Self.orders[0].encode(into: $0, rows: 3..<10, progress: Self.progress) }
    let refusal = EventError.malformed("an order for rows 3..<10 came to the worker of rows \(rows)")
    #expect(throws: refusal) { try written.withUnsafeBytes { try WorkerOrder(decoding: $0, rows: rows) } }
  }

  private static let progress = {
    var progress = DistributionProgress()
    (progress.input, progress.projections, progress.updates, progress.end, progress.isFinalOrdered) = (
      1 << 40, 181, 204, .signal, true
    )
    (progress.windowEnd, progress.updateInterval, progress.acquired) = (204, 8, 182)
    (progress.fields, progress.lateFields) = (30, 10)
    (progress.level, progress.decimation, progress.isCoarse) = (2, 64, true)
    (progress.axis, progress.axisOrders, progress.axisSought) = (FoundAxis(12.75, error: 0.5), 3, 162)
    return progress
  }()

  @Test func `Progress comes back in every state`() throws {
    for end in [nil] + EndEvent.Reason.allCases.map(Optional.some) {
      for (isFinalOrdered, isAxisFinal) in [(false, false), (true, false), (false, true), (true, true)] {
        var progress = DistributionProgress()
        (progress.end, progress.isFinalOrdered, progress.isAxisFinal) = (end, isFinalOrdered, isAxisFinal)
        let written = bytes { Self.orders[0].encode(into: $0, rows: 0..<1, progress: progress) }
        #expect(try written.withUnsafeBytes { try DistributionProgress(decoding: $0) } == progress)
      }
    }
  }

  @Test func `An axis that is none is refused, in an order and in what is known after it`() throws {
    let order = WorkerOrder.axis(FoundAxis(31.5, error: 0.25), projections: 48, startsOver: true)
    func decoded(_ offset: Int, _ value: some FixedWidthInteger) throws -> (WorkerOrder, DistributionProgress) {
      var written = bytes { order.encode(into: $0, rows: 0..<1, progress: Self.progress) }
      written.withUnsafeMutableBytes { $0.storeBytes(of: value, toByteOffset: offset, as: type(of: value)) }
      return try written.withUnsafeBytes {
        (try WorkerOrder(decoding: $0, rows: 0..<1), try DistributionProgress(decoding: $0))
      }
    }
    #expect(try decoded(40, 31.5.bitPattern).0 == order)
    // The axis and its error, of both.
    for (axis, error) in [(40, 16), (104, 112)] {
      for value in [Double.nan, .infinity, 0, -3] {
        #expect(throws: EventError.self, "\(value) at \(axis)") { try decoded(axis, value.bitPattern) }
      }
      for value in [Double.nan, .infinity, -0.25] {
        #expect(throws: EventError.self, "\(value) at \(error)") { try decoded(error, value.bitPattern) }
      }
    }
    #expect(throws: EventError.self) { try decoded(4, UInt32(2)) }
    #expect(throws: EventError.self) { try decoded(8, UInt64.max) }
    #expect(throws: EventError.self) { try decoded(68, UInt32(1024)) }
  }

  @Test func `How far the filters are comes back, and no more fields than events`() throws {
    var progress = CorrectionProgress()
    for (sequence, kind) in [EventKind.dark, .flat, .flat, .projection, .flat, .projection].enumerated() {
      progress.note(kind, sequence: UInt64(2 * sequence))
    }
    #expect(progress.input == 11 && progress.fields == 4)
    var written = bytes(progress.encode)
    #expect(try written.withUnsafeBytes { try CorrectionProgress(decoding: $0) } == progress)
    #expect(throws: EventError.self) {
      try written.dropLast().withUnsafeBytes { try CorrectionProgress(decoding: $0) }
    }
    written[8] = 12
    #expect(throws: EventError.self) { try written.withUnsafeBytes { try CorrectionProgress(decoding: $0) } }
  }

  private let update = UpdateEvent(
    phase: .final, index: 7, iterations: 1, cursor: 900, generation: 12, projections: 0..<181, rows: 4..<8,
    residualSquared: 0.25,
    dataSquared: 16, duration: 1_000_000, pixels: .init(nonFinite: 1, clamped: 2, dead: 3, negative: 4))

  @Test func `An update event comes back as it was written`() throws {
    let written = bytes(update.encode)
    #expect(written.count == UpdateEvent.byteCount)
    #expect(try written.withUnsafeBytes { try UpdateEvent(decoding: $0) } == update)
  }

  @Test func `An update event says how many spread projections it covers`() throws {
    var update = update
    update.spread = 2
    var written = bytes(update.encode)
    #expect(try written.withUnsafeBytes { try UpdateEvent(decoding: $0) } == update)
    written[2] = 65
    #expect(throws: EventError.self) { try written.withUnsafeBytes { try UpdateEvent(decoding: $0) } }
  }

  @Test func `An update comes back with how well its rows fit, and not with fits of other rows`() throws {
    var told = update
    told.rows = 4..<7
    told.fits = (1...3).map { row in
      RowFit(
        noise: 0.01 * Float(row), weight: 2e-4, scale: 0.02, residual: row == 2 ? .infinity : 1.25,
        isFloat: row == 3, outgrownCount: row - 1)
    }
    let written = bytes(told.encodeReport)
    #expect(written.count == UpdateEvent.byteCount + 72)
    #expect(try written.withUnsafeBytes { try UpdateEvent(decoding: $0) } == told)
    told.fits = []
    #expect(try bytes(told.encodeReport).withUnsafeBytes { try UpdateEvent(decoding: $0) } == told)
    for count in [UpdateEvent.byteCount + 24, written.count - 1] {
      #expect(throws: EventError.self) { try written[..<count].withUnsafeBytes { try UpdateEvent(decoding: $0) } }
    }
  }

  @Test func `A window's update comes back with when its projections came, and not with times without meaning`() throws
  {
    var told = update
    told.phase = .window
    told.timing = UpdateTiming(acquired: 1 << 60...(1 << 60) + 9, published: (1 << 60) + 20, count: 3, level: 2)
    let written = bytes(told.encodeReport)
    #expect(written.count == UpdateEvent.byteCount + 32)
    #expect(try written.withUnsafeBytes { try UpdateEvent(decoding: $0) } == told)
    // Oldest behind the newest, none, and a level that there cannot be.
    for (offset, byte) in [(127, UInt8(0)), (136, 0), (141, 1)] {
      var wrong = written
      wrong[offset] = byte
      #expect(throws: EventError.self, "\(offset)") { try wrong.withUnsafeBytes { try UpdateEvent(decoding: $0) } }
    }
    // Of final iterations it is nothing.
    told.phase = .final
    #expect(bytes(told.encodeReport).count == UpdateEvent.byteCount)
  }

  @Test func `An order for a window with nothing to use, and a decimation that there cannot be, are refused`() throws {
    func decoded(_ order: WorkerOrder, _ offset: Int, _ value: UInt8) throws -> (WorkerOrder, DistributionProgress) {
      var written = bytes { order.encode(into: $0, rows: 0..<1, progress: Self.progress) }
      written[offset] = value
      return try written.withUnsafeBytes {
        (try WorkerOrder(decoding: $0, rows: 0..<1), try DistributionProgress(decoding: $0))
      }
    }
    let order = WorkerOrder.update(index: 3, projections: 6..<11, every: 9, iterations: 2)
    #expect(try decoded(order, 32, 10).0 == .update(index: 3, projections: 6..<11, every: 10, iterations: 2))
    for (offset, value) in [(32, UInt8(11)), (32, 65), (94, 65), (93, 2)] {
      #expect(throws: EventError.self, "\(value) at \(offset)") { try decoded(order, offset, value) }
    }
  }

  @Test(arguments: EndEvent.Reason.allCases) func `An end event comes back as it was written`(reason: EndEvent.Reason)
    throws
  {
    let end = EndEvent(reason: reason, projections: 181, duplicates: 2)
    #expect(try bytes(end.encode).withUnsafeBytes { try EndEvent(decoding: $0) } == end)
  }

  @Test func `An end event says whether the sample leaves the detector where that was looked for`() throws {
    for leaves in [nil, false, true] {
      let written = bytes(EndEvent(reason: .sourceEnded, projections: 9, sampleLeaves: leaves).encode)
      // Without it, it is what earlier builds wrote.
      #expect(written.count == (leaves == nil ? 40 : 48))
      #expect(try written.withUnsafeBytes { try EndEvent(decoding: $0) }.sampleLeaves == leaves)
    }
    var written = bytes(EndEvent(reason: .sourceEnded, projections: 9, sampleLeaves: true).encode)
    for value: UInt64 in [0, 3, 1 << 32 | 1] {
      written.withUnsafeMutableBytes { $0.storeBytes(of: value, toByteOffset: 40, as: UInt64.self) }
      #expect(throws: EventError.self) { try written.withUnsafeBytes { try EndEvent(decoding: $0) } }
    }
  }

  private static let commands = [
    CommandEvent(cause: .person, words: "anna"),
    CommandEvent(cause: .similarity, projections: 96, words: "control: MS-SSIM 0,96 ≥ 0,95"),
    CommandEvent(cause: .similarity, projections: 96, late: 0, words: "control"),
    CommandEvent(cause: .similarity, projections: 96, late: 1 << 40, words: "control"),
    CommandEvent(cause: .divergence, projections: 1 << 43, words: String(repeating: "ä", count: 300)),
  ]

  @Test(arguments: commands) func `A command comes back as it was written`(command: CommandEvent) throws {
    var metadata = [UInt8](repeating: 0xAA, count: 1024)
    let used = metadata.withUnsafeMutableBytes(command.encode)
    #expect(try metadata[..<used].withUnsafeBytes { try CommandEvent(decoding: $0) } == command)
    #expect(command.words.utf8.count <= CommandEvent.wordsMax)
    for count in Array(0..<used) + [used + 1] {
      #expect(throws: EventError.self) { try metadata[..<count].withUnsafeBytes { try CommandEvent(decoding: $0) } }
    }
  }

  private static let score = ScoreEvent(
    worker: 3,
    SliceScore(
      update: 117, projections: 118, against: 94, similarity: 0.9625, streak: 2, black: -0.25, white: 1.5), truth: nil)

  @Test func `A score comes back as it was written, and one without meaning does not`() throws {
    var other = Self.score
    (other.against, other.similarity, other.truth, other.isSettled) = (nil, nil, 0, false)
    for score in [Self.score, other] {
      #expect(try bytes(score.encode).withUnsafeBytes { try ScoreEvent(decoding: $0) } == score)
    }
    for (offset, value) in [
      (32, 1.5), (32, -0.5), (40, Double.infinity), (48, 1.5), (48, Double.nan), (56, Double.infinity),
    ] {
      var written = bytes(Self.score.encode)
      written.withUnsafeMutableBytes { $0.storeBytes(of: value.bitPattern, toByteOffset: offset, as: UInt64.self) }
      #expect(throws: EventError.self) { try written.withUnsafeBytes { try ScoreEvent(decoding: $0) } }
    }
  }

  @Test func `Metadata of another length is malformed`() {
    for count in [0, 1, 41, 47, 49, 63, 65, 104, 111, 113, 128] {
      let bytes = [UInt8](repeating: 0, count: count)
      #expect(throws: EventError.self) { try bytes.withUnsafeBytes { try WorkerOrder(decoding: $0, rows: 0..<0) } }
      #expect(throws: EventError.self) { try bytes.withUnsafeBytes { try UpdateEvent(decoding: $0) } }
      #expect(throws: EventError.self) { try bytes.withUnsafeBytes { try EndEvent(decoding: $0) } }
      #expect(throws: EventError.self) { try bytes.withUnsafeBytes { try ScoreEvent(decoding: $0) } }
    }
  }

  @Test func `Random metadata is decoded or malformed and never a crash`() {
    let seed: UInt64 = 20_261_121
    var random = SplitMix64(seed: seed)
    for round in 0..<20_000 {
      // A known event with a few bits flipped reaches further into the decoder than noise does.
      let order = Self.orders[round / 2 % Self.orders.count]
      var written =
        switch round % 4 {
        case 0: bytes { order.encode(into: $0, rows: 3..<10, progress: Self.progress) }
        case 1: bytes(update.encode)
        case 2: bytes(Self.score.encode)
        default: bytes(Self.commands[1].encode)
        }
      for _ in 0..<Int.random(in: 1...8, using: &random) {
        written[Int.random(in: 0..<written.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      }
      written.withUnsafeBytes { bytes in
        _ = try? DistributionProgress(decoding: bytes)
        _ = try? CommandEvent(decoding: bytes)
        _ = try? ScoreEvent(decoding: bytes)
        if bytes.count >= WorkerOrder.byteCount, let order = try? WorkerOrder(decoding: bytes, rows: 3..<10) {
          #expect(isSound(order), "seed \(seed), round \(round): \(order)")
        }
        if bytes.count == UpdateEvent.byteCount, let update = try? UpdateEvent(decoding: bytes) {
          #expect(update.projections.upperBound <= 1 << 44, "seed \(seed), round \(round): \(update)")
        }
      }
    }
  }

  /// What a worker relies on without checking again.
  private func isSound(_ order: WorkerOrder) -> Bool {
    switch order {
    case .rows(_, _, let ordinal, let theta): ordinal >= 0 && theta.isFinite
    case .update(let index, let projections, let every, let spread, let iterations):
      index >= 0 && projections.contains { $0 % every == 0 } && iterations > 0
        && spread.allSatisfy { (0..<projections.upperBound).contains($0.ordinal) && $0.theta.isFinite }
    case .final(let iterations, let subsets, let projections): iterations > 0 && subsets > 0 && projections >= 0
    case .axis(let found, let projections, _):
      found.axis.isFinite && found.axis > 0 && found.error.isFinite && found.error >= 0 && projections >= 0
    }
  }
}
