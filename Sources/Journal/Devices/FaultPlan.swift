package import Host

/// What goes wrong on a simulated disk, and when: the n-th operation of a kind has an effect. Operations of a kind are
/// counted from 0, across restarts.
package struct FaultPlan: Sendable, Equatable {
  /// Kinds of operations.
  package enum Operation: String, Sendable, CaseIterable {
    /// Allocating the blocks of a new file.
    case allocate
    /// A write of a batch.
    case write
    /// The sync of a batch.
    case sync
    /// A read.
    case read
    /// Renaming a file.
    case rename
    /// Removing a name.
    case unlink
    /// The sync of the folder.
    case syncFolder
    /// A page written and synced outside batches: a segment's header, a mark of retention or loss.
    case writePage
    /// The sync of such a page.
    case syncPage
    /// The completion of a batch.
    case complete
  }

  /// What happens.
  package enum Effect: Sendable, Equatable {
    /// The call fails with this error. A failed sync loses some of the sectors that it was for, and the next one does
    /// not tell.
    case error(Errno)
    /// A write stops after this many bytes and says so.
    case short(Int)
    /// A write says that it is whole, and only this many bytes reach the medium.
    case torn(Int)
    /// A write says that it is whole, and nothing reaches the medium.
    case lost
    /// A write goes this many bytes too far.
    case misdirected(Int)
    /// A sync says that it is done, and nothing was.
    case ignored
    /// A read gets other bytes than there are, this once.
    case garbled
    /// A batch completes after the one that was submitted after it.
    case delayed
  }

  /// One thing that goes wrong.
  package struct Fault: Sendable, Equatable {
    /// The kind of operation that it strikes.
    var operation: Operation
    /// Which of them, from 0.
    var number: Int
    /// What happens.
    var effect: Effect

    /// A fault as given.
    package init(_ operation: Operation, _ number: Int, _ effect: Effect) {
      self.operation = operation
      self.number = number
      self.effect = effect
    }
  }

  /// The faults, in any order; one an operation.
  package var faults: [Fault]
  /// Where the disk's own choices begin: which unsynced sectors survive.
  var seed: UInt64

  /// A plan as given.
  package init(_ faults: [Fault] = [], seed: UInt64 = 0) {
    self.faults = faults
    self.seed = seed
  }

  /// The effect on an operation.
  func effect(_ operation: Operation, _ number: Int) -> Effect? {
    faults.first { $0.operation == operation && $0.number == number }?.effect
  }
}
