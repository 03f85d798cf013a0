import Rings
import RunModel
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
    while orders.cursor <= volume.newest.cursor {
      let event = try limits.next(orders, of: "orders")
      try orders.release(upTo: event.header.sequence + 1)
    }
  }

  /// Takes from an event that the newest generation contains already what later updates need: fields and angles, no
  /// computation.
  func replay(_ event: Event) throws {
    guard event.header.kind == .order else {
      throw StageError.disorder(
        "\(event.header.kind) in orders at \(event.header.sequence), before the cursor of the volume")
    }
    let order = try WorkerOrder(decoding: event.metadata, rows: configuration.rows)
    if case .rows(let role, let sequence, let ordinal) = order {
      _ = try remember(role, sequence: sequence, ordinal: ordinal)
    }
  }

  /// Reads the window's projections again.
  func refillWindow() throws {
    guard let slots = window?.sinogram.slots else { return }
    for ordinal in max(0, applied.count - slots)..<applied.count {
      try store(projections.event(at: applied[ordinal].sequence), ordinal: ordinal, counting: false)
    }
  }
}
