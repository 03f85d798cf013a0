package import Host

/// Why a journal cannot go on: one line that says what, where, and what can be done.
package enum JournalError: SysExitError, Sendable, Equatable {
  /// The machine refused something.
  case host(HostError)
  /// Another process has the journal, or its writes are still under way.
  case locked(folder: String, waited: Duration)
  /// Acknowledged records, or what identifies them, are damaged; nothing was changed.
  case corrupted(folder: String, damages: [JournalDamage])
  /// What was handed over is not what the journal needs: another topic's record, a wrong size, a sequence out of turn.
  case refused(folder: String, reason: String)
  /// A writer with this or a later epoch has been here.
  case fenced(folder: String, epoch: UInt64, found: UInt64)
  /// The disk is full. Nothing is lost; the call may be repeated when there is room.
  case full(folder: String)
  /// Nothing was completed for so long. Nothing is lost; the call may be repeated.
  case stalled(folder: String, waited: Duration)
  /// The device failed twice: records that were not acknowledged are not on disk, and nothing more is accepted.
  case failed(folder: String, reason: String)
  /// The record is not in the journal: not yet, or removed by retention.
  case absent(folder: String, sequence: UInt64)
  /// The record was lost, and salvage gave it up.
  case lost(folder: String, range: Range<UInt64>)
  /// Two copies of the journal are not of one history: which of them is right, nothing says.
  case copiesDiffer(folder: String, mirror: String, reason: String)
  /// The record is damaged.
  case damaged(folder: String, sequence: UInt64, finding: RecordFinding)

  /// The exit code of sysexits.h that fits.
  package var sysExit: SysExit {
    switch self {
    case .host, .failed, .full: .inputOutput
    case .corrupted, .lost, .damaged, .copiesDiffer: .data
    case .locked, .stalled: .temporary
    case .refused, .fenced, .absent: .software
    }
  }

  /// What happened, to which journal, and what can be done.
  package var description: String {
    switch self {
    case .host(let error): error.description
    case .locked(let folder, let waited):
      "journal \(folder) is still in use after \(waited); look which process writes it"
    case .corrupted(let folder, let damages):
      "journal \(folder) is damaged: \(damages.map(\.description).joined(separator: "; ")); nothing was changed. "
        + "'slipring journal salvage' gives those records up, on the record"
    case .refused(let folder, let reason): "journal \(folder): \(reason)"
    case .fenced(let folder, let epoch, let found):
      "journal \(folder): epoch \(epoch) has ended, epoch \(found) took over"
    case .full(let folder): "journal \(folder): the disk is full; nothing is lost, free some space and it goes on"
    case .stalled(let folder, let waited):
      "journal \(folder): the disk completed nothing for \(waited); look at the device"
    case .failed(let folder, let reason):
      "journal \(folder) stopped: \(reason); look at the device, then resume the run"
    case .absent(let folder, let sequence): "journal \(folder) does not hold record \(sequence)"
    case .lost(let folder, let range):
      "journal \(folder): records \(range.lowerBound)..<\(range.upperBound) were lost and given up"
    case .copiesDiffer(let folder, let mirror, let reason):
      "journal \(folder) and its mirror \(mirror) are not copies of each other: \(reason); nothing was changed. "
        + "Move one of the two folders away, then mend the other with 'slipring journal mend'"
    case .damaged(let folder, let sequence, let finding):
      "journal \(folder), record \(sequence): \(finding); 'slipring journal salvage' gives it up, on the record"
    }
  }
}

/// A range of records that are not what was acknowledged.
package struct JournalDamage: Sendable, Equatable, Codable, CustomStringConvertible {
  /// The sequences of the records.
  package var lowerBound: UInt64
  /// One past the last of them. Equal to `lowerBound` where bytes are wrong beyond everything that was acknowledged.
  package var upperBound: UInt64
  /// What the first of them is.
  package var finding: RecordFinding

  /// A damage as given.
  package init(lowerBound: UInt64, upperBound: UInt64, finding: RecordFinding) {
    precondition(lowerBound <= upperBound, "damage of \(finding) from \(lowerBound) to \(upperBound)")
    self.lowerBound = lowerBound
    self.upperBound = upperBound
    self.finding = finding
  }

  /// What is damaged here and there; nil where nothing is.
  package func shared(with other: JournalDamage) -> JournalDamage? {
    let (lower, upper) = (max(lowerBound, other.lowerBound), min(upperBound, other.upperBound))
    // Beyond what was acknowledged there is a place, and no record.
    let isPlace = lowerBound == upperBound && other.lowerBound == other.upperBound
    guard lower < upper || isPlace && lower == upper else { return nil }
    return JournalDamage(lowerBound: lower, upperBound: upper, finding: finding)
  }

  /// Whether all that is damaged there is damaged here.
  package func covers(_ other: JournalDamage) -> Bool {
    lowerBound <= other.lowerBound && upperBound >= other.upperBound
  }

  /// For messages.
  package var description: String {
    lowerBound == upperBound
      ? "at record \(lowerBound), beyond what was acknowledged: \(finding)"
      : "records \(lowerBound)..<\(upperBound): \(finding)"
  }
}
