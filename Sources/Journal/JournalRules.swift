/// The rules that a journal's promises rest on, each of which a test can take away to show that something notices.
package struct JournalRules: Sendable {
  /// A batch ends with a sync, and is acknowledged after it.
  package var syncsBatches = true
  /// The sync of a batch runs after its writes succeeded whole.
  package var linksSyncToWrites = true
  /// A new name is durable before anything is acknowledged through it.
  package var syncsFolder = true
  /// The payload's checksum is compared.
  package var checksPayload = true
  /// The chain is compared.
  package var checksChain = true
  /// A file whose sync failed is never synced again.
  package var abandonsAfterFailedSync = true
  /// A batch is acknowledged after every one before it.
  package var acknowledgesInOrder = true
  /// A record of an earlier epoch than the one before it is corruption, and so is a writer of an earlier one.
  package var checksEpoch = true
  /// A bad record among the acknowledged ones is corruption, never the end.
  package var protectsAcknowledged = true
  /// Recovery waits for the lock of the data.
  package var waitsForLock = true
  /// A short write is continued.
  package var continuesShortWrites = true
  /// What follows a torn record goes into a new segment.
  package var keepsTornBytes = true
  /// What retention removes is on record before it is removed.
  package var recordsRetirement = true
  /// A copy that goes on without the other has that on record first.
  package var marksLostCopies = true
  /// Copies are made the same before a writer goes on in them.
  package var levelsCopies = true

  package init() {}
}
