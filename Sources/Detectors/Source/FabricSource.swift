package import Fabric
import Glibc
import Host
package import Rings
package import RunModel

/// Some rows of the images of another run, the edge's, from a fabric: event for event, with the edge's numbers, angles
/// and metadata. They can be had again: a successor goes on right behind the last one that its predecessor published,
/// and nothing is lost.
package final class FabricSource: ProjectionSource {
  /// Which rows of which images.
  package struct Configuration: Sendable {
    let address: FabricAddress
    let topic: FabricTopic
    let granules: Granules
    let taking: Range<Int>
    let columns: Int
    let pixelByteCountMax: Int
    let hasLedger: Bool
    let patience: Duration
    let edgePatience: Duration

    /// The granules `taking` of a topic, whose images have so many columns, and pixels of so many bytes at most.
    /// `hasLedger` says whether the source's ledger is beside the images. Servers, or the edge where it is needed, may
    /// be away for `patience`; no image may come for `edgePatience` while the edge is not there at all.
    package init(
      address: FabricAddress, run: RunID, topic: Topic, granules: Granules, taking: Range<Int>, columns: Int,
      pixelByteCountMax: Int, hasLedger: Bool, patience: Duration, edgePatience: Duration
    ) {
      (self.address, self.granules, self.taking, self.columns) = (address, granules, taking, columns)
      self.topic = FabricTopic(run: run, id: topic.id, word: topic.kind.word)
      (self.pixelByteCountMax, self.hasLedger) = (pixelByteCountMax, hasLedger)
      (self.patience, self.edgePatience) = (patience, edgePatience)
    }
  }

  /// The edge's end, once it came.
  package private(set) var toldEnd: EndEvent?
  /// Of the newest image that carries one.
  package private(set) var losses: LossLedger?
  private let configuration: Configuration
  private let noticed: (SourceNotice) -> Void
  private var nextEvent: UInt64 = 0
  private var reader: BandReader?
  private var bands: Bands?
  private var edge: EdgeWatch?
  private var (isAwayTold, isHoleTold, isEdgeTold) = (false, false, false)
  /// When an event last came, or the servers were last there.
  private var (lastEvent, lastConnected) = (ContinuousClock.now, ContinuousClock.now)

  /// Radians of any angle: a million turns, as in a file.
  private static let thetaMax = 2 * Double.pi * 1e6
  private static let connectPause: Duration = .milliseconds(100)
  /// How long the edge may take to answer before a person hears of it.
  private static let holeToldAfter: Duration = .seconds(5)
  /// Where nothing comes for so long it is looked whether the edge is there.
  private static let edgeSoughtAfter: Duration = .seconds(2)

  /// `noticed` hears of servers that are away.
  package init(_ configuration: Configuration, noticed: @escaping (SourceNotice) -> Void) {
    (self.configuration, self.noticed) = (configuration, noticed)
  }

  /// Rows and columns of what comes.
  package var shape: (rows: Int, columns: Int) {
    (configuration.granules.rows(of: configuration.taking).count, configuration.columns)
  }

  /// That of the edge.
  package var endReason: EndEvent.Reason { toldEnd?.reason ?? .sourceEnded }

  /// Goes on at event `count`, which has that number at the edge as well. How many projections these were nobody needs
  /// to know here: the end says it.
  package func resume(after count: UInt64, metadata: [UInt8], lost: UInt64) throws -> Int? {
    (nextEvent, reader) = (count, nil)
    try note(metadata)
    return 0
  }

  /// The next image; nothing while the edge has none, or the servers are away.
  package func next(timeout: Duration) throws -> SourceStep {
    if toldEnd != nil { return .end }
    bands = nil
    guard let reader = try connected() else {
      usleep(UInt32(min(timeout, Self.connectPause) / .microseconds(1)))
      return .nothing
    }
    guard let next = try reader.next(timeout: timeout) else {
      try look(at: reader)
      return .nothing
    }
    (lastEvent, nextEvent) = (.now, next.header.sequence + 1)
    (lastConnected, isEdgeTold) = (.now, false)
    if next.header.kind == .end {
      toldEnd = try Self.decoded(next.metadata, "event \(next.header.sequence)") { bytes throws(EventError) in
        try EndEvent(decoding: bytes)
      }
      return .end
    }
    bands = next
    return .frame(try frame(next))
  }

  /// What the edge says of an image, if it is one that was planned.
  private func frame(_ bands: Bands) throws(FabricError) -> SourceFrame {
    let header = bands.header
    guard ImageRole(header.kind) != nil, let pixel = header.pixel, pixel.byteCount <= configuration.pixelByteCountMax,
      Int(header.columns) == configuration.columns, abs(header.theta) <= Self.thetaMax,
      bands.byteCount == shape.rows * shape.columns * pixel.byteCount, let index = Int(exactly: header.projection)
    else {
      throw .damaged(
        what: "event \(header.sequence)",
        reason: "a \(header.kind) of \(header.rows) × \(header.columns) pixels is not of the run that was planned")
    }
    guard bands.isAgreed else {
      throw .damaged(what: "event \(header.sequence)", reason: "its granules do not say the same of updates")
    }
    return SourceFrame(
      kind: header.kind, index: index, theta: header.theta, pixel: pixel, interval: bands.interval,
      origin: .fabric(self))
  }

  /// Writes the rows of the newest image into `payload`, and the edge's metadata as they came.
  func write(into payload: UnsafeMutableRawBufferPointer, metadata: UnsafeMutableRawBufferPointer) throws -> Int {
    guard let bands else { preconditionFailure("an image was written twice, or after the next one") }
    bands.copy(into: payload)
    precondition(bands.metadata.count <= metadata.count, "\(bands.metadata.count) B of metadata")
    bands.metadata.withUnsafeBytes { metadata.copyMemory(from: $0) }
    try note(bands.metadata)
    return bands.metadata.count
  }

  private func note(_ metadata: [UInt8]) throws(FabricError) {
    guard configuration.hasLedger, !metadata.isEmpty else { return }
    losses = try Self.decoded(metadata, "the ledger before event \(nextEvent)") { bytes throws(EventError) in
      try LossLedger(decoding: bytes)
    }
  }

  /// Reads what came from the fabric, where it is somebody else's fault if it has no meaning.
  private static func decoded<Value>(
    _ metadata: [UInt8], _ what: String, _ decode: (UnsafeRawBufferPointer) throws(EventError) -> Value
  ) throws(FabricError) -> Value {
    let result = metadata.withUnsafeBytes { bytes in Result { () throws(EventError) in try decode(bytes) } }
    switch result {
    case .success(let value): return value
    case .failure(let error): throw .damaged(what: what, reason: "\(error)")
    }
  }

  /// The reader, once the servers were there; nil before that.
  private func connected() throws(FabricError) -> BandReader? {
    if let reader { return reader }
    do throws(FabricError) {
      let connection = try FabricConnection(configuration.address, name: "slipring node", patience: .zero)
      let reader = try BandReader(
        connection, topic: configuration.topic, granules: configuration.granules, taking: configuration.taking,
        next: nextEvent)
      edge = try EdgeWatch(connection, run: configuration.topic.identity.runID)
      (self.reader, lastConnected, lastEvent) = (reader, .now, .now)
      return reader
    } catch {
      guard case .unreachable = error, ContinuousClock.now - lastConnected < configuration.patience else { throw error }
      tellAway()
      return nil
    }
  }

  /// Throws where nothing will come any more.
  private func look(at reader: BandReader) throws(FabricError) {
    if reader.isConnected {
      (lastConnected, isAwayTold) = (.now, false)
      let waited = ContinuousClock.now - lastEvent
      try lookForEdge(waited)
      if reader.isHoled, waited >= Self.holeToldAfter, !isHoleTold {
        isHoleTold = true
        noticed(
          .remark(
            "event \(nextEvent) is missing on the fabric, and the edge, which has it, does not answer; waiting for it "
              + "for \(configuration.patience)"))
      }
      guard waited >= configuration.patience else { return }
      if let refusal = reader.refusal { throw refusal }
      guard reader.isHoled else { return }
      throw .missing(
        "event \(nextEvent), and the edge, which has it, did not answer for \(configuration.patience): let its run go "
          + "on (slipring resume there), then this one")
    }
    tellAway()
    guard ContinuousClock.now - lastConnected >= configuration.patience else { return }
    throw reader.refusal
      ?? .unreachable("\(configuration.address)", reason: "nobody was there for \(configuration.patience)")
  }

  /// Throws where no image has come for too long, for all of which the edge was away. Servers that have the images give
  /// them without it.
  private func lookForEdge(_ waited: Duration) throws(FabricError) {
    guard waited >= min(Self.edgeSoughtAfter, configuration.edgePatience), let edge else { return }
    let away = min(edge.away(), waited), run = configuration.topic.identity.runID, patience = configuration.edgePatience
    guard away < patience else {
      throw .missing(
        "event \(nextEvent) of run \(run), and its edge was away for \(patience): let its run go on (slipring resume "
          + "there), then this one")
    }
    guard away >= EdgeWatch.toldAfter, !isEdgeTold else { return }
    isEdgeTold = true
    noticed(
      .remark(
        "run \(run): its edge is away, and no image comes; waiting for it for \(patience) (slipring resume there)"))
  }

  private func tellAway() {
    guard !isAwayTold else { return }
    isAwayTold = true
    noticed(.remark("the fabric \(configuration.address) is away; waiting for it"))
  }
}
