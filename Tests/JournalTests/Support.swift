import CLinux
import Foundation
import Host
import Journal
import Rings
import Testing

/// A folder that goes with this object.
final class TestFolder {
  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.path + "/slipring-journal-\(RunID.random())"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
  }

  deinit {
    do { try FileManager.default.removeItem(atPath: path) } catch { Issue.record(error) }
  }
}

let testIdentity = RingIdentity(runID: RunID(low: 1, high: 2), topic: 3, partition: 4)

/// Makes committed slots of consecutive sequences, as a ring's writer does.
final class Producer {
  let stride: Int
  let identity: RingIdentity
  let epoch: UInt64
  var nextSequence: UInt64
  var chain: UInt64
  private let memory: UnsafeMutableRawBufferPointer
  private let slotCount: Int

  init(
    stride: Int, slotCount: Int = 64, epoch: UInt64 = 1, nextSequence: UInt64 = 0, chain: UInt64 = 0,
    identity: RingIdentity = testIdentity
  ) {
    self.stride = stride
    self.slotCount = slotCount
    self.epoch = epoch
    self.nextSequence = nextSequence
    self.chain = chain
    self.identity = identity
    memory = .allocate(byteCount: stride * slotCount, alignment: 4096)
    memory.initializeMemory(as: UInt8.self, repeating: 0)
  }

  /// A producer that goes on where the writer is.
  convenience init(after writer: JournalWriter, slotCount: Int = 64) {
    self.init(
      stride: writer.stride, slotCount: slotCount, epoch: writer.state.epoch, nextSequence: writer.state.nextSequence,
      chain: writer.state.chain, identity: writer.identity)
  }

  deinit { memory.deallocate() }

  /// All its memory.
  var region: UnsafeRawBufferPointer { UnsafeRawBufferPointer(memory) }

  /// The next slot, with a payload of `payload` bytes and 24 bytes of metadata that depend on `seed`. No byte of stamp,
  /// metadata or payload is 0.
  func next(kind: EventKind = .projection, payload: Int = 100, durableThrough: UInt64 = 0, seed: UInt64 = 0)
    -> UnsafeRawBufferPointer
  {
    let slot = UnsafeMutableRawBufferPointer(
      rebasing: memory[(Int(nextSequence) % slotCount * stride)...].prefix(stride))
    var random = SplitMix64(seed: nextSequence &* 31 &+ seed &+ epoch &* 1_000_003)
    for offset in Swift.stride(from: 0, to: EventHeader.byteCount + 24, by: 8) {
      slot.storeBytes(of: random.next() | 0x0101_0101_0101_0101, toByteOffset: offset, as: UInt64.self)
    }
    UnsafeMutableRawBufferPointer(rebasing: slot[(EventHeader.byteCount + 24)...]).initializeMemory(
      as: UInt8.self, repeating: 0)
    let base = random.next()
    for offset in 0..<payload {
      slot[EventHeader.pageByteCount + offset] =
        UInt8(truncatingIfNeeded: base >> 8) &+ UInt8(truncatingIfNeeded: offset) | 1
    }
    let stamp = slot.load(as: UInt64.self)
    let header = EventHeader(
      kind: kind, identity: identity, sequence: nextSequence, epoch: epoch, durableThrough: durableThrough,
      chain: chain,
      payloadByteCount: payload, metadataByteCount: 24, payloadCRC32C: contentChecksum(slot, payload))
    header.encode(into: slot)
    slot.storeBytes(of: stamp, as: UInt64.self)
    nextSequence += 1
    chain = header.chainAfter
    return UnsafeRawBufferPointer(slot)
  }

  private func contentChecksum(_ slot: UnsafeMutableRawBufferPointer, _ payload: Int) -> UInt32 {
    guard let start = slot.baseAddress else { return 0 }
    return clinux_crc32c(
      clinux_crc32c(0, start + EventHeader.byteCount, 24), start + EventHeader.pageByteCount, payload)
  }
}

extension JournalError {
  /// Whether a simulated disk's faults come to an end by themselves, so that an opening that failed so is repeated.
  var isPassing: Bool {
    switch self {
    case .host, .failed, .full, .stalled: true
    default: false
    }
  }
}

extension JournalWriter {
  /// Appends `count` records, those in flight kept below the producer's slots.
  func append(_ count: Int, of producer: Producer, payload: Int = 100) throws(JournalError) {
    for _ in 0..<count { try append(producer.next(payload: payload, durableThrough: state.durableThrough)) }
  }
}

/// Memory that records are read into.
final class ReadBuffer {
  let bytes: UnsafeMutableRawBufferPointer
  init(_ byteCount: Int) { bytes = .allocate(byteCount: byteCount, alignment: 4096) }
  deinit { bytes.deallocate() }
}

/// Small segments and no delays.
func smallOptions(stride: Int = 8192, records: Int = 4) -> JournalOptions {
  var options = JournalOptions()
  options.segmentByteCount = 4096 + records * stride
  options.batchByteCount = 3 * stride
  options.batchByteCountMax = options.batchByteCount
  options.batchDelay = .zero
  options.fullRetryDelay = .zero
  options.lockWait = .zero
  return options
}
