import Glibc
import Host
import RunModel
import Synchronization

/// How often a worker's volume is saved.
package enum CheckpointInterval: Equatable, Sendable {
  /// Never: a topic in memory does not survive the machine either.
  case never
  /// After so many updates.
  case updates(Int)
  /// After so many seconds, with the next update.
  case seconds(Double)
}

/// Saves generations of a volume beside the computation: the worker only says which one, and does not write its slot
/// until it is saved. What cannot be saved is no reason to stop: a restart of the machine then begins with an older
/// generation, and the next one is saved at its turn.
final class CheckpointThread: @unchecked Sendable {
  private let checkpoint: VolumeCheckpoint
  private let volume: VolumeRegion
  private let interval: CheckpointInterval
  private let didSave: (FileError?) -> Void
  private let isDone = Atomic<Bool>(true)
  private let failure = Mutex<FileError?>(nil)
  private var thread: pthread_t?
  private var job: (generation: VolumeRegion.Generation, update: UpdateEvent)?
  private var updates = 0
  private var last = ContinuousClock.now

  /// `didSave` hears, on the worker's thread, of each generation that was saved, and why one was not.
  init(
    _ checkpoint: VolumeCheckpoint, volume: VolumeRegion, interval: CheckpointInterval,
    didSave: @escaping (FileError?) -> Void
  ) {
    self.checkpoint = checkpoint
    self.volume = volume
    self.interval = interval
    self.didSave = didSave
  }

  deinit { join() }

  /// Called after every update: begins to save the newest generation where that is due, it is sealed, and the last one
  /// is saved, or failed to be.
  func updated(_ update: UpdateEvent) throws {
    updates += 1
    guard isDone.load(ordering: .acquiring) else { return }
    if thread != nil { didSave(join()) }
    volume.unpin()
    guard isDue(updates), volume.isSealed(volume.newest) else { return }
    job = (volume.pinNewest(), update)
    (updates, last) = (0, .now)
    isDone.store(false, ordering: .sequentiallyConsistent)
    var id = pthread_t()
    // Sound: the thread is joined before this object goes, so the unretained reference is valid as long as it runs.
    let error = pthread_create(
      &id, nil,
      { argument in
        Unmanaged<CheckpointThread>.fromOpaque(argument!).takeUnretainedValue().save()
        return nil
      }, Unmanaged.passUnretained(self).toOpaque())
    guard error == 0 else {
      throw HostError.system(call: "pthread_create", subject: "checkpoint", errno: Errno(rawValue: error))
    }
    thread = id
  }

  /// Saves the newest generation, unless it is saved already, and waits for it: then the finished volume survives the
  /// machine. Returns what that met: the volume itself is there.
  func finish() throws -> FileError? {
    let failure = join()
    volume.unpin()
    guard interval != .never, let update = try volume.newestUpdate(),
      failure != nil || update.generation != job?.update.generation
    else { return nil }
    let newest = volume.newest
    var isWritten = false
    do throws(FileError) { isWritten = try write(newest, update) } catch {
      didSave(error)
      return error
    }
    guard isWritten else { throw StageError.damaged(ReconstructStage.damage(newest)) }
    return nil
  }

  /// Whether the next generation will be saved, if it is sealed: nothing else is.
  var isDueNext: Bool { isDone.load(ordering: .acquiring) && isDue(updates + 1) }

  private func isDue(_ updates: Int) -> Bool {
    switch interval {
    case .never: false
    case .updates(let count): updates >= count
    case .seconds(let seconds): ContinuousClock.now - last >= .seconds(seconds)
    }
  }

  private func save() {
    guard let job else { preconditionFailure("nothing to save") }
    do throws(FileError) {
      // One that is not what was computed is not saved; whoever uses it next finds that as well.
      try write(job.generation, job.update)
    } catch {
      failure.withLock { $0 = error }
    }
    isDone.store(true, ordering: .releasing)
  }

  @discardableResult
  private func write(_ generation: VolumeRegion.Generation, _ update: UpdateEvent) throws(FileError) -> Bool {
    try checkpoint.write(generation.base, update: update) { volume.isWhole(generation) }
  }

  /// Waits for the thread, and gives what it met.
  @discardableResult
  private func join() -> FileError? {
    if let thread { pthread_join(thread, nil) }
    thread = nil
    return failure.withLock { $0.take() }
  }
}
