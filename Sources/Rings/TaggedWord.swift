/// A sequence, an epoch and a state in one atomic word, so that one compare-and-swap moves all three or none.
///
///      63                                        20 19                  2 1   0
///     ┌─────────────────────────────────────────────┬────────────────────┬─────┐
///     │ sequence                                 44 │ epoch           18 │ state│
///     └─────────────────────────────────────────────┴────────────────────┴─────┘
///
/// A slot's stamp and the lease and the cursor of a reader have this form.
package struct TaggedWord: Equatable {
  /// Sequences are below this.
  package static let sequenceLimit: UInt64 = 1 << 44
  /// Epochs are below this.
  package static let epochLimit: UInt64 = 1 << 18

  let rawValue: UInt64

  init(rawValue: UInt64) { self.rawValue = rawValue }

  init(_ sequence: UInt64, _ epoch: UInt64, state: UInt64) {
    precondition(
      sequence < Self.sequenceLimit && epoch < Self.epochLimit && state < 4,
      "sequence \(sequence), epoch \(epoch) and state \(state) do not fit a word")
    rawValue = sequence << 20 | epoch << 2 | state
  }

  var sequence: UInt64 { rawValue >> 20 }
  var epoch: UInt64 { rawValue >> 2 & (Self.epochLimit - 1) }
  var stateBits: UInt64 { rawValue & 3 }
}

/// What a slot's stamp says about the slot.
enum SlotState: UInt64 {
  /// Nobody has it; the epoch is the one that may claim it, or an older one.
  case free = 0
  /// The writer of the epoch fills it.
  case claimed
  /// It holds the event of this sequence.
  case committed
  /// The writer that claimed it died; the epoch is the one that was granted next.
  case void
}

/// What a lease's word says about a reader.
enum ReaderState: UInt64 {
  /// The line is not used in this ring.
  case unused = 0
  /// Nobody has taken the line yet; the lease holds the writer all the same.
  case awaited
  /// A reader has it, or had it and died.
  case attached
  /// The reader left for good and holds nobody.
  case finished
}

extension TaggedWord {
  init(_ sequence: UInt64, _ epoch: UInt64, _ state: SlotState) { self.init(sequence, epoch, state: state.rawValue) }
  init(_ sequence: UInt64, _ epoch: UInt64, _ state: ReaderState) { self.init(sequence, epoch, state: state.rawValue) }

  // Sound: two bits have four values, and both enumerations name all four.
  var slotState: SlotState { SlotState(rawValue: stateBits).unsafelyUnwrapped }
  var readerState: ReaderState { ReaderState(rawValue: stateBits).unsafelyUnwrapped }
}
