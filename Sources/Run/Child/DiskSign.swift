import Host
import Journal
import Logging
import Synchronization

/// What this process lacks of its disk, where the supervisor sees it.
final class DiskSign: Sendable {
  private struct Lacks {
    /// Journals without room.
    var journals = 0
    var shortage: DiskShortage = []
  }

  private let heartbeats: Heartbeats
  private let stage: Int
  private let log: Logger
  private let lacks = Mutex(Lacks())

  /// A sign on the line of stage number `stage`.
  init(_ heartbeats: Heartbeats, stage: Int, log: Logger) {
    (self.heartbeats, self.stage, self.log) = (heartbeats, stage, log)
  }

  /// Takes note that one of the process's journals has no room, or has it again.
  func noteJournal(isFull: Bool) {
    change { lacks in
      lacks.journals += isFull ? 1 : -1
      precondition(lacks.journals >= 0, "a journal has room that lacked none")
      lacks.shortage.set(.journal, lacks.journals > 0)
    }
    if isFull { log.warning("no room on disk for the journal") }
  }

  /// Takes note that a journal goes on without one of its copies: the supervisor sees what is on record of that.
  func noteLost(_ loss: MirroredDevice.Loss) {
    log.warning(
      "the journal goes on without a copy", metadata: ["folder": "\(loss.folder)", "reason": "\(loss.reason)"])
  }

  /// Takes note that a file has no room, or that it is written or given up.
  func noteFile(_ what: DiskShortage, isFull: Bool) {
    change { $0.shortage.set(what, isFull) }
    if isFull { log.warning("no room on disk for the \(what == .output ? "output" : "report")") }
  }

  /// Takes note of whether a volume was saved, and why not; said once, until it succeeds again.
  func noteSaved(_ failure: FileError?) {
    let before = lacks.withLock { $0.shortage }
    change { lacks in
      lacks.shortage.set(.savedVolume, failure?.isFull == true)
      lacks.shortage.set(.savedVolumeFailed, failure?.isFull == false)
    }
    let unsaved: DiskShortage = [.savedVolume, .savedVolumeFailed]
    guard let failure, before.isDisjoint(with: unsaved) else { return }
    log.warning("the volume is not saved", metadata: ["reason": "\(failure)"])
  }

  private func change(_ body: (inout Lacks) -> Void) {
    // Inside the lock: of two threads the later one stores last.
    lacks.withLock { lacks in
      body(&lacks)
      heartbeats.note(lacks.shortage, of: stage)
    }
  }
}

extension DiskShortage {
  fileprivate mutating func set(_ what: DiskShortage, _ isLacking: Bool) {
    if isLacking { insert(what) } else { remove(what) }
  }
}
