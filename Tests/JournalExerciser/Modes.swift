import CLinux
import Glibc
import Host
import Journal
import Rings

/// Slots in shared memory that are committed one after the other, without a ring's readers.
final class SlotSource {
  let stride: Int
  let region: UnsafeMutableRawBufferPointer
  private let slotCount: Int
  private let payload: Int
  private let state: JournalWriter.State
  private var next: UInt64
  private var chain: UInt64

  init(_ writer: JournalWriter, payload: Int, slotCount: Int) {
    stride = writer.stride
    self.slotCount = slotCount
    self.payload = payload
    state = writer.state
    next = state.nextSequence
    chain = state.chain
    region = .allocate(byteCount: stride * slotCount, alignment: 4096)
    region.initializeMemory(as: UInt8.self, repeating: 0x5A)
  }

  deinit { region.deallocate() }

  /// Whether the next slot's memory is free.
  func hasRoom(_ writer: JournalWriter) -> Bool { next - writer.state.durableThrough < UInt64(slotCount) }

  /// The next slot.
  func commit(durableThrough: UInt64) -> UnsafeRawBufferPointer {
    let slot = UnsafeMutableRawBufferPointer(rebasing: region[(Int(next) % slotCount * stride)...].prefix(stride))
    let header = EventHeader(
      kind: .projection, identity: identity, sequence: next, epoch: state.epoch, durableThrough: durableThrough,
      chain: chain,
      payloadByteCount: payload, payloadCRC32C: payloadChecksum)
    header.encode(into: slot)
    next += 1
    chain = header.chainAfter
    return UnsafeRawBufferPointer(slot)
  }

  /// Every payload is the same bytes.
  private lazy var payloadChecksum: UInt32 = clinux_crc32c(0, region.baseAddress.map { $0 + 4096 }, payload)
}

let identity = RingIdentity(runID: RunID(low: 1, high: 2), topic: 3, partition: 4)

/// Appends without an end; says how many are durable after each batch, as eight bytes.
func write(_ options: Options) throws(JournalError) {
  let payload = Int(options["payload", default: 65536])
  let writer = try openWriter(options, payload: payload)
  let source = SlotSource(writer, payload: payload, slotCount: max(16, (32 << 20) / writer.stride))
  _ = writerDevice?.register(UnsafeRawBufferPointer(source.region))
  var said: UInt64 = 0
  while options["until"] == 0 || said < options["until"] {
    for _ in 0..<64 where source.hasRoom(writer) {
      try writer.append(source.commit(durableThrough: writer.state.durableThrough))
    }
    var durable = try writer.poll(wait: .milliseconds(100))
    if durable > said {
      said = durable
      write(1, &durable, 8)
    }
  }
}

nonisolated(unsafe) private var writerDevice: (any JournalDevice)?

private func openWriter(_ options: Options, payload: Int) throws(JournalError) -> JournalWriter {
  var journal = JournalOptions()
  journal.segmentByteCount = Int(options["segment", default: 256 << 20])
  let device: any JournalDevice
  do throws(HostError) {
    device =
      options["pwrite"] != 0 ? try PwriteDevice(folder: options.folder) : try openJournalDevice(folder: options.folder)
  } catch { throw .host(error) }
  writerDevice = device
  return try JournalWriter(
    device: device, identity: identity, stride: 4096 + (payload + 4095) / 4096 * 4096,
    epoch: options["epoch", default: 1],
    options: journal)
}

/// Writes `bytes` bytes through the journal and then the same through the device alone, `rounds` times in turn; prints
/// for both the median MB/s, and the median of the nanoseconds that an append took.
func rate(_ options: Options) throws(JournalError) {
  let payload = Int(options["payload", default: 1 << 20])
  let total = Int(options["bytes", default: 512 << 20])
  var journalRates: [Double] = []
  var rawRates: [Double] = []
  var appends: [Double] = []
  for round in 0..<options["rounds", default: 5] {
    let writer = try openWriter(options, payload: payload, round: round)
    let source = SlotSource(writer, payload: payload, slotCount: max(4, (32 << 20) / writer.stride))
    let registers = writerDevice?.register(UnsafeRawBufferPointer(source.region)) ?? false
    let count = UInt64(total / writer.stride)
    var times: [UInt64] = []
    let start = Machine.monotonicNanoseconds
    while writer.state.durableThrough < count {
      while source.hasRoom(writer), writer.state.nextSequence < count {
        let slot = source.commit(durableThrough: writer.state.durableThrough)
        let before = Machine.monotonicNanoseconds
        try writer.append(slot)
        times.append(Machine.monotonicNanoseconds - before)
        if !source.hasRoom(writer) { break }
      }
      try writer.poll(wait: .milliseconds(100))
    }
    journalRates.append(Double(count) * Double(writer.stride) * 1000 / Double(Machine.monotonicNanoseconds - start))
    appends.append(Double(times.sorted()[times.count / 2]))
    try writer.close()
    do throws(HostError) {
      rawRates.append(try rawRate(source, total: total, options: options, registers: registers))
    } catch {
      throw .host(error)
    }
  }
  let line =
    "payload \(payload) journal \(median(journalRates)) raw \(median(rawRates)) MB/s append \(median(appends)) ns via "
    + "\(writerDevice?.mechanism ?? "")\n"
  write(1, line, line.utf8.count)
}

private func openWriter(_ options: Options, payload: Int, round: UInt64) throws(JournalError) -> JournalWriter {
  writerDevice = nil
  removeFolder(options.folder)
  return try openWriter(options, payload: payload)
}

/// The same bytes in writes of 4 MiB, or of a record if that is more, two in flight, to one preallocated file; one sync
/// at the end.
private func rawRate(_ source: SlotSource, total: Int, options: Options, registers: Bool) throws(HostError) -> Double {
  let path = options.folder + ".raw"
  let descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC | clinux_direct_flag(), 0o600)
  guard descriptor >= 0, posix_fallocate(descriptor, 0, total) == 0 else {
    throw .system(call: "open", subject: path, errno: .current)
  }
  defer {
    close(descriptor)
    unlink(path)
  }
  let queue = try IOQueue(entries: 8)
  if registers { try queue.register([UnsafeRawBufferPointer(source.region)]) }
  let size = max(source.stride, (4 << 20) / source.stride * source.stride)
  let count = total / size
  let start = Machine.monotonicNanoseconds
  var submitted = 0
  var completed = 0
  while completed < count {
    while submitted < count, submitted - completed < 2 {
      let piece = source.region[
        submitted % (source.region.count / size) * size..<(submitted % (source.region.count / size) + 1) * size]
      queue.prepareWrite(
        UnsafeRawBufferPointer(rebasing: piece), to: descriptor, at: submitted * size, buffer: registers ? 0 : nil,
        link: .none, tag: 0)
      _ = try queue.submit()
      submitted += 1
    }
    completed += try queue.reap(wait: .seconds(1)) { _, result in
      if Int(result) != size { fail("a raw write gave \(result)", code: 74) }
    }
  }
  guard fdatasync(descriptor) == 0 else { throw .system(call: "fdatasync", subject: path, errno: .current) }
  return Double(count * size) * 1000 / Double(Machine.monotonicNanoseconds - start)
}

private func median(_ values: [Double]) -> Int { Int(values.sorted()[values.count / 2].rounded()) }

func removeFolder(_ folder: String) {
  do throws(HostError) {
    let device = try PwriteDevice(folder: folder)
    for name in try device.names() { try device.unlink(name) }
  } catch { fail(error.description, code: 74) }
  rmdir(folder)
}
