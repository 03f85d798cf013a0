import Rings
import Topics

// What a worker's successor does before it goes on: a first worker finds nothing to do here.
extension ReconstructStage {
  /// Whether the predecessor had closed `updates`.
  func isFinished() throws -> Bool { try lastReport()?.header.kind == .end }

  /// Reports the newest generation's update where the predecessor died between the flip and the report.
  func reportUnreported() throws {
    guard let update = try volume.newestUpdate(), update.phase == .window else { return }
    if let (_, metadata) = try lastReport() {
      let reported = try metadata.withUnsafeBytes { try UpdateEvent(decoding: $0) }
      guard reported.generation < update.generation else { return }
    }
    try report(update)
  }

  /// The update of the final sweep that was reported last, if the predecessor died in the sweep that makes `generation`.
  func lastReportedSweep(generation: UInt64) throws -> UpdateEvent? {
    guard let (header, metadata) = try lastReport(), header.kind == .update else { return nil }
    let update = try metadata.withUnsafeBytes { try UpdateEvent(decoding: $0) }
    return update.phase == .final && update.generation == generation ? update : nil
  }

  private func lastReport() throws -> (header: EventHeader, metadata: [UInt8])? { try RingObserver(ring: updates.ring).latest() }

  /// Takes from an event that the newest generation contains already what later updates need: fields and angles, no computation.
  func replay(_ event: Event) throws {
    guard event.header.kind == .chunk else {
      throw StageError.disorder("\(event.header.kind) in chunks at \(event.header.sequence), before the cursor of the volume")
    }
    if case .rows(let role, let sequence, _, let ordinal) = try ChunkEvent(decoding: event.metadata) {
      _ = try remember(role, sequence: sequence, ordinal: ordinal)
    }
  }

  /// Reads the window's projections again.
  func refillWindow() throws {
    guard let slots = window?.sinogram.slots else { return }
    for ordinal in max(0, applied.count - slots)..<applied.count {
      try store(projections.event(at: applied[ordinal].sequence), ordinal: ordinal)
    }
  }
}
