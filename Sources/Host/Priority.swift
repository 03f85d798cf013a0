internal import Glibc

/// How urgent a thread is to the scheduler.
package enum Priority {
  /// Lets others go before the calling thread, and before the threads that it starts afterwards, by so many steps of
  /// nice(2); 19 is the most.
  package static func lower(by steps: Int32) {
    precondition(steps >= 0, "\(steps) steps down")
    // Down is always allowed, and on Linux it concerns the calling thread alone.
    nice(steps)
  }
}
