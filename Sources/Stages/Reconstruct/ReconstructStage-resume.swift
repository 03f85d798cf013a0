import Host
import Rings
import RunModel
import Tomography
import Topics

/// What of a worker's updates is in its topic already.
enum Reports {
  /// Nothing.
  case none
  /// All up to this one. Generations rise; within the final iterations, which makes one generation, blocks and then
  /// iterations.
  case through(UpdateEvent)
  /// All, and the end.
  case ended(EndEvent)

  func contain(_ update: UpdateEvent) -> Bool {
    switch self {
    case .none: false
    case .through(let last):
      (update.generation, update.rows.lowerBound, update.index) <= (last.generation, last.rows.lowerBound, last.index)
    case .ended: true
    }
  }
}

// What a worker's successor does before it goes on: a first worker finds nothing to do here.
extension ReconstructStage {
  /// Looks for what the predecessor reported.
  func findReports() throws {
    guard let (header, metadata) = try updates.lastEvent() else { return }
    reports = try metadata.withUnsafeBytes { bytes in
      header.kind == .end ? .ended(try EndEvent(decoding: bytes)) : .through(try UpdateEvent(decoding: bytes))
    }
  }

  /// Whether the predecessor had closed `updates`, and the volume is the one that it closed them with.
  var isFinished: Bool {
    if case .ended(let end) = reports { end.generation == volume.newest.number } else { false }
  }

  /// Gives back every order that the finished volume contains: they come again where their journal was damaged,
  /// and a writer waits for its readers.
  func passOrders() throws {
    let cursor = volume.newest.cursor
    if cursor <= orders.published { try orders.skip(to: cursor) }
    while orders.cursor <= cursor {
      let event = try limits.next(orders, of: "orders")
      try orders.release(upTo: event.header.sequence + 1)
    }
  }

  /// Takes over what the newest generation contains, all orders before `start`: how many projections they were, and the
  /// flats and darks. No projection is read before an update needs it.
  func takeOver(before start: UInt64) throws {
    if try !takeOverQuickly(before: start) {
      // One order after the other: some are made again, which a checkpoint has and their journal lost, or fields came
      // among the projections.
      while orders.position < start {
        let event = try limits.next(orders, of: "orders")
        try replay(event)
        FaultPoint.unreleased.reach()
        try orders.release(upTo: event.header.sequence + 1)
      }
    }
  }

  /// The same without the orders between: the last one says how many projections there were, those before it which the
  /// window needs, and the first ones are about the fields. False where that is not so; then nothing was done.
  private func takeOverQuickly(before start: UInt64) throws -> Bool {
    guard start > 0 else { return true }
    guard start <= orders.published else { return false }
    let progress = try order(start - 1).progress
    guard progress.lateFields == 0, progress.orders <= Int(start),
      (1...configuration.projectionsMax).contains(progress.projections),
      let newest = try newestProjections(of: progress.projections, before: start),
      let fields = try firstFields(progress.fields)
    else { return false }
    if let axis = progress.axis { try turn(about: axis) }
    applied.begin(after: progress.projections)
    applied.insertBefore(newest)
    for (role, image) in fields { _ = try remember(role, image, ordinal: 0, isBehind: false) }
    duplicates = Int(start) - progress.orders
    try orders.skip(to: start)
    return true
  }

  /// The last of `count` projections, as many as a window has of the newest ones, from the orders before `start`; nil
  /// where their numbers are others.
  private func newestProjections(of count: Int, before start: UInt64) throws -> [AppliedProjections.Projection]? {
    var newest: [AppliedProjections.Projection] = []
    let wanted = min(count, max(configuration.windows.slots(projections: count), 1))
    for number in (0..<start).reversed() {
      if newest.count == wanted { break }
      guard case .rows(.projection, let sequence, let ordinal, let theta) = try order(number).order else { continue }
      guard ordinal == count - 1 - newest.count else { return nil }
      newest.append(AppliedProjections.Projection(sequence: sequence, theta: theta))
    }
    return newest.count == wanted ? newest.reversed() : nil
  }

  /// What the first `count` orders say of flats and darks; nil where one of them is about something else.
  private func firstFields(_ count: Int) throws -> [(ImageRole, AppliedProjections.Projection)]? {
    var fields: [(ImageRole, AppliedProjections.Projection)] = []
    for number in 0..<UInt64(count) {
      guard case .rows(let role, let sequence, _, let theta) = try order(number).order, role != .projection else {
        return nil
      }
      fields.append((role, AppliedProjections.Projection(sequence: sequence, theta: theta)))
    }
    return fields
  }

  /// Looks up the projections that a restart did without: the final iterations need all.
  func recallProjections() throws {
    guard applied.firstKnown > 0 else { return }
    var older: [AppliedProjections.Projection] = []
    older.reserveCapacity(applied.firstKnown)
    for number in 0..<orders.position {
      if older.count == applied.firstKnown { break }
      guard case .rows(.projection, let sequence, older.count, let theta) = try order(number).order else { continue }
      older.append(AppliedProjections.Projection(sequence: sequence, theta: theta))
    }
    guard older.count == applied.firstKnown else {
      throw StageError.disorder("the orders name \(older.count) of the first \(applied.firstKnown) projections")
    }
    applied.insertBefore(older)
  }

  /// An order that was applied, and how far distribute was with it.
  func order(_ number: UInt64) throws -> (order: WorkerOrder, progress: DistributionProgress) {
    let event = try orders.event(at: number)
    guard event.header.kind == .order else {
      throw StageError.disorder("\(event.header.kind) in orders at \(number), before the cursor of the volume")
    }
    return (
      try WorkerOrder(decoding: event.metadata, rows: configuration.rows),
      try DistributionProgress(decoding: event.metadata)
    )
  }

  /// Takes from an event that the newest generation contains already what later updates need: fields and angles, no
  /// computation.
  private func replay(_ event: Event) throws {
    guard event.header.kind == .order else {
      throw StageError.disorder(
        "\(event.header.kind) in orders at \(event.header.sequence), before the cursor of the volume")
    }
    let order = try WorkerOrder(decoding: event.metadata, rows: configuration.rows)
    switch order {
    case .rows(let role, let sequence, let ordinal, let theta):
      let image = AppliedProjections.Projection(sequence: sequence, theta: theta)
      _ = try remember(role, image, ordinal: ordinal, isBehind: applied.count > 0)
    case .axis(let found, _, _): try turn(about: found)
    case .update, .final: break
    }
  }
}
