import Synchronization

/// Runs pieces of work, perhaps on several threads.
package protocol Executor {
  /// How many bodies can run at the same time.
  var width: Int { get }
  /// How many of them have a processor of their own: what work is cut for where a cut costs something.
  var cores: Int { get }
  /// Calls `body` exactly once with each number in `0..<count`, in any order and concurrently, and returns after the
  /// last has returned. Results never depend on the distribution.
  func forEach(count: Int, _ body: (Int) -> Void)
}

/// Runs everything on the calling thread.
package struct SerialExecutor: Executor {
  /// One.
  package var width: Int { 1 }
  /// Makes a serial executor.
  package init() {}
  /// Calls `body` with 0, 1, …
  package func forEach(count: Int, _ body: (Int) -> Void) {
    for index in 0..<count { body(index) }
  }
}

extension Executor {
  /// As many as bodies.
  package var cores: Int { width }

  /// Shares `count` items among at most `workers` bodies, each of which has its own number and so its own scratch
  /// memory. Bodies are no more than cores: those would take turns, and each other's caches.
  func share(count: Int, workers: Int, _ body: (_ worker: Int, _ item: Int) -> Void) {
    let next = Atomic(0)
    forEach(count: min(workers, count, max(1, cores))) { worker in
      // SYNC none: an item's data is published by forEach's own start and end.
      var item = next.wrappingAdd(1, ordering: .relaxed).oldValue
      while item < count {
        body(worker, item)
        item = next.wrappingAdd(1, ordering: .relaxed).oldValue
      }
    }
  }
}
