import Fabric
import Glibc
import Host
import Rings
import ScanFiles
import Stages

// Scans that have several machines: what the edge hands out, and what a node takes of it.
extension Planner {
  /// How long servers may take to answer before a node's run begins.
  private static let patience: Duration = .seconds(5)
  /// How long a plan may take to be there, and servers to say so: one of several may have to be chosen first.
  private static let (planPatience, choicePatience) = (Duration.seconds(3), Duration.seconds(15))
  /// Rows of a granule where nobody says: slices that the kernels interleave.
  private static let granuleRows = 16

  /// The plan of the edge whose run is the node's input, and that input with the number of the run.
  static func edge(of scan: ScanDescription, _ input: FabricInput) throws(ScanFailure) -> (FabricPlan, input: String) {
    let found: (run: RunID, plan: [UInt8])?
    do throws(FabricError) {
      guard let address = try scan.fabricAddress() else { preconditionFailure("\(input) has no address") }
      found = try awaited(at: FabricConnection(address, name: "slipring node", patience: patience), run: input.run)
    } catch { throw ScanFailure(error) }
    guard let found else {
      throw ScanFailure(
        .noInput,
        input.run.map {
          "\(input.servers) has no plan of run \($0): take the number from slipring status of the edge's run, and look "
            + "there whether its uplink reaches these servers"
        } ?? "\(input.servers) knows no run: start the edge's, slipring recon … --fabric \(input.servers)")
    }
    return (try FabricPlan(decoding: found.plan, run: found.run), "\(input.servers)/\(found.run)")
  }

  /// The same, for which it waits a little: whoever starts an edge and its nodes at once need not count seconds.
  private static func awaited(
    at connection: FabricConnection, run: RunID?
  ) throws(FabricError) -> (run: RunID, plan: [UInt8])? {
    let deadline = Deadline(after: planPatience), lastDeadline = Deadline(after: choicePatience)
    while true {
      do throws(FabricError) {
        if let found = try newest(at: connection, run: run) { return found }
        guard !deadline.hasPassed else { return nil }
      } catch {
        guard case .timedOut = error, !lastDeadline.hasPassed else { throw error }
      }
      usleep(100_000)
    }
  }

  /// A run and its plan, the newest where none is named; nil where there is none.
  private static func newest(
    at connection: FabricConnection, run: RunID?
  ) throws(FabricError) -> (run: RunID, plan: [UInt8])? {
    guard let run else {
      return try FabricStore.runs(connection, key: FabricPlan.key).last.map { ($0.run, $0.entry.value) }
    }
    do throws(FabricError) {
      return try FabricStore(connection, run: run).get(FabricPlan.key).map { (run, $0.value) }
    } catch {
      guard case .missing = error else { throw error }
      return nil
    }
  }

  /// What a node knows of its scan before the first image comes.
  static func info(of edge: FabricPlan, input: String) -> (live: LivePlan, info: ScanInfo) {
    let pixel: PixelType = edge.pixelByteCount == 1 ? .uint8 : edge.pixelByteCount == 2 ? .uint16 : .float32
    let live = LivePlan(
      rows: edge.rows, columns: edge.columns, pixel: pixel, darks: edge.darks, flats: edge.flats, fieldsOfFile: 0,
      waits: true)
    let info = ScanInfo(
      path: input, format: .live, projectionCount: edge.projections, rows: edge.rows, columns: edge.columns,
      pixel: pixel, flatPixel: pixel, darkPixel: pixel, thetas: [], thetaSource: "the edge", flatCount: edge.flats,
      darkCount: edge.darks, invalidCount: 0, pixelSizeMillimetres: edge.pixelSizeMillimetres, notices: [])
    return (live, info)
  }

  /// The plan of a node's run: the edge's, of some rows.
  func plan(_ edge: FabricPlan, runID: RunID, command: [String]) throws -> RunPlan {
    let granules = edge.granules, taken = scan.granules?.numbers ?? 0..<granules.count
    guard taken.upperBound <= granules.count else {
      throw ScanFailure(
        .data,
        "--granules \(taken.scanText): run \(edge.run) has \(granules.count) granules of \(edge.granule) rows, counted "
          + "from 0"
      )
    }
    let part = FabricPart(
      run: edge.run, images: edge.images, granules: granules, taken: taken, name: edge.name,
      fieldsMayComeLate: edge.fieldsMayComeLate, returnsSlices: edge.returnsSlices)
    let rows = part.rows, factor = 1 << scan.binning
    let tilt = edge.tilt.map { ScanTilt(degrees: $0.degrees, middle: $0.middle - Double(rows.lowerBound)) }
    let geometry = ScanGeometry(
      detectorColumns: edge.columns, rotationAxis: edge.rotationAxis, isHalf: scan.fieldOfView == .half, tilt: tilt)
    guard geometry.crossesDetector(rows: rows.count), rows.lowerBound % geometry.rowAlignment == 0 else {
      throw ScanFailure(
        .data, "the plan of run \(edge.run) on the fabric is none: its granules do not fit the tilt of its axis")
    }
    let shape = RunPlan.Shape(
      projections: edge.projections, flatsAndDarks: edge.flats + edge.darks, flats: edge.flats, rows: rows.count,
      columns: edge.columns, detectorRows: rows.lowerBound * factor..<rows.upperBound * factor,
      firstSlice: edge.firstSlice + rows.lowerBound,
      payloadCapacity: rows.count * edge.columns * edge.pixelByteCount)
    let placement = Placement.plan(
      topology: topology, rows: rows.count, workers: scan.workers, threads: scan.threads, bands: scan.bands,
      alignment: geometry.rowAlignment)
    let windows = scan.windows(projectionsPerHalfTurn: edge.projectionsPerHalfTurn)
    try checkSinogram(shape, geometry, placement, windows)
    var plan = RunPlan(
      runID: runID, command: command, scan: scan, live: live, input: nil, fieldsFile: nil, shape: shape,
      rotationAxis: edge.rotationAxis, rotationAxisError: edge.rotationAxisError, tilt: tilt, minusLog: edge.minusLog,
      pixelSizeMillimetres: edge.pixelSizeMillimetres, placement: placement,
      slots: slots(shape, geometry, placement, windows), projectionsCovering: edge.projectionsCovering,
      projectionsPerHalfTurn: edge.projectionsPerHalfTurn)
    plan.fabric = part
    plan.isWatched = !scan.triggers(sourceWaits: plan.sourceWaits).isEmpty
    plan.inputNotices = []
    try plan.checkViews()
    try checkReturn(plan, part)
    return plan
  }

