import Detectors
import Foundation
import Glibc
package import Host
import KernelTypes
package import Rings
package import RunModel
import ScanFiles
import Stages
import Tomography

/// Answers every open question of a scan description from the scan file and the machine, or says in one line what is
/// wrong.
package struct Planner {
  var scan: ScanDescription
  /// The scan file; nil for a live source.
  let reader: (any ScanReader)?
  private let fieldsReader: (any ScanReader)?
  let live: LivePlan?
  /// What the edge says of the scan, some rows of which this run reconstructs; nil where it reads the scan itself.
  let edge: FabricPlan?
  let topology: Topology

  /// Memory for the newest projections of a durable topic.
  private static let ringByteCount = 256 << 20
  private static let ringSlots = 4...256

  /// Opens the scan file, or where the source is live, the file of its fields; `topology` is the machine's unless a
  /// test makes one up.
  package init(_ scan: ScanDescription, topology: Topology) throws {
    try scan.validate()
    try scan.checkEvents()
    try scan.checkStages()
    try scan.checkTriggers()
    FaultPoint.sourceOpening.reach()
    if case .fabric(let input) = try ScanSource(scan.input) {
      let (edge, input) = try Self.edge(of: scan, input)
      try self.init(edge, input: input, of: scan, topology: topology)
    } else {
      try self.init(reading: scan, topology: topology)
    }
  }

  /// Of a scan that is read here.
  private init(reading scan: ScanDescription, topology: Topology) throws {
    self.topology = topology
    edge = nil
    let (scan, found) = try scan.knowingWatchedFile()
    self.scan = scan
    if try ScanSource(scan.input).isLive {
      let fields = try scan.openFields()
      let live = try LivePlan(scan, fields: fields)
      (reader, fieldsReader, self.live, info) = (nil, fields, live, live.info(scan, fields: fields, found))
    } else {
      let reader = try scan.openInput()
      (self.reader, fieldsReader, live, info) = (reader, nil, nil, reader.info)
    }
  }

  /// Of a node, which reads rows of the run that `edge` is the plan of at `input`.
  init(_ edge: FabricPlan, input: String, of scan: ScanDescription, topology: Topology) throws(ScanFailure) {
    self.scan = try edge.description(of: scan, input: input)
    (reader, fieldsReader, self.edge, self.topology) = (nil, nil, edge, topology)
    (live, info) = Self.info(of: edge, input: input)
  }

  /// What the scan file says of itself, or a person of a live source.
  let info: ScanInfo

  /// The plan of a new run.
  package func plan(runID: RunID, command: [String]) throws -> RunPlan {
    FaultPoint.planning.reach()
    if let edge { return try plan(edge, runID: runID, command: command) }
    if scan.liveBinning == .auto { return try planFindingBinning(runID: runID, command: command) }
    let rows = try detectorRows()
    let factor = 1 << scan.binning
    guard rows.count >= factor, info.columns >= factor else {
      throw ScanFailure(
        .data,
        "--binning \(scan.binning) needs \(factor) rows and columns; the scan has \(rows.count) × \(info.columns)")
    }
    let (binnedRows, columns) = (rows.count / factor, info.columns / factor)
    guard columns <= SliceLayout.columnsMax else {
      throw ScanFailure(
        .data, "\(columns) columns exceed the \(SliceLayout.columnsMax) that Slipring reconstructs; use --binning")
    }
    let minusLog = scan.minusLog == .yes || (scan.minusLog == .auto && info.hasFlats)
    try checkCounts(minusLog: minusLog)
    var (scan, axis, geometry) = try place(rows: rows, columns: columns, minusLog: minusLog)
    let pixelBytes = factor > 1 ? 4 : [info.pixel, info.flatPixel, info.darkPixel].map(\.byteCount).max()!
    scan.granule = try granule(
      rows: binnedRows, columns: columns, pixelByteCount: scan.zingers == nil && scan.paganin == nil ? pixelBytes : 4,
      geometry)
    let local = try localRows(of: binnedRows, from: rows.lowerBound / factor, geometry)
    let shape = RunPlan.Shape(
      projections: info.projectionCount, flatsAndDarks: info.flatCount + info.darkCount, flats: info.flatCount,
      rows: binnedRows,
      columns: columns,
      detectorRows: rows, firstSlice: rows.lowerBound / factor, payloadCapacity: binnedRows * columns * pixelBytes)
    let placement = Placement.plan(
      topology: topology, rows: local.count, workers: scan.workers, threads: scan.threads, bands: scan.bands,
      alignment: scan.rowAlignment(scan.slabs(rows: binnedRows)?.step ?? scan.blockAlignment(geometry)),
      bytesPerSecond: (scan.rate ?? 0) * Double(shape.payloadCapacity)
    ).from(local.lowerBound)
    let perHalfTurn = max(1, directionCount(thetas: info.thetas, period: geometry.period))
    let windows = scan.windows(projectionsPerHalfTurn: perHalfTurn)
    try checkSinogram(shape, geometry, placement, windows)
    try checkControl(shape, try windowGeometry(geometry, columns: columns))
    var plan = RunPlan(
      runID: runID, command: command, scan: scan, live: live, input: try inputIdentity, fieldsFile: try fieldsIdentity,
      shape: shape, rotationAxis: axis.axis, rotationAxisError: axis.error, tilt: geometry.tilt, minusLog: minusLog,
      pixelSizeMillimetres: (scan.pixelSize ?? info.pixelSizeMillimetres).map { $0 * Double(factor) },
      placement: placement, slots: slots(shape, geometry, placement, windows),
      projectionsCovering: projectionsCovering(windows, geometry), projectionsPerHalfTurn: perHalfTurn)
    plan.slots.onTheWay = onTheWay(plan)
    plan.isWatched = !scan.triggers(sourceWaits: plan.sourceWaits).isEmpty
    try plan.checkViews()
    plan.inputNotices = info.notices
    plan.examples = try Self.examples()
    plan.created = Date.now.formatted(.iso8601)
    return plan
  }

  /// What the scan file is now; nil for a live source.
  private var inputIdentity: InputIdentity? {
    get throws { try reader.map { try InputIdentity($0, files: scan.inputFiles(), assumesBeam: scan.i0 != nil) } }
  }

  /// What the file of a live source's fields is now; nil where there is none.
  private var fieldsIdentity: InputIdentity? {
    get throws { scan.fields == nil ? nil : try fieldsReader.map { try InputIdentity($0, files: [$0.info.path]) } }
  }

  /// The rotation axis, given or found, in pixels from the detector's left edge.
  package func detectorAxis() throws -> Double { try sketch().detectorAxis }

  /// The stages of the run, in the order in which they are started.
  package func stages() throws -> [StageName] { try sketch().wiring.stages }

  /// A plan for what does not depend on the binning of updates, without the measurements that find one.
  private func sketch() throws -> RunPlan {
    var planner = self
    if scan.liveBinning == .auto { planner.scan.liveBinning = .none }
    return try planner.plan(runID: .random(), command: [])
  }

  /// Stages beside those that make the volume, which somebody who tries one out names in the environment.
  private static func examples() throws(ScanFailure) -> [String] {
    let names = ProcessInfo.processInfo.environment[examplesName, default: ""].split(separator: ",").map(String.init)
    for name in names where !RunWiring.isStage(name) {
      throw ScanFailure(.usage, "\(examplesName): there is no stage \(name)")
    }
    return names
  }

  private static let examplesName = "SLIPRING_EXAMPLES"

  /// Images that may wait for the disk: where nobody said how many, no more than leaves the run the memory that it
  /// needs.
  private func onTheWay(_ plan: RunPlan) -> Int {
    guard scan.durability == .durable, !plan.sourceWaits else { return 0 }
    let (shared, available) = (Machine.sharedMemoryFree ?? .max, Machine.memoryAvailable ?? 0)
    var least = plan
    least.slots.onTheWay = DiskBuffer.slotsMin
    let estimate = MemoryEstimate(least)
    let free = min(shared - min(shared, estimate.sharedByteCount), available - min(available, estimate.byteCount))
    return DiskBuffer.slots(
      stride: plan.ring(.projections).slotStride, images: plan.shape.projections + plan.shape.flatsAndDarks,
      gibibytes: scan.diskBuffer,
      rate: scan.rate, memoryFree: free)
  }

  /// A worker holds a block's sinogram of all projections at most: for the final iterations, or for a window that is
  /// longer than the scan.
  func checkSinogram(
    _ shape: RunPlan.Shape, _ geometry: ScanGeometry, _ placement: Placement, _ windows: WindowSchedule
  ) throws(ScanFailure) {
    guard geometry.columns <= SliceLayout.columnsMax else {
      throw ScanFailure(
        .data,
        "with half acquisition \(shape.columns) columns of the detector make slices of \(geometry.columns), and "
          + "\(SliceLayout.columnsMax) are the most; use --binning, or --field-of-view full"
      )
    }
    let padding = scan.gridPaddingMax(columns: geometry.columns), grid = geometry.columns + 2 * padding
    guard grid <= SliceLayout.columnsMax else {
      throw ScanFailure(
        .data,
        "--padding \(scan.padding.scanText) makes \(grid) columns of \(geometry.columns), and "
          + "\(SliceLayout.columnsMax) are the most; give it fewer pixels"
      )
    }
    let layouts = placement.workers.map { geometry.layout(rows: $0.rows.count).padded(by: padding) }
    let slab = scan.slabs(rows: shape.rows)?.layout(like: geometry.layout(rows: 1).padded(by: padding))
    let limit = (layouts + (slab.map { [$0] } ?? [])).map(\.slotsMax).min() ?? 0
    guard shape.projections > limit, scan.hasFinalIterations || windows.length > limit else { return }
    throw ScanFailure(
      .data,
      "\(shape.projections) projections of \(geometry.columns) columns exceed the \(limit) that are iterated over "
        + "together; use --binning"
    )
  }

  /// Where not even all projections see the object from everywhere, all of them.
  private func projectionsCovering(_ windows: WindowSchedule, _ geometry: ScanGeometry) -> Int {
    // A live source's are in their order already.
    let thetas = info.thetas, visits = live == nil ? scan.order.visits(thetas: thetas) : Array(thetas.indices)
    // A window's projections, spread over the half turn, lie half of this apart.
    let period = geometry.period, gap = 2 * period / Double(max(2, windows.span))
    return directionsCovered(thetas: visits.map { thetas[$0] }, gap: gap, period: period) ?? thetas.count
  }

  /// What slices are compared with has their shape, and they are large enough.
  private func checkControl(_ shape: RunPlan.Shape, _ geometry: ScanGeometry) throws {
    guard scan.comparesSlices else { return }
    let columns = geometry.columns
    guard columns >= MultiScaleSimilarity.columnsMin else {
      throw ScanFailure(
        .data,
        "--stop-ssim and --reference compare slices of at least \(MultiScaleSimilarity.columnsMin) columns; "
          + "these have \(columns)"
      )
    }
    let scales = MultiScaleSimilarity.scaleCount(columns: columns)
    if let scale = scan.stopScale, scale > scales {
      throw ScanFailure(
        .data, "--stop-scale \(scale) needs larger slices: those of \(columns) columns have \(scales) scales")
    }
    guard let path = scan.reference else { return }
    let reference = try VolumeReader(path: path)
    guard reference.slices == shape.rows, reference.columns == columns else {
      throw ScanFailure(
        .data,
        "--reference \(path) has \(reference.slices) slices of \(reference.columns)², "
          + "the volume will have \(shape.rows) of \(columns)²"
      )
    }
  }

  /// How long a detector that will be told to stop is looked for.
  private static let hookTimeout: Duration = .seconds(2)

  /// Sentences for the person: what was assumed, and who is not there.
  package func notices(_ plan: RunPlan) -> [String] {
    if edge != nil { return fabricNotices(plan) }
    var notices = info.notices + scan.idleNotices
    if scan.minusLog == .auto, !info.hasFlats {
      notices.append(
        info.pixel == .float32
          ? "no flat fields: the data are taken as line integrals; --minus-log yes takes them as counts"
          : "no flat fields: the data are integers and are taken as line integrals, which is wrong if they are counts: "
            + "give their --flats, or the beam by --i0")
    }
    if let behind = scan.flatFields == .interpolate ? scan.flatsBehind(info) : nil, live == nil {
      notices.append(
        behind == 0 || behind == info.flatCount
          ? "there are no flat fields at both ends of the scan: their mean is used"
          : "each projection has a flat field between the \(info.flatCount - behind) before the scan and the "
            + "\(behind) behind it"
            + (info.flatsBehind == nil
              ? "; the file does not say which, so the second half is taken for the latter" : ""))
    }
    notices += axisNotices(plan)
    if scan.hasFinalIterations, scan.finalAlgorithm == .auto,
      let reason = SubsetSolver.floatReason(
        scan.subsetOptions, angles: max(plan.shape.projections, 1), columns: plan.geometry.columns)
    {
      notices.append(
        "--precision fixed: \(reason), so slices are projected in float; --final-subsets makes more of them")
    }
    if scan.tvDimensions == 3, plan.shape.rows == 1 {
      notices.append("--tv-dimensions 3 changes nothing: a single slice has no neighbours")
    }
    if let notice = plan.catchUpNotice(cores: topology.nodes.flatMap(\.cores)) { notices.append(notice) }
    notices += liveBinningNotices(plan) + tiltNotices(plan) + fieldNotices(plan) + fabricNotices(plan)
    do throws(StreamError) { try scan.hook?.reach(timeout: Self.hookTimeout) } catch {
      notices.append("the detector could not be told to stop now: --stop-hook \(error)")
    }
    return notices
  }

  private func detectorRows() throws(ScanFailure) -> Range<Int> {
    if let nsino = scan.nsino {
      let factor = 1 << scan.binning
      let first = min(Int(nsino * Double(info.rows)), info.rows - factor)
      return max(0, first)..<min(info.rows, max(0, first) + factor)
    }
    let rows = (scan.startRow ?? 0, scan.endRow ?? info.rows)
    guard rows.1 <= info.rows, rows.0 < rows.1 else {
      throw ScanFailure(
        .data,
        "rows \(rows.0)..<\(rows.1) are not within the detector's \(info.rows) rows; change --start-row or --end-row")
    }
    return rows.0..<rows.1
  }

  /// Where the axis crosses the middle of the detector's rows, in pixels of the detector, with the error of one that
  /// was found; `said` is what was said of it.
  func rotationAxis(
    _ said: RotationAxis, rows: Range<Int>, minusLog: Bool, tiltDegrees: Double
  ) throws -> (axis: Double, error: Double?) {
    switch said {
    case .pixels(let axis):
      guard axis > 0, axis < Double(info.columns) else {
        throw ScanFailure(.data, "--rotation-axis \(axis) is outside the detector, which has \(info.columns) columns")
      }
      return (axis, nil)
    case .lastRun, .run:
      let axis = try RunBefore(folder: said.runFolder ?? "").axis()
      guard axis > 0, axis < Double(info.columns) else {
        throw ScanFailure(
          .data,
          "--rotation-axis \(said.scanText): the axis of that run is at \(axis), outside the detector, which has "
            + "\(info.columns) columns")
      }
      return (axis, nil)
    case .automatic where live != nil:
      let middle = FoundAxis.middle(ofColumns: info.columns)
      return (middle.axis, middle.error)
    case .automatic:
      FaultPoint.axisSearch.reach()
      let row = (rows.lowerBound + rows.upperBound) / 2
      guard let axis = try axis(ofRow: row, minusLog: minusLog) else {
        throw ScanFailure(
          .data,
          "every projection is empty (zero, or no brighter than the dark field) in row \(row), where the rotation axis "
            + "is looked for; look whether the shutter was open, or give --rotation-axis")
      }
      return (
        axis.axis - tan(tiltDegrees * .pi / 180) * (Double(row) + 0.5 - 0.5 * Double(info.rows)), axis.error
      )
    }
  }

  /// The axis as a row shows it, in pixels of the detector; nil where every projection is empty there.
  func axis(ofRow row: Int, minusLog: Bool) throws -> RotationAxisEstimate? {
    guard let reader else { preconditionFailure("a live source without an axis was validated") }
    let (sinogram, thetas, _) = try SinogramReader(reader: reader, row: row, minusLog: minusLog).read()
    guard !thetas.isEmpty else { return nil }
    do {
      return try sinogram.withUnsafeBufferPointer {
        try estimateRotationAxis(sinogram: $0, angles: thetas, columns: info.columns)
      }
    } catch let error as RotationAxisError {
      let empty = info.projectionCount - thetas.count
      guard empty > 0 else { throw error }
      throw ScanFailure(.data, "\(error); \(empty) projections are empty there and were left out")
    }
  }

  /// Pixels that the grid of the final iterations will have more than the detector at each side. Where the sample
  /// decides, the middle row of a file does here; a run looks at more rows.
  func gridPadding(_ plan: RunPlan) throws -> Int {
    guard case .subsets(_, let padding) = plan.reconstruction(ofWorker: 0).methods.final else { return 0 }
    let pixels = padding.pixelsMax(columns: plan.geometry.columns)
    guard padding == .whereTheSampleLeaves, pixels > 0 else { return pixels }
    guard let reader else { return 0 }
    let sinogram = try SinogramReader(reader: reader, row: info.rows / 2, minusLog: plan.minusLog).read().sinogram
    return SampleEdges.reachBeyond(sinogram, columns: info.columns, sides: plan.geometry.layout(rows: 1).outerSides)
      ? pixels : 0
  }

  /// A topic in memory has nothing behind it but its ring, so each ring holds all of its events: the final iterations
  /// read every projection again, and a stage that is started again reads its whole past. A durable topic has its
  /// journal for that.
  func slots(
    _ shape: RunPlan.Shape, _ geometry: ScanGeometry, _ placement: Placement, _ windows: WindowSchedule
  ) -> RingSlots {
    let frames = shape.projections + shape.flatsAndDarks
    let updates = windows.updateCount(projections: shape.projections, isComplete: true)
    let blocks =
      placement.workers.map { geometry.layout(rows: $0.rows.count).blockCount }.max() ?? 1
    // Beyond those: the end of each, and the order for the final iterations.
    if scan.durability == .durable {
      let recent = min(
        max(Self.ringByteCount / max(shape.payloadCapacity, 1), Self.ringSlots.lowerBound), Self.ringSlots.upperBound)
      // Where a file could be read far ahead of the volume, a decision to end the scan would come too late.
      let ahead =
        scan.stopSimilarity != nil && live == nil && scan.rate == nil
        ? max(Self.ringSlots.lowerBound, windows.span) : recent
      return RingSlots(projections: min(frames + 1, recent, ahead), orders: 1024, updates: 256)
    }
    let iterations = scan.finalSchedule(columns: geometry.columns).iterationsMax(projections: shape.projections)
    return RingSlots(
      projections: frames + 1, orders: frames + updates + 2 + AxisSchedule.ordersMax(projections: shape.projections),
      updates: updates + iterations * blocks + 1)
  }
}

extension AngleUnit {
  /// As the reader of scan files names it.
  var fileUnit: ThetaUnit {
    switch self {
    case .degrees: .degrees
    case .radians: .radians
    case .auto: .automatic
    }
  }
}
