import Glibc
import Host
import Synchronization
import Testing

@Suite struct ThreadPoolTests {
  @Test func `each iteration runs once, whatever the numbers of threads and iterations`() throws {
    for threads in 1...5 {
      let pool = try ThreadPool(threads: threads)
      for count in [0, 1, 2, 3, 7, 100, 1000] {
        let calls = UnsafeMutableBufferPointer<Int32>.allocate(capacity: count)
        calls.initialize(repeating: 0)
        defer { calls.deallocate() }
        let shared = Shared(calls)
        pool.forEach(count: count) { shared.pointer[$0] += 1 }
        #expect(calls.allSatisfy { $0 == 1 }, "\(threads) threads, \(count) iterations")
      }
    }
  }

  @Test func `no more threads work at the same time than there are cores for them`() throws {
    let cores = try Affinity.current(), core = try #require(cores.first)
    #expect(try ThreadPool(threads: 3).coreCount == 3)
    #expect(try ThreadPool(threads: 3, cores: [core, core]).coreCount == 1)
    #expect(try ThreadPool(threads: 16, cores: cores).coreCount == min(16, cores.count))
  }

  @Test func `many short loops follow each other without losing one`() throws {
    let pool = try ThreadPool(threads: 3)
    let sum = Atomic<Int>(0)
    for _ in 0..<5000 { pool.forEach(count: 5) { sum.add($0, ordering: .relaxed) } }
    #expect(sum.load(ordering: .relaxed) == 50_000)
  }

  @Test func `sleeping threads wake for the next loop`() throws {
    let pool = try ThreadPool(threads: 2)
    let sum = Atomic<Int>(0)
    for _ in 0..<5 {
      usleep(20_000)
      pool.forEach(count: 10) { sum.add($0, ordering: .relaxed) }
    }
    #expect(sum.load(ordering: .relaxed) == 225)
  }

  @Test func `the threads work beside each other and on the cores they were given`() throws {
    let cores = try Affinity.current()
    let core = try #require(cores.last)
    let pool = try ThreadPool(threads: 2, cores: [core])
    let met = Atomic<Int>(0)
    let helpersCores = Mutex<[[Int]]>([])
    let caller = pthread_self()
    pool.forEach(count: 2) { _ in
      met.add(1, ordering: .relaxed)
      // Two iterations that wait for each other need two threads.
      let deadline = Deadline(after: .seconds(20))
      while met.load(ordering: .relaxed) < 2, !deadline.hasPassed { usleep(100) }
      if pthread_self() != caller {
        do { try helpersCores.withLock { $0.append(try Affinity.current()) } } catch { Issue.record(error) }
      }
    }
    #expect(met.load(ordering: .relaxed) == 2)
    #expect(helpersCores.withLock { $0 } == [[core]])
  }
}

/// A buffer of which each iteration touches its own element.
private struct Shared: @unchecked Sendable {
  let pointer: UnsafeMutableBufferPointer<Int32>
  init(_ pointer: UnsafeMutableBufferPointer<Int32>) { self.pointer = pointer }
}
