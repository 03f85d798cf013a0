import Detectors
package import Fabric
import Host
package import Rings
import RunModel
package import Stages
import Tomography

/// The rows of an edge's run that a node reconstructs.
package struct FabricPart: Codable, Equatable, Sendable {
  /// The run at the edge.
  package let run: RunID
  /// The topic there whose images come.
  let images: String
  /// How its rows are cut.
  package let granules: Granules
  /// The granules that come.
  package let taken: Range<Int>
  /// What the edge's outputs are named after.
  let name: String
  /// Whether flat and dark fields may come among or behind the projections.
  let fieldsMayComeLate: Bool
  /// Whether the edge wants its slices back; nil for no.
  package let returnsSlices: Bool?

  /// The rows of the edge's images that come.
  package var rows: Range<Int> { granules.rows(of: taken) }

  /// The granules in words.
  var words: String { "\(taken.scanText) of \(granules.count)" }

  /// Whether what comes was filtered at the edge.
  package var isCorrected: Bool { images == Topic.corrected.name }
}

// Both ends of a scan that has several machines.
extension RunPlan {
  /// Bytes of a message beside its rows, at most.
  private static let messageOverhead = BandMessage.headByteCount + EventHeader.metadataCapacity

  /// The most rows of a granule.
  static func granuleMax(columns: Int, pixelByteCount: Int) -> Int {
    (BandMessage.byteCountMax - messageOverhead) / (columns * pixelByteCount)
  }

  /// Bytes of a pixel of the images that are reconstructed.
  private var imagePixelByteCount: Int {
    correction == nil ? shape.payloadCapacity / (shape.rows * shape.columns) : PixelType.float32.byteCount
  }

  /// What nodes are told of the run; nil where it has none.
  var fabricPlan: FabricPlan? {
    guard scan.fabric != nil, let granule = scan.granule else { return nil }
    var settled = scan
    settled.rotationAxis = .pixels(detectorAxis)
    settled.minusLog = minusLog ? .yes : .no
    settled.settleWindows()
    return FabricPlan(
      program: programVersion, run: runID, name: outputName, images: images.name,
      pixelByteCount: imagePixelByteCount, rows: shape.rows, columns: shape.columns,
      granule: granule, firstSlice: shape.firstSlice, projections: shape.projections, flats: shape.flats,
      darks: shape.flatsAndDarks - shape.flats, fieldsMayComeLate: fieldsMayComeLate, minusLog: minusLog,
      rotationAxis: rotationAxis, rotationAxisError: rotationAxisError, tilt: tilt,
      projectionsPerHalfTurn: projectionsPerHalfTurn, projectionsCovering: projectionsCovering,
      pixelSizeMillimetres: pixelSizeMillimetres, returnsSlices: scan.gather == .edge ? true : nil,
      keys: FabricPlan.words(of: settled))
  }

  /// How images go to nodes; nil where they do not.
  package var uplink: UplinkConfiguration? {
    guard let plan = fabricPlan, let address = try? scan.fabricAddress() else { return nil }
    let rowByteCount = plan.columns * plan.pixelByteCount
    var uplink = UplinkConfiguration(
      address: address, run: runID, images: images, granules: plan.granules,
      eventsMax: UInt64(shape.projections + shape.flatsAndDarks + 1),
      messageByteCountMax: min(plan.granule, plan.rows) * rowByteCount + Self.messageOverhead, plan: plan.encoded(),
      look: sampleLook, patience: Self.fabricPatience, holder: uplinkHolder)
    (uplink.policy, uplink.showsPreviews) = (scan.uplink, scan.uplinkPreview)
    uplink.hearsScores = control.hearsNodes
    if scan.gather == .edge { uplink.returned = .init(slices: plan.rows, columns: geometry.columns) }
    if let nodes = scan.nodes {
      uplink.wanted = .init(
        nodes: nodes, granules: (0..<plan.granules.count).filter { !makesAll(plan.granules[$0]) },
        patience: .seconds(scan.partsPatience))
    }
    return uplink
  }

  /// Who may have scores: its workers, and behind them the granules that nodes make.
  package var scorers: Int {
    placement.workers.count + (control.hearsNodes ? fabricPlan?.granules.count ?? 0 : 0)
  }

  /// Whether this machine writes the slices that it makes.
  package var writesSlices: Bool { scan.rowsHere != .nothing }

  /// Whether the edge writes all slices of some rows itself.
  private func makesAll(_ rows: Range<Int>) -> Bool {
    let own = reconstructedRows
    return writesSlices && own.lowerBound <= rows.lowerBound && rows.upperBound <= own.upperBound
  }

  /// A run's folder has one supervisor, and that one uplink: who has the same folder on the same machine is this one's
  /// successor. A checksum, as nobody beyond needs to know where that is.
  private var uplinkHolder: String {
    var digest = SHA256()
    Array("\(Machine.startID) \(scan.runFolder ?? "")".utf8).withUnsafeBytes { digest.update($0) }
    return digest.hexDigest()
  }

  /// What only all rows of the detector show, and the final iterations have to know; nil where they do not.
  private var sampleLook: SampleLook? {
    guard looksForSample else { return nil }
    return SampleLook(
      rows: shape.rows, columns: shape.columns, minusLog: minusLog, sides: geometry.layout(rows: 1).outerSides)
  }

  /// Whether the final iterations reach beyond the detector where the sample does.
  var looksForSample: Bool {
    if case .subsets(_, padding: .whereTheSampleLeaves) = scan.methods.final { keepsProjections } else { false }
  }

  /// Whether flat and dark fields may come among or behind the projections.
  var fieldsMayComeLate: Bool { fabric?.fieldsMayComeLate ?? (live != nil || scan.flatFields == .interpolate) }

  /// What a node's images come from.
  func makeFabricSource(noticed: @escaping (SourceNotice) -> Void) throws -> any ProjectionSource {
    guard let part = fabric, let address = try scan.fabricAddress() else {
      preconditionFailure("a node was planned without its part")
    }
    let topic: Topic = part.isCorrected ? .corrected : .projections
    return FabricSource(
      FabricSource.Configuration(
        address: address, run: part.run, topic: topic, granules: part.granules, taking: part.taken,
        columns: shape.columns, pixelByteCountMax: shape.payloadCapacity / (shape.rows * shape.columns),
        hasLedger: !part.isCorrected, patience: Self.fabricPatience, edgePatience: .seconds(scan.edgePatience)),
      noticed: noticed)
  }

  /// How long servers may be away from a node.
  private static let fabricPatience: Duration = .seconds(600)

  /// The rows of an image that are reconstructed here.
  package var reconstructedRows: Range<Int> {
    placement.workers[0].rows.lowerBound..<placement.workers[placement.workers.count - 1].rows.upperBound
  }

  /// Slices of the volume that is made here.
  package var slices: Int { reconstructedRows.count }

  /// The number of the first of them in file names.
  package var firstSlice: Int { shape.firstSlice + reconstructedRows.lowerBound }
}
