internal import CLinux
internal import Glibc

/// How urgent a thread is to the scheduler.
package enum Priority {
  /// Lets others go before the calling thread, and before the threads that it starts afterwards, by so many steps of
  /// nice(2); 19 is the most. A thread that is so far below its process's first one already stays where it is.
  package static func lower(by steps: Int32) {
    precondition(steps >= 0, "\(steps) steps down")
    // Down is always allowed, and on Linux it concerns the calling thread alone; 0 is that thread too.
    let process = __priority_which_t(PRIO_PROCESS.rawValue)
    let (first, own) = (getpriority(process, id_t(getpid())), getpriority(process, 0))
    guard own == first || own < first + steps else { return }
    nice(steps)
  }

  /// Lets everybody else go before the calling thread, at the processor and at the disk. Where the disk's scheduler
  /// knows no such order, that of the processor is all there is.
  package static func yieldToAll() {
    lower(by: 19)
    _ = clinux_idle_disk()
  }
}
