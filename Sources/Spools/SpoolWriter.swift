import Detectors
import Host
import Journal
import Rings
import RunModel
import Topics

/// Writes the frames of one scan to a folder, as they come: each is durable before it counts.
///
/// ```
/// <folder>/scan.json      what is known of the scan (SpoolDescription)
/// <folder>/frames/        a journal: one event a frame (SpoolRecord), then the end
/// ```
/// The ring behind the journal is this process's own: its name in shared memory is gone before the first frame.
final class SpoolWriter {
  let folder: String
  private(set) var description: SpoolDescription
  private let topic: TopicWriter

  /// How long the disk may take for a frame, while it is not full.
  private static let limit: Duration = .seconds(60)

  /// The journal in a spool's folder.
  static func journal(in folder: String) -> String { "\(folder)/frames" }

  /// A new spool in `folder`, which is empty.
  init(creating folder: String, _ description: SpoolDescription) throws {
    (self.folder, self.description) = (folder, description)
    try DurableFolder.make(Self.journal(in: folder), for: .owner)
    topic = try Self.open(folder, description.ring)
    // Last: what has no description is no spool.
    try description.write(folder)
  }

  /// A spool whose writer died, at the first frame that it has not.
  init(reopening folder: String) throws {
    self.folder = folder
    description = try SpoolDescription.read(folder)
    var ring = description.ring
    let journal = Self.journal(in: folder)
    let report = try verifyJournal(
      device: PwriteDevice(folder: journal), identity: ring.identity, stride: ring.slotStride, durableFloor: 0,
      depth: .tail)
    if !report.segments.isEmpty {
      let state = try TopicTakeover.end(ofJournalIn: journal, ring, after: report.epoch, durableFloor: 0)
      ring = RingSpecification(
        runID: description.id, topic: ring.identity.topic, slotCount: ring.slotCount,
        payloadCapacity: ring.payloadCapacity, requiredReaders: 0, firstSequence: state.nextSequence,
        firstChain: state.chain, firstEpoch: state.epoch)
    }
    topic = try Self.open(folder, ring)
  }

  private static func open(_ folder: String, _ specification: RingSpecification) throws -> TopicWriter {
    let names = RegionNames.random(specification.identity.runID)
    guard let region = names.folder else { preconditionFailure("\(names.prefix) has no folder") }
    try RegionFolder.create(region)
    let name = names.prefix + "spool"
    let ring: Ring
    do {
      ring = try Ring.create(name: name, specification: specification)
    } catch {
      RegionFolder.removeIfEmpty(region)
      throw error
    }
    // The mapping is all that is needed of it, and goes with this process however that ends.
    try Ring.unlink(name: name)
    return try TopicWriter(ring: ring, folder: journal(in: folder))
  }

  /// Writes a frame. Waits where the disk is behind; throws where it fails.
  func append(_ header: FrameHeader, _ image: UnsafeRawBufferPointer) throws {
    let claim = try topic.claim(timeout: Self.limit)
    precondition(image.count <= claim.payload.count, "an image of \(image.count) B for \(claim.payload.count) B")
    claim.payload.copyMemory(from: image)
    let used = SpoolRecord.encode(header, into: claim.metadata)
    try topic.commit(
      claim,
      EventFields(
        kind: .projection, acquiredAt: Machine.realtimeNanoseconds, payloadByteCount: image.count,
        metadataByteCount: used, projection: header.number))
  }

  /// Whether an image is one that the spool has room for.
  func hasRoom(for image: UnsafeRawBufferPointer) -> Bool { image.count <= description.ring.payloadCapacity }

  /// Takes note of what became known of the scan.
  func describe(_ change: (inout SpoolDescription) -> Void) throws {
    var new = description
    change(&new)
    guard new != description else { return }
    try new.write(folder)
    description = new
  }

  /// Closes the scan: every frame of it is durable then.
  func markEnd() throws {
    try topic.append(kind: .end, timeout: Self.limit) { _ in 0 }
    try topic.flush()
  }

  /// Waits until all frames are durable.
  func flush() throws { try topic.flush() }
}
