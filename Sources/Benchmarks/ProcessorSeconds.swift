import Glibc

/// Processor seconds of the calling thread while `body` runs.
func processorSeconds(_ body: () -> Void) -> Double {
  let start = processorTime
  body()
  return processorTime - start
}

private var processorTime: Double {
  var time = timespec()
  let result = clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
  precondition(result == 0, "clock_gettime: \(errno)")
  return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}
