package import Host

/// Runs the parallel loops of projector and solver on a pool of pinned threads.
package struct PoolExecutor: Executor {
  private let pool: ThreadPool

  /// The pool must have no other user while a loop runs.
  package init(pool: ThreadPool) { self.pool = pool }

  /// The pool's threads.
  package var width: Int { pool.threadCount }

  /// The cores that the pool's threads are pinned to.
  package var cores: Int { pool.coreCount }

  /// Calls `body` once for each of 0..<count, on all threads.
  package func forEach(count: Int, _ body: (Int) -> Void) { pool.forEach(count: count, body) }
}
