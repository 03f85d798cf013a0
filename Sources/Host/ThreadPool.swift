internal import CLinux
internal import Glibc
internal import Synchronization

/// Threads that run the iterations of a loop together.
///
/// An iteration goes to whoever asks first, so unequal ones balance; their order is not defined. The threads sleep
/// between loops.
package final class ThreadPool: @unchecked Sendable {
  /// How many threads work on a loop, the calling one among them.
  package let threadCount: Int
  /// How many of them can work at the same time: on as many cores as they are pinned to.
  package let coreCount: Int
  private let loop: SharedLoop
  private var threads: [pthread_t] = []

  /// Starts `threads` − 1 threads: the thread that calls `forEach` is number 0. Thread i > 0 is pinned to `cores[i %
  /// cores.count]`, or stays unpinned where `cores` is empty; thread 0 belongs to the caller, who may pin it.
  package init(threads count: Int, cores: [Int] = []) throws(HostError) {
    precondition(count >= 1, "a pool of \(count) threads")
    threadCount = count
    coreCount = cores.isEmpty ? count : min(count, Set(cores).count)
    loop = SharedLoop(helperCount: count - 1, spins: coreCount == count)
    for index in 1..<max(count, 1) {
      let core = cores.isEmpty ? nil : cores[index % cores.count]
      let start = Unmanaged.passRetained(ThreadStart(loop: loop, core: core))
      var thread = pthread_t()
      let error = pthread_create(&thread, nil, runHelper, start.toOpaque())
      guard error == 0 else {
        start.release()
        stop()
        throw .system(call: "pthread_create", subject: "thread \(index) of \(count)", errno: Errno(rawValue: error))
      }
      threads.append(thread)
    }
  }

  deinit { stop() }

  /// Calls `body` once with each of 0 ..< `count`, on the pool's threads and the calling one, and returns when all
  /// calls have returned. One loop at a time, and none within `body`.
  package func forEach(count: Int, _ body: (Int) -> Void) {
    precondition(count >= 0, "\(count) iterations")
    // Sound: every helper has left the body before `run` returns.
    withoutActuallyEscaping(body) { loop.run(count: count, $0) }
  }

  private func stop() {
    loop.stop()
    for thread in threads { pthread_join(thread, nil) }
    threads = []
  }
}

/// What a new thread needs to know.
private final class ThreadStart {
  let loop: SharedLoop
  let core: Int?

  init(loop: SharedLoop, core: Int?) {
    self.loop = loop
    self.core = core
  }
}

private func runHelper(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  guard let argument else { return nil }
  // Sound: `argument` is the retained object that `ThreadPool.init` passed.
  let start = Unmanaged<ThreadStart>.fromOpaque(argument).takeRetainedValue()
  if let core = start.core {
    // A core that went away costs speed, not results: the thread then runs where the kernel puts it.
    do { try Affinity.pin(cores: [core]) } catch {}
  }
  start.loop.help()
  return nil
}

/// The loop under way. Each word that threads meet on has a cache line to itself.
///
///       0  generation  u32  number of the loop, futex word of helpers
///     128  next        i64  first iteration that nobody took
///     256  unfinished  u32  helpers that have not left the loop, futex word of the caller
///     384  sleepers    u32  helpers asleep on `generation`
///     512  busy        u32  1 while a loop runs
private final class SharedLoop: @unchecked Sendable {
  private static let spinLimit = 2000
  private let helperCount: UInt32
  /// How often a thread looks before it sleeps: where others wait for its core, not at all.
  private let spins: Int
  private let memory: UnsafeMutableRawPointer
  // Written by the caller before `generation` grows, read by helpers after it.
  private var body: ((Int) -> Void)?
  private var count = 0
  private var isStopping = false

  init(helperCount: Int, spins: Bool) {
    self.helperCount = UInt32(helperCount)
    self.spins = spins ? Self.spinLimit : 0
    memory = UnsafeMutableRawPointer.allocate(byteCount: 640, alignment: 128)
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: 640)
  }

  deinit { memory.deallocate() }

  private func word(_ offset: Int) -> UnsafeMutablePointer<Atomic<UInt32>> {
    (memory + offset).assumingMemoryBound(to: Atomic<UInt32>.self)
  }
  private var generation: UnsafeMutablePointer<Atomic<UInt32>> { word(0) }
  private var next: UnsafeMutablePointer<Atomic<Int>> { (memory + 128).assumingMemoryBound(to: Atomic<Int>.self) }
  private var unfinished: UnsafeMutablePointer<Atomic<UInt32>> { word(256) }
  private var sleepers: UnsafeMutablePointer<Atomic<UInt32>> { word(384) }
  private var busy: UnsafeMutablePointer<Atomic<UInt32>> { word(512) }

  func run(count: Int, _ body: @escaping (Int) -> Void) {
    let wasBusy = busy.pointee.exchange(1, ordering: .acquiring)
    precondition(wasBusy == 0, "a thread pool runs one loop at a time")
    defer { busy.pointee.store(0, ordering: .releasing) }
    if helperCount == 0 || count <= 1 {
      for index in 0..<count { body(index) }
      return
    }
    self.body = body
    self.count = count
    next.pointee.store(0, ordering: .relaxed)
    unfinished.pointee.store(helperCount, ordering: .relaxed)
    announce()
    drain()
    // SYNC helpers' last subtraction → here: what they wrote in the body is visible.
    waitFor(unfinished) { $0 == 0 }
    self.body = nil
  }

  func stop() {
    isStopping = true
    announce()
  }

  func help() {
    var seen: UInt32 = 0
    while true {
      waitFor(generation, sleepers: sleepers) { $0 != seen }
      seen &+= 1
      if isStopping { return }
      drain()
      // SYNC leave → run: the caller returns after the last helper left.
      if unfinished.pointee.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 { Futex.wake(raw(unfinished)) }
    }
  }

  /// SYNC announce → help: body, count and isStopping are written before the generation grows. The sequentially
  /// consistent pair with `waitFor` ensures that either the helper sees the new generation or this thread sees a
  /// sleeper.
  private func announce() {
    generation.pointee.add(1, ordering: .sequentiallyConsistent)
    if sleepers.pointee.load(ordering: .sequentiallyConsistent) != 0 { Futex.wake(raw(generation)) }
  }

  private func drain() {
    guard let body else { preconditionFailure("a loop without a body") }
    while true {
      let index = next.pointee.add(1, ordering: .relaxed).oldValue
      if index >= count { return }
      body(index)
    }
  }

  private func waitFor(
    _ word: UnsafeMutablePointer<Atomic<UInt32>>, sleepers: UnsafeMutablePointer<Atomic<UInt32>>? = nil,
    until isReached: (UInt32) -> Bool
  ) {
    for _ in 0..<spins {
      if isReached(word.pointee.load(ordering: .acquiring)) { return }
      clinux_pause()
    }
    sleepers?.pointee.add(1, ordering: .sequentiallyConsistent)
    defer { sleepers?.pointee.subtract(1, ordering: .relaxed) }
    while true {
      let value = word.pointee.load(ordering: .sequentiallyConsistent)
      if isReached(value) { return }
      Futex.wait(on: raw(word), while: value, timeout: .seconds(1))
    }
  }

  private func raw(_ word: UnsafeMutablePointer<Atomic<UInt32>>) -> UnsafeMutablePointer<UInt32> {
    UnsafeMutableRawPointer(word).assumingMemoryBound(to: UInt32.self)
  }
}
