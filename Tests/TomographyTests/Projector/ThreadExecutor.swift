import Dispatch
import Tomography

/// Deals work out to `width` threads, whatever the number of processors.
struct ThreadExecutor: Executor {
  let width: Int

  func forEach(count: Int, _ body: (Int) -> Void) {
    withoutActuallyEscaping(body) { body in
      // Sound: the group is waited for before `body` ends, and an Executor's bodies may run concurrently.
      nonisolated(unsafe) let body = body
      let group = DispatchGroup(), queue = DispatchQueue(label: "ThreadExecutor", attributes: .concurrent)
      for worker in 0..<width {
        queue.async(group: group) { for item in stride(from: worker, to: count, by: width) { body(item) } }
      }
      group.wait()
    }
  }
}
