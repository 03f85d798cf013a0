package import Fabric
import Host
package import Stages

/// What a node's run tells the fabric once its slices are there: a record for each granule, which counts for good.
package struct PartsReport {
  private let plan: RunPlan
  private let part: FabricPart
  private let records: [PartRecord]

  private static let patience: Duration = .seconds(60)

  /// What `plan` has made; nil of a run that is no node's, and where rows are missing.
  package init?(_ plan: RunPlan, _ report: ExportReport, restarts: Int) {
    guard let part = plan.fabric, report.missingRows.isEmpty, report.partsSHA256.count == part.taken.count else {
      return nil
    }
    (self.plan, self.part) = (plan, part)
    let node = plan.scan.nodeName ?? FabricNames.node(Machine.hostName)
    records = zip(part.taken, report.partsSHA256).map { granule, digest in
      let rows = part.granules[granule], (format, files) = plan.files(rows, of: part)
      return PartRecord(
        granule: granule, node: node, rows: rows, sha256: digest, format: format, files: files,
        projections: report.projections, lost: report.lost, restarts: restarts)
    }
  }

  /// Tells them, and waits a little for servers that are away, unless `isStopped`; gives what a person should know of
  /// it. What another node had told before stays, as both have the same bits.
  /// - Throws: where the servers do not have all of them in the end.
  package func tell(isStopped: () -> Bool) throws(FabricError) -> [String] {
    let deadline = Deadline(after: Self.patience)
    var (backOff, notices, left) = (BackOff(), [String](), records[...])
    while true {
      do throws(FabricError) {
        guard let address = try plan.scan.fabricAddress() else { preconditionFailure("a node without a fabric") }
        let connection = try FabricConnection(address, name: "slipring node", patience: .zero)
        let store = try FabricStore(connection, run: part.run)
        while let record = left.first {
          if let notice = try tell(record, store) { notices.append(notice) }
          left.removeFirst()
        }
        return notices
      } catch {
        guard error.mayPass, !deadline.hasPassed, !isStopped() else { throw error }
        pause(min(backOff.fail(), deadline.remaining))
      }
    }
  }

  private func tell(_ record: PartRecord, _ store: FabricStore) throws(FabricError) -> String? {
    let key = FabricNames.part(record.granule)
    // A bucket that is not there does not answer who writes.
    if let entry = try store.get(key) { return try words(record, entry) }
    do throws(FabricError) {
      try store.create(key, record.encoded())
      return nil
    } catch {
      guard case .conflict = error, let entry = try store.get(key) else { throw error }
      return try words(record, entry)
    }
  }

  /// What to say of a part that was told before; nothing where that was this node's.
  private func words(_ record: PartRecord, _ entry: FabricStore.Entry) throws(FabricError) -> String? {
    let other = try PartRecord(decoding: entry.value, what: "part \(record.granule) of run \(part.run)")
    guard other.sha256 == record.sha256 else {
      return "granule \(record.granule) had been made by \(other.node) already, with other bits: its part counts"
    }
    guard other.node != record.node else { return nil }
    return "granule \(record.granule) had been made by \(other.node) already, with the same bits"
  }
}

extension RunPlan {
  /// The files with some rows of the edge's images, as far as they can be named in a few words.
  fileprivate func files(_ rows: Range<Int>, of part: FabricPart) -> (PartRecord.Format, [String]) {
    let folder = scan.outputFolder, export = export
    if let name = export.hdf5Name { return (.hdf5, ["\(folder)/\(name)"]) }
    if let zarr = export.zarr { return (.zarr, ["\(folder)/\(zarr.name)"]) }
    guard export.tiff != nil else { return (.none, []) }
    let files = rows.map { "\(folder)/\(export.tiffName(ofSlice: $0 - part.rows.lowerBound))" }
    return (.tiff, files.count <= PartRecord.filesMax ? files : [folder])
  }
}
