import Fabric
import Glibc
package import Host
package import ScanPlan
import Stages

// Where scan and parts are found.
extension Gather {
  /// The keys of a fabric, where it asks for them.
  package typealias Keys = (credentials: String?, authority: String?)

  /// Of a run that servers know; `input` is as that of a node, and `gathering` how, nil for as its edge does it.
  /// `notice` hears of what is no part there.
  package init(
    _ input: FabricInput, _ keys: Keys, _ gathering: Gathering?, folder: String?, command: [String],
    notice: (String) -> Void
  ) throws {
    let runs = try FabricRuns(servers: input.servers, credentials: keys.credentials, authority: keys.authority)
    let (scan, parts) = try runs.parts(of: input.run ?? runs.newest(), notice: notice)
    let returned = try Self.isReturned(scan, gathering, folder) ? runs.slices(of: scan.run) : nil
    self.init(scan, parts, folder: folder, returned: returned, command: command)
  }

  /// Of an edge's run: its own list of parts, and where that is not whole, what the servers have. `keys` stand in place
  /// of the run's own.
  package init(
    _ run: RunFolder, _ keys: Keys = (nil, nil), _ gathering: Gathering? = nil, folder: String?,
    notice: (String) -> Void
  ) throws {
    let plan = try run.readPlan()
    guard let scan = plan.scatteredScan, let servers = plan.scan.fabric else {
      throw ScanFailure(.usage, "the run in \(run.path) has no nodes: it was started without --fabric")
    }
    var parts = try run.mirrored(by: plan).readParts().filter { $0.range == scan.granules.range(of: $0.granule) }
    let own = try Self.own(plan, scan, run)
    func connect() throws(ScanFailure) -> FabricRuns {
      try FabricRuns(
        servers: servers, credentials: keys.credentials ?? plan.scan.fabricCredentials,
        authority: keys.authority ?? plan.scan.fabricAuthority)
    }
    if !Gather(plan, scan, parts, folder: folder, own: own).missing.isEmpty {
      do throws(ScanFailure) {
        let runs = try connect(), known = Set(parts.map(\.granule))
        parts += try runs.parts(of: plan.runID, notice: notice).1.filter { !known.contains($0.granule) }
      } catch { notice("the list of parts is that of \(run.path): \(error)") }
    }
    let returned = try Self.isReturned(scan, gathering, folder) ? connect().slices(of: scan.run) : nil
    self.init(
      plan, scan, parts.sorted { $0.granule < $1.granule }, folder: folder, returned: returned, own: own)
  }

  /// Whether slices are read that nodes have sent back.
  private static func isReturned(
    _ scan: ScatteredScan, _ gathering: Gathering?, _ folder: String?
  ) throws(ScanFailure) -> Bool {
    guard let gathering else { return scan.returnsSlices && folder == nil }
    guard gathering != .edge || scan.returnsSlices else {
      throw ScanFailure(
        .usage,
        "nodes of run \(scan.run) keep their slices, as it was started without --gather edge: slipring gather reads "
          + "their files (--gather links)")
    }
    return gathering == .edge
  }

  /// What the edge has made itself; nil where that is nothing, or not whole.
  private static func own(_ plan: RunPlan, _ scan: ScatteredScan, _ run: RunFolder) throws(ScanFailure) -> Own? {
    guard plan.writesSlices, let report = try run.mirrored(by: plan).readExport(), report.missingRows.isEmpty else {
      return nil
    }
    let rows = plan.reconstructedRows
    if let path = report.outputs.first(where: { $0.hasSuffix("_rec.h5") }) {
      return Own(rows: rows, files: try PartFiles(own: path, first: rows.lowerBound), sha256: report.volumeSHA256)
    }
    guard let path = report.outputs.first(where: { $0.hasSuffix(".tiff") }), plan.scan.bits == .thirtyTwo else {
      return nil
    }
    return Own(
      rows: rows,
      files: try PartFiles(ownFolder: folderName(of: path), row: rows.lowerBound, firstSlice: scan.firstSlice),
      sha256: report.volumeSHA256)
  }
}

extension RunPlan {
  /// Names that a volume gathered here may have.
  var gatherNames: [String] {
    guard scan.nodes != nil, scan.gather != .none, let scan = scatteredScan else { return [] }
    return Gather(self, scan, [], folder: nil, own: nil).names(
      self.scan.gather == .edge ? .hdf5 : .links, isWhole: !writesSlices)
  }
}

extension Reconstruction {
  /// Puts together what nodes have made, where the run has waited for them. What is missing is the run's failure.
  static func gather(
    _ plan: RunPlan, _ folder: RunFolder, signals: SignalDescriptor, monitor: any RunMonitor,
    into outcome: inout ReconstructionOutcome
  ) throws {
    if !plan.writesSlices { outcome.result.volumeSHA256 = nil }
    guard plan.scan.nodes != nil, outcome.failure == nil, outcome.report != nil else { return }
    do {
      let gather = try Gather(folder, folder: nil) { monitor.notice($0) }
      guard gather.missing.isEmpty else { throw gather.missingFailure }
      guard plan.scan.gather != .none else { return }
      let whole = try gather.write(gather.form, to: plan.scan.outputFolder) { try signals.stopOnSignal() }
      try folder.write(whole, to: folder.gathered)
      outcome.result.note(whole)
    } catch let failure as StageFailure { throw failure } catch { outcome.failure = ScanFailure(error) }
  }
}

extension RunResult {
  /// Takes over what was put together.
  mutating func note(_ whole: Gather.Result) {
    outputs += whole.outputs
    (volumeSHA256, parts) = (whole.volumeSHA256, whole.parts)
  }
}

extension RunFolder {
  /// What became of the parts of nodes; nil where they are not put together.
  func readGathered() throws(ScanFailure) -> Gather.Result? {
    access(gathered, F_OK) == 0 ? try read(Gather.Result.self, from: gathered) : nil
  }
}

extension Gather {
  /// Writes the whole into a folder, by default the edge's; with `overwrites` the result of another run there makes
  /// room. A signal ends it, and nothing half-written stays.
  package func write(_ form: Form?, to output: String?, overwrites: Bool, signals: SignalDescriptor) throws -> Result {
    guard form != .links || self.form == .links else {
      throw ScanFailure(.usage, "--form links needs the files of nodes: --gather links")
    }
    let form = form ?? self.form
    guard let path = output ?? outputFolder else {
      throw ScanFailure(.usage, "name the folder of the volume: --output-folder")
    }
    guard missing.isEmpty else { throw missingFailure }
    let output = try OutputFolder(
      absolutePath(path), run: scan.run, files: names(form), overwrites: overwrites)
    defer { withExtendedLifetime(output) {} }
    try removeTemporaryFilesOfDeadProcesses(in: absolutePath(path))
    return try write(form, to: absolutePath(path)) { try signals.stopOnSignal() }
  }
}
