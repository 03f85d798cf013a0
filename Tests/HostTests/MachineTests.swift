import Foundation
import Glibc
import Host
import Testing

@Suite struct MachineTests {
  @Test func `the machine's figures are plausible`() throws {
    #expect(try #require(Machine.memoryAvailable) > 1 << 20)
    #expect(!Machine.kernelRelease.isEmpty && Machine.kernelRelease.first?.isNumber == true)
    #expect(!Machine.processorName.isEmpty)
    #expect(Machine.startID.count == 36 && Machine.startID == Machine.startID)
    #expect(Machine.lockedMemoryLimit >= 0)
    #expect(try Machine.diskFree("/") > 0)
    if let total = Machine.sharedMemoryTotal, let free = Machine.sharedMemoryFree { #expect(free <= total) }
    #expect(Machine.realtimeNanoseconds > 1_700_000_000_000_000_000)
    let earlier = Machine.monotonicNanoseconds
    #expect(Machine.monotonicNanoseconds >= earlier)
  }

  @Test func `a path that is missing is an error that names it`() {
    #expect(throws: HostError.system(call: "statvfs", subject: "/nowhere", errno: Errno(rawValue: ENOENT))) {
      try Machine.diskFree("/nowhere")
    }
    #expect(Errno(rawValue: ENOENT).description == "No such file or directory")
  }

  @Test func `io_uring is tried, not guessed`() {
    switch Machine.ioUring {
    case .available: break
    case .refused(let errno): #expect(errno.rawValue > 0)
    }
  }

  @Test(arguments: [
    ("rw,relatime,size=100k", "always [never] deny", SharedHugePages.never),
    ("rw,huge=advise,size=100k", "always [never] deny", .advised), ("rw,huge=advise", "always never [deny]", .never),
    ("rw,huge=within_size", "always [never] deny", .always), ("rw", "never deny [force]", .always),
    ("rw,huge=never", "", .never),
  ])
  func `whether shared memory has huge pages is what its mount and the kernel say`(
    options: String, enabled: String, expected: SharedHugePages
  ) {
    let mounts = """
      tmpfs /dev/shm tmpfs rw,huge=always 0 0
      tmpfs /run tmpfs rw,huge=always 0 0
      tmpfs /dev/shm tmpfs \(options) 0 0

      """
    #expect(SharedHugePages(mounts: mounts, enabled: enabled) == expected)
    #expect(SharedHugePages(mounts: "", enabled: "") == .never)
  }

  @Test func `the nodes share out exactly the cores that this process may use`() throws {
    let topology = try Topology.current()
    #expect(!topology.nodes.isEmpty && topology.nodes.map(\.id) == topology.nodes.map(\.id).sorted())
    #expect(try topology.nodes.flatMap(\.cores).sorted() == Affinity.current())
    #expect(topology.nodes.reduce(0) { $0 + $1.memoryByteCount } > 1 << 20)
    #expect(try JSONDecoder().decode(Topology.self, from: JSONEncoder().encode(topology)) == topology)
  }

  @Test func `a thread runs where it was pinned`() throws {
    let before = try Affinity.current()
    let core = try #require(before.first)
    try Affinity.pin(cores: [core])
    #expect(try Affinity.current() == [core])
    try Affinity.pin(cores: before)
    #expect(throws: HostError.self) { try Affinity.pin(cores: [8000]) }
  }

  @Test func `a deadline lies ahead until it has passed`() {
    #expect(Deadline(after: .zero).hasPassed && Deadline(after: .seconds(-5)).remaining == .zero)
    let far = Deadline(after: .seconds(Int64.max))
    #expect(!far.hasPassed && far.remaining > .seconds(1_000_000))
  }

  @Test func `a futex wait ends with its time, at once where the word differs, and when it is woken`() {
    let word = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
    word.initialize(to: 1)
    defer { word.deallocate() }
    let start = ContinuousClock.now
    Futex.wait(on: word, while: 2, timeout: .seconds(60))
    Futex.wait(on: word, while: 1, timeout: .milliseconds(10))
    #expect(ContinuousClock.now - start >= .milliseconds(10))
    let address = UInt(bitPattern: word)
    let thread = Thread {
      usleep(20_000)
      if let word = UnsafeMutablePointer<UInt32>(bitPattern: address) { Futex.wake(word) }
    }
    thread.start()
    Futex.wait(on: word, while: 1, timeout: .seconds(60))
    #expect(ContinuousClock.now - start < .seconds(30))
  }
}
