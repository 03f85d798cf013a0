import Foundation
import Glibc
import Host
import Rings
import Testing

/// A ring with a name of its own, whose name goes with this object.
final class TemporaryRing {
  let ring: Ring
  var name: String { ring.name }
  var identity: RingIdentity { ring.specification.identity }

  init(
    slotCount: Int = 8, payloadCapacity: Int = 4096, readers: Int = 1, whenFull: WhenFull = .wait, spillSlots: Int = 0,
    firstSequence: UInt64 = 0
  ) throws(RingError) {
    let runID = RunID.random()
    ring = try Ring.create(
      name: "slipring-test-\(runID)",
      specification: RingSpecification(
        runID: runID, topic: 1, slotCount: slotCount, payloadCapacity: payloadCapacity, requiredReaders: readers,
        whenFull: whenFull,
        spillSlotCount: spillSlots, firstSequence: firstSequence))
  }

  deinit { shm_unlink("/" + name) }

  /// A second mapping of the same region, as another process has it.
  func attach() throws(RingError) -> Ring { try Ring.attach(name: name, expecting: identity) }

  func writer(_ publishing: RingWriter.Publishing = .atCommit) throws(RingError) -> RingWriter {
    try RingWriter(ring: ring, epoch: try ring.grantEpoch(), publishing: publishing)
  }
}

extension RingWriter {
  /// Writes an event of one word of payload and one of metadata that depend on `value`.
  @discardableResult
  func append(_ value: UInt64, timeout: Duration = .zero) throws(RingError) -> UInt64 {
    let claim = try claim(timeout: timeout)
    claim.payload.storeBytes(of: value, as: UInt64.self)
    claim.metadata.storeBytes(of: ~value, as: UInt64.self)
    try commit(
      claim,
      EventFields(
        kind: .projection, payloadByteCount: 8, metadataByteCount: 8, projection: value, rows: 2, columns: 1,
        pixel: .float32))
    return claim.sequence
  }
}

extension Event {
  /// The word that `append` wrote, nil unless payload and metadata agree about it.
  var value: UInt64? {
    guard payload.count == 8, metadata.count == 8 else { return nil }
    let value = payload.load(as: UInt64.self)
    return metadata.load(as: UInt64.self) == ~value ? value : nil
  }
}

/// A process that plays one part in a test, killed with this object if it still runs.
final class Exerciser {
  let process: ChildProcess
  private let output = Pipe()

  init(_ mode: String, _ ring: TemporaryRing, _ options: [String: UInt64]) throws(HostError) {
    // The products of a build lie beside each other, the test bundle among them.
    let executable =
      URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().path
      + "/RingExerciser"
    let values = options.map { "\($0.key)=\($0.value)" } + ["parent=\(getpid())"]
    process = try ChildProcess(
      executable: executable, arguments: [mode, ring.name, "\(ring.identity.runID)"] + values,
      standardOutput: output.fileHandleForWriting.fileDescriptor)
    output.fileHandleForWriting.closeFile()
  }

  deinit {
    do {
      try process.signal(SIGKILL)
      _ = try process.waitForExit(timeout: .seconds(10))
    } catch {
      Issue.record(error)
    }
  }

  /// The next line that the process writes; waits for it.
  func line() throws -> String {
    guard try !Poll.wait(readable: [output.fileHandleForReading.fileDescriptor], timeout: .seconds(60)).isEmpty else {
      return ""
    }
    return String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
  }
}
