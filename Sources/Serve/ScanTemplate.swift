import Detectors
import Host
import ScanPlan
import Spools

extension ServeFile {
  /// Throws where the scan file of a source cannot be meant for its scans, whatever they are.
  func checkTemplate(of source: Source) throws(ScanFailure) {
    switch source.address {
    case .drop: _ = try template(of: source) { $0.input = "scan.h5" }
    case .detector(let address):
      do throws(StreamError) { try address.checkMeans() } catch { throw ScanFailure(error) }
      _ = try template(of: source) { scan in
        // Any detector: what is wrong with it then is wrong with every one.
        let shape = DetectorShape(16, 16)
        (scan.input, scan.detectorShape, scan.projections) = (ScanSource.spoolPrefix + "/", shape, 180)
      }
    }
  }

  /// What a source's scans have in common; `complete` says what each has of its own.
  private func template(of source: Source, _ complete: (inout ScanDescription) -> Void) throws(ScanFailure)
    -> ScanDescription
  {
    func ours(_ scan: inout ScanDescription) {
      complete(&scan)
      if scan.outputFolder.isEmpty { scan.outputFolder = folder }
    }
    guard let path = source.scanFile else {
      var scan = ScanDescription.standard
      ours(&scan)
      try scan.validate()
      return scan
    }
    let file = try ScanFile(path: path, complete: ours)
    try file.validate()
    guard file.scan.volumeEvery == nil, file.scan.durability == .durable else {
      throw ScanFailure(.configuration, "\(path): a server's scans go neither with volume-every nor with memory alone")
    }
    return file.scan
  }

  /// What is expected of a source's scans that say nothing else.
  func expected(of source: Source) throws(ScanFailure) -> ScanAnnouncement {
    var expected = ScanAnnouncement()
    guard let path = source.scanFile else { return expected }
    let scan = try ScanFile(path: path) { _ in }.scan
    expected.projections = scan.projections
    (expected.flats, expected.darks) = (scan.sentFlats, scan.sentDarks)
    return expected
  }

  /// The channel that is taken of a source's images.
  func channel(of source: Source) throws(ScanFailure) -> String? {
    guard let path = source.scanFile else { return nil }
    return try ScanFile(path: path) { _ in }.scan.channel
  }

  /// How a scan of the queue is reconstructed; `spool` is that of a detector's.
  func scan(of entry: QueueEntry, in queue: ScanQueue, spool: SpoolDescription?) throws(ScanFailure)
    -> ScanDescription
  {
    guard let source = sources.first(where: { $0.name == entry.source }) else {
      throw ScanFailure(.configuration, "\(path) has no source \(entry.source) any more")
    }
    guard let output = entry.output, let run = entry.run else { preconditionFailure("\(entry) has no folders") }
    return try template(of: source) { scan in
      (scan.outputFolder, scan.runFolder) = (output, run)
      guard let spool else { return scan.input = entry.file ?? "" }
      scan.input = ScanSource.spoolPrefix + queue.spool(of: entry.number)
      scan.detectorShape = DetectorShape(spool.rows, spool.columns)
      scan.pixel = spool.pixel
      scan.projections = spool.projections
      scan.setSent(flats: spool.flats ?? 0, darks: spool.darks ?? 0)
      scan.thetaStart = scan.thetaStart ?? spool.announced.thetaStart
      scan.thetaStep = scan.thetaStep ?? spool.announced.thetaStep
      let own = spool.announced
      scan.measure(energy: own.energy, pixelSize: own.pixelSize, sample: own.sample)
    }
  }
}
