import Glibc
import Host
import Journal
import Rings
import Testing

/// The three devices, those on files also without direct input and output: each passes each test of this suite.
enum DeviceKind: CaseIterable {
  case ioUring, cachedIOUring, pwrite, cachedPwrite, simulated

  static var here: [DeviceKind] {
    Machine.ioUring == .available ? allCases : [.pwrite, .cachedPwrite, .simulated]
  }
}

/// A place where devices of a kind see the same files.
final class DevicePlace {
  private let kind: DeviceKind
  private let folder: TestFolder
  private let disk = SimulatedDisk()

  init(_ kind: DeviceKind) throws {
    self.kind = kind
    folder = try TestFolder()
  }

  /// Runs `body` with a place that is there until it returns.
  static func with(_ kind: DeviceKind, _ body: (DevicePlace) throws -> Void) throws {
    let place = try DevicePlace(kind)
    try withExtendedLifetime(place) { try body(place) }
  }

  func device() throws(HostError) -> any JournalDevice {
    switch kind {
    case .ioUring: try IOUringDevice(folder: folder.path + "/journal")
    case .cachedIOUring: try IOUringDevice(folder: folder.path + "/journal", isDirect: false)
    case .pwrite: try PwriteDevice(folder: folder.path + "/journal")
    case .cachedPwrite: try PwriteDevice(folder: folder.path + "/journal", isDirect: false)
    case .simulated: SimulatedDevice(disk: disk)
    }
  }
}

private func errno(of body: () throws(HostError) -> Void) -> Int32 {
  do throws(HostError) {
    try body()
    return 0
  } catch .system(_, _, let errno) {
    return errno.rawValue
  } catch {
    return -1
  }
}

private func complete(_ batch: WriteBatch, on device: any JournalDevice) throws {
  try device.submit(batch)
  let deadline = Deadline(after: .seconds(30))
  while !batch.isComplete, !deadline.hasPassed { _ = try device.reap(wait: .seconds(1)) }
  try #require(batch.isComplete)
}

@Suite struct DeviceConformanceTests {
  @Test(arguments: DeviceKind.here) func `a new file is zeros of the size that was asked for`(_ kind: DeviceKind) throws
  {
    try DevicePlace.with(kind) { place in
      let device = try place.device()
      let file = try device.create("a", byteCount: 12288)
      let buffer = ReadBuffer(16384)
      #expect(try device.byteCount(of: file) == 12288)
      #expect(try device.read(file, into: buffer.bytes, at: 0) == 12288)
      #expect(buffer.bytes.prefix(12288).allSatisfy { $0 == 0 })
      #expect(try device.read(file, into: buffer.bytes, at: 12288) == 0)
      device.close(file)
    }
  }

  @Test(arguments: DeviceKind.here) func `a name is made once, found, renamed and removed`(_ kind: DeviceKind) throws {
    try DevicePlace.with(kind) { place in
      let device = try place.device()
      device.close(try device.create("b", byteCount: 4096))
      device.close(try device.create("a", byteCount: 4096))
      #expect(try device.names() == ["a", "b"])
      #expect(errno { () throws(HostError) in _ = try device.create("a", byteCount: 4096) } == EEXIST)
      #expect(errno { () throws(HostError) in _ = try device.open("c", forWriting: true) } == ENOENT)
      #expect(errno { () throws(HostError) in try device.unlink("c") } == ENOENT)
      #expect(errno { () throws(HostError) in try device.rename("c", to: "d") } == ENOENT)
      try device.rename("b", to: "a")
      try device.syncFolder()
      #expect(try device.names() == ["a"])
      try device.unlink("a")
      try device.syncFolder()
      #expect(try device.names() == [])
    }
  }

  @Test(arguments: DeviceKind.here) func `a batch is written in its places and can be read by another device`(
    _ kind: DeviceKind
  ) throws {
    try DevicePlace.with(kind) { place in
      let device = try place.device()
      let file = try device.create("a", byteCount: 65536)
      let producer = Producer(stride: 8192)
      _ = device.register(producer.region)
      let batch = WriteBatch()
      batch.reset(file: file)
      let slots = (0..<3).map { _ in producer.next(payload: 4096) }
      for (index, slot) in slots.enumerated() { batch.add(slot, at: 4096 + index * 16384) }
      try complete(batch, on: device)
      #expect(batch.writes.map(\.result) == [8192, 8192, 8192] && batch.syncResult == 0)
      let other = try place.device()
      let reading = try other.open("a", forWriting: false)
      let buffer = ReadBuffer(8192)
      for (index, slot) in slots.enumerated() {
        #expect(try other.read(reading, into: buffer.bytes, at: 4096 + index * 16384) == 8192)
        #expect(buffer.bytes.elementsEqual(slot))
      }
    }
  }

