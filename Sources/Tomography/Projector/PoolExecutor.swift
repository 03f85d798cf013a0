package import Host

/// Runs the parallel loops of projector and solver on a pool of pinned threads.
package struct PoolExecutor: Executor {
  private let pool: ThreadPool

  /// The pool must have no other user while a loop runs.
  package init(pool: ThreadPool) { self.pool = pool }

  /// The pool's threads.
  package var width: Int { pool.threadCount }

  /// Calls `body` once for each of 0..<count, on all threads.
  package func forEach(count: Int, _ body: (Int) -> Void) { pool.forEach(count: count, body) }
}