  /// Slices are sent back as they lie in files of floats.
  private func checkReturn(_ plan: RunPlan, _ part: FabricPart) throws(ScanFailure) {
    guard part.returnsSlices == true, plan.export.hdf5Name == nil,
      plan.export.tiff == nil || scan.bits != .thirtyTwo
    else { return }
    throw ScanFailure(
      .usage,
      "the edge of run \(part.run) wants its slices back (--gather edge), and they are read from HDF5, or from TIFF of "
        + "32 bits: use --format hdf5")
  }

  /// Rows of a granule; nil where no rows are handed out.
  func granule(rows: Int, columns: Int, pixelByteCount: Int, _ geometry: ScanGeometry) throws(ScanFailure) -> Int? {
    guard let servers = scan.fabric else { return nil }
    let most = RunPlan.granuleMax(columns: columns, pixelByteCount: pixelByteCount), alignment = geometry.rowAlignment
    guard let granule = scan.granule else {
      guard max(Self.granuleRows, alignment) <= most else {
        throw ScanFailure(
          .data,
          "--fabric \(servers): \(max(Self.granuleRows, alignment)) rows of \(columns) columns do not fit into a "
            + "message, \(most) do; use --binning")
      }
      return min(rows, max(Self.granuleRows, alignment))
    }
    guard granule <= most else {
      throw ScanFailure(
        .data, "--granule \(granule): \(granule) rows of \(columns) columns do not fit into a message, \(most) do")
    }
    guard granule % alignment == 0 || granule >= rows else {
      throw ScanFailure(
        .data,
        "--granule \(granule): with its axis tilted by \(geometry.tiltDegrees.scanText)° \(alignment) slices share an "
          + "axis, and a granule has all of them; give a multiple")
    }
    return min(rows, granule)
  }

  /// The rows of an image that are reconstructed here: all of `count`, the first of which makes slice `first`, unless
  /// somebody says which.
  func localRows(of count: Int, from first: Int, _ geometry: ScanGeometry) throws(ScanFailure) -> Range<Int> {
    let slices: Range<Int>
    switch scan.rowsHere {
    case .all: return 0..<count
    case .nothing:
      let middle = count / 2 / geometry.rowAlignment * geometry.rowAlignment
      return middle..<middle + 1
    case .slices(let some): slices = some
    }
    let option = "--local-rows \(slices.scanText)"
    guard slices.lowerBound >= first, slices.upperBound <= first + count else {
      throw ScanFailure(.data, "\(option): the scan has slices \(first) to \(first + count - 1)")
    }
    let rows = slices.lowerBound - first..<slices.upperBound - first
    guard rows.lowerBound % geometry.rowAlignment == 0 else {
      throw ScanFailure(
        .data,
        "\(option): with its axis tilted \(geometry.rowAlignment) slices share an axis; begin at slice \(first) plus a "
          + "multiple")
    }
    return rows
  }

  /// What is worth knowing of the other machines.
  func fabricNotices(_ plan: RunPlan) -> [String] {
    if let edge, let part = plan.fabric {
      let slices = plan.firstSlice..<plan.firstSlice + plan.slices
      return [
        "slices \(slices.lowerBound) to \(slices.upperBound - 1) of run \(part.run): granules "
          + "\(part.words), as that run's plan says"
      ]
        + (edge.program == programVersion
          ? []
          : ["the edge runs slipring \(edge.program), and this is \(programVersion): bits may be other ones"])
    }
    guard let told = plan.fabricPlan, let servers = scan.fabric else { return [] }
    let image = told.rows * told.columns * told.pixelByteCount
    let scan = image * (told.projections + told.flats + told.darks)
    return [
      "images go to nodes by \(servers), in \(counted(told.granules.count, "granule")) of \(told.granule) rows: "
        + "\(bytes(image)) each, \(bytes(scan)) in all"
        + (plan.correction == nil ? "" : ", as they are filtered here and 32-bit floats then")
        + "; slipring recon \(servers)/latest --granules 0:1 --output-folder DIR on another machine takes some"
    ]
  }
}

extension Placement {
  /// The same for rows that begin at `first`.
  func from(_ first: Int) -> Placement {
    var placement = self
    for worker in workers.indices {
      let rows = workers[worker].rows
      placement.workers[worker].rows = first + rows.lowerBound..<first + rows.upperBound
    }
    return placement
  }
}