  @Test(arguments: DeviceKind.here) func `slots that follow each other are written at once`(_ kind: DeviceKind) throws {
    try DevicePlace.with(kind) { place in
      let device = try place.device()
      let file = try device.create("a", byteCount: 65536)
      let producer = Producer(stride: 8192)
      let batch = WriteBatch()
      batch.reset(file: file)
      for index in 0..<3 { batch.add(producer.next(payload: 4096), at: 4096 + index * 8192) }
      try complete(batch, on: device)
      #expect(batch.writes.map(\.result) == [24576] && batch.syncResult == 0)
    }
  }

  @Test(arguments: DeviceKind.here) func `two batches are in flight at once, and both complete`(_ kind: DeviceKind)
    throws
  {
    try DevicePlace.with(kind) { place in
      let device = try place.device()
      let file = try device.create("a", byteCount: 1 << 20)
      let producer = Producer(stride: 8192)
      let batches = [WriteBatch(), WriteBatch()]
      for round in 0..<20 {
        for (index, batch) in batches.enumerated() {
          batch.reset(file: file)
          batch.add(producer.next(payload: 4096), at: 4096 + (2 * round + index) * 8192)
          try device.submit(batch)
        }
        let deadline = Deadline(after: .seconds(30))
        while !batches.allSatisfy(\.isComplete), !deadline.hasPassed { _ = try device.reap(wait: .seconds(1)) }
        #expect(batches.allSatisfy { $0.isComplete && $0.syncResult == 0 })
      }
    }
  }

  @Test(arguments: DeviceKind.here) func `a locked file is locked for others until it is closed`(_ kind: DeviceKind)
    throws
  {
    try DevicePlace.with(kind) { place in
      let device = try place.device()
      let other = try place.device()
      let file = try device.create("a", byteCount: 4096)
      let second = try other.open("a", forWriting: true)
      #expect(try !other.lock(second, wait: .zero))
      device.close(file)
      #expect(try other.lock(second, wait: .seconds(5)))
      #expect(try device.lockFolder(wait: .zero) && !other.lockFolder(wait: .zero))
    }
  }
}

@Suite struct DeviceFailureTests {
  /// RLIMIT_FSIZE makes a write short at the limit, and fail beyond it.
  @Test(arguments: [DeviceKind.ioUring, .pwrite])
  func `a write that is short or fails cancels the writes and the sync after it`(
    _ kind: DeviceKind
  ) async {
    guard DeviceKind.here.contains(kind) else { return }
    if kind == .ioUring {
      await #expect(processExitsWith: .success) {
        try checkCancellation { folder throws(HostError) in try IOUringDevice(folder: folder) }
      }
    } else {
      await #expect(processExitsWith: .success) {
        try checkCancellation { folder throws(HostError) in try PwriteDevice(folder: folder) }
      }
    }
  }

  @Test(.enabled(if: Machine.ioUring == .available, "io_uring is refused here"))
  func `with a hard link the sync succeeds after a failed write, which is why it is not used`() async {
    await #expect(processExitsWith: .success) {
      let sync = try syncAfterFailedWrite { folder throws(HostError) in try IOUringDevice(folder: folder, link: .always)
      }
      #expect(sync == 0)
    }
  }
}

private func checkCancellation(_ open: (String) throws(HostError) -> any JournalDevice) throws {
  let sync = try syncAfterFailedWrite(open)
  #expect(sync == -ECANCELED)
}

/// Writes two slots, the first across the limit of the file's size, and returns what the sync says.
private func syncAfterFailedWrite(_ open: (String) throws(HostError) -> any JournalDevice) throws -> Int32 {
  let folder = try TestFolder()
  defer { withExtendedLifetime(folder) {} }
  let device = try open(folder.path + "/journal")
  let file = try device.create("a", byteCount: 65536)
  signal(SIGXFSZ, SIG_IGN)
  var limit = rlimit()
  let resource = __rlimit_resource_t(RLIMIT_FSIZE.rawValue)
  #expect(getrlimit(resource, &limit) == 0)
  limit.rlim_cur = 8192
  #expect(setrlimit(resource, &limit) == 0)
  let producer = Producer(stride: 8192)
  let batch = WriteBatch()
  batch.reset(file: file)
  batch.add(producer.next(payload: 4096), at: 4096)
  batch.add(producer.next(payload: 4096), at: 20480)
  try complete(batch, on: device)
  #expect(batch.writes[0].result == 4096)
  return batch.syncResult
}
