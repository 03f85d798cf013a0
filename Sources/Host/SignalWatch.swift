internal import Glibc
internal import Synchronization

/// Ends the process when a signal comes, whatever its other threads do: for work that can be done again, and that may
/// wait for a disk or compute for long without looking up.
///
/// ```
/// this thread   poll(signals) ─ signal ─► `signal` is set ─ grace ─► cleanUp ─► _exit(128 + signal)
/// others        work … `signal`? … end by themselves, within the grace
///               stop() ─► the thread ends at its next turn; what comes from then on waits in the descriptor
/// ```
/// It needs no descriptor of its own: a process that has too few is to say so where it needs one.
package final class SignalWatch: @unchecked Sendable {
  private let signals: SignalDescriptor
  private let grace: Duration
  private let cleanUp: @Sendable () -> Void
  private let received = Atomic<Int32>(0)
  private var thread = pthread_t()
  private let isStopping = Atomic<Bool>(false)

  /// How long the thread waits for a signal before it looks whether it is to stop.
  private static let turn: Duration = .milliseconds(5)

  /// Watches from now on. After a signal the other threads have the time `grace` to end the process in their own way;
  /// then `cleanUp` removes what would stay, and the process ends. Nobody else may read `signals` until `stop`.
  fileprivate init(_ signals: SignalDescriptor, grace: Duration, cleanUp: @escaping @Sendable () -> Void)
    throws(HostError)
  {
    self.signals = signals
    self.grace = grace
    self.cleanUp = cleanUp
    let retained = Unmanaged.passRetained(self)
    let error = pthread_create(
      &thread, nil,
      { argument in
        // Sound: the argument is the retained object that was passed below, or nothing is done.
        if let argument { Unmanaged<SignalWatch>.fromOpaque(argument).takeRetainedValue().run() }
        return nil
      }, retained.toOpaque())
    guard error == 0 else {
      retained.release()
      throw .system(call: "pthread_create", subject: "signal watch", errno: Errno(rawValue: error))
    }
  }

  /// The signal that came; nil for none. Whoever sees one ends the process within the grace.
  package var signal: Int32? {
    let signal = received.load(ordering: .acquiring)
    return signal == 0 ? nil : signal
  }

  /// Ends the watch: signals stay pending from here on. Does not return where one has come. To be called once.
  fileprivate func stop() {
    let wasStopping = isStopping.exchange(true, ordering: .relaxed)
    precondition(!wasStopping, "a signal watch is stopped twice")
    pthread_join(thread, nil)
  }

  private func run() {
    do throws(HostError) {
      while !isStopping.load(ordering: .relaxed) {
        guard try !Poll.wait(readable: [signals.descriptor], timeout: Self.turn).isEmpty else { continue }
        if let signal = try signals.next() { end(signal) }
      }
    } catch {
      preconditionFailure("the process's own descriptors: \(error)")
    }
  }

  private func end(_ signal: Int32) -> Never {
    received.store(signal, ordering: .releasing)
    let deadline = Deadline(after: grace)
    while !deadline.hasPassed { usleep(1000) }
    cleanUp()
    _exit(128 + signal)
  }
}

extension SignalDescriptor {
  /// Does work during which a signal ends the process; see `SignalWatch`. What comes later stays pending.
  package func endingProcess<Result>(
    grace: Duration = .zero, cleanUp: @escaping @Sendable () -> Void = {}, _ body: (SignalWatch) throws -> Result
  ) throws -> Result {
    let watch = try SignalWatch(self, grace: grace, cleanUp: cleanUp)
    let result: Result
    do { result = try body(watch) } catch {
      // Where the work has ended because of a signal the process ends in the caller's way.
      if watch.signal == nil { watch.stop() }
      throw error
    }
    watch.stop()
    return result
  }
}
