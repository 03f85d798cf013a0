package import Detectors
import Glibc
import Host
import ScanFiles
import Spools
import Tomography

/// What a live source was said to deliver.
package struct LivePlan: Codable, Equatable, Sendable {
  /// Detector rows.
  var rows: Int
  /// Detector columns.
  var columns: Int
  /// What a pixel is.
  var pixel: PixelType
  /// Dark fields of the stream.
  var darks: Int
  /// Flat fields of the stream.
  var flats: Int
  /// Flat and dark fields that a file has in their place.
  var fieldsOfFile: Int
  /// Whether images wait to be taken: files in a folder do.
  var waits: Bool

  /// A source as given.
  init(rows: Int, columns: Int, pixel: PixelType, darks: Int, flats: Int, fieldsOfFile: Int, waits: Bool) {
    (self.rows, self.columns, self.pixel) = (rows, columns, pixel)
    (self.darks, self.flats, self.fieldsOfFile, self.waits) = (darks, flats, fieldsOfFile, waits)
  }

  /// What `scan` says of its source; `fields` is the file of its flat and dark fields.
  init(_ scan: ScanDescription, fields: (any ScanReader)?) throws(ScanFailure) {
    guard let shape = scan.detectorShape else { preconditionFailure("a live source without a shape was validated") }
    (rows, columns) = (shape.rows, shape.columns)
    pixel = scan.pixel ?? .uint16
    (darks, flats) = (scan.darks ?? 0, scan.flats ?? 0)
    fieldsOfFile = fields.map { $0.info.darkCount + $0.info.flatCount } ?? 0
    waits = false
    let source = try ScanSource(scan.input)
    do throws(StreamError) {
      let hook = try scan.hook
      if source.isVariable || hook?.needsPVAccess == true { _ = try PVAccessLibrary.load() }
    } catch { throw ScanFailure(error) }
    if case .folder(let path) = source {
      waits = true
      try Self.checkCanBeWatched(path)
    }
    if case .spool = source { waits = true }
    guard let info = fields?.info else { return }
    guard (info.rows, info.columns) == (rows, columns) else {
      throw ScanFailure(
        .data, "--fields \(info.path) has \(info.rows) × \(info.columns) pixels, and --shape says \(shape.text)")
    }
    guard fieldsOfFile > 0 else { throw ScanFailure(.data, "--fields \(info.path) has neither flat nor dark fields") }
  }

  /// A folder has to be there; of a file that somebody will write, the folder.
  private static func checkCanBeWatched(_ path: String) throws(ScanFailure) {
    let folder = ScanSource.isWatchedFile(path) ? folderName(of: absolutePath(path)) : path
    var status = stat()
    guard stat(folder, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, access(folder, R_OK | X_OK) == 0 else {
      throw ScanFailure(.noInput, "\(folder) is no folder that can be watched; create it before the scan")
    }
  }

  /// The same in the form in which a scan file answers.
  /// `notices` are what was found out of it beforehand.
  func info(_ scan: ScanDescription, fields: (any ScanReader)?, _ notices: [String]) -> ScanInfo {
    let (file, thetas) = (fields?.info, scan.liveThetas)
    return ScanInfo(
      path: scan.input, format: .live, projectionCount: thetas.count, rows: rows, columns: columns, pixel: pixel,
      flatPixel: file?.flatPixel ?? pixel, darkPixel: file?.darkPixel ?? pixel, thetas: thetas,
      thetaSource: "frames, or start and step",
      flatCount: flats + (file?.flatCount ?? 0), darkCount: darks + (file?.darkCount ?? 0), invalidCount: 0,
      pixelSizeMillimetres: file?.pixelSizeMillimetres,
      notices: notices + [scan.subsetNotice, file?.flipNotice.map { "\(scan.fields ?? ""): \($0)" }].compactMap { $0 })
  }
}

extension RunPlan {
  /// The source of `acquire`'s images, of which a predecessor knew `origin`. `noticed` hears of messages that are
  /// dropped, of senders that come and go, and of the beginning.
  package func makeSource(origin: SourceOrigin, noticed: @escaping (SourceNotice) -> Void) throws
    -> any ProjectionSource
  {
    let (rows, binning) = (shape.detectorRows, 1 << scan.binning)
    switch try ScanSource(scan.input) {
    case .fabric: return try makeFabricSource(noticed: noticed)
    case .file(let path):
      try input?.checkSizeAndTime(scan.inputFiles())
      let reader = try openPlanned()
      let source = FileSource(
        reader: reader, rows: rows, binning: binning, visits: scan.order.visits(thetas: reader.info.thetas),
        tellsEmpty: minusLog, flatsBehind: scan.flatsBehind(reader.info))
      guard reader.info.projectionCount == shape.projections, source.shape == (shape.rows, shape.columns) else {
        throw ScanFailure(.data, "\(path) changed since the run was planned")
      }
      return source
    case .stream(let address):
      return try withFields(LiveSource(liveConfiguration(origin), address: address, noticed: noticed))
    case .variable(let address):
      return try withFields(LiveSource(liveConfiguration(origin), variable: address, noticed: noticed))
    case .spool(let path):
      let configuration = liveConfiguration(origin)
      let feed = try SpoolFeed(folder: path, format: configuration.format, part: spoolPart)
      return try withFields(LiveSource(configuration, feed: feed, noticed: noticed))
    case .folder(let path) where ScanSource.isWatchedFile(path):
      return try withFields(
        LiveSource(
          liveConfiguration(origin), file: path, selection: scan.watchedSelection, thetaUnit: scan.thetaUnit.fileUnit,
          told: inputNotices ?? [], noticed: noticed))
    case .folder(let path):
      return try withFields(
        LiveSource(liveConfiguration(origin), folder: path, usesNumbers: scan.firstNumber != nil, noticed: noticed))
    }
  }

  /// The part of a spool that is used; nil for all of it.
  private var spoolPart: ((SpoolDescription) -> SpoolPart)? {
    guard let live, let subset = scan.subset, let all = scan.projections else { return nil }
    return { [first = scan.firstNumber] in
      SpoolPart(subset.numbers, of: all, fields: live.darks + live.flats, first: first ?? $0.firstFrame)
    }
  }

  private func liveConfiguration(_ origin: SourceOrigin) -> LiveSource.Configuration {
    guard let live else { preconditionFailure("a live source was not planned") }
    return LiveSource.Configuration(
      format: FrameFormat(rows: live.rows, columns: live.columns, pixel: live.pixel), rows: shape.detectorRows,
      binning: 1 << scan.binning,
      darks: live.darks, flats: live.flats, thetas: scan.liveThetas, usesRadians: scan.thetaUnit == .radians,
      firstFrame: scan.subset == nil ? scan.firstNumber : 0, channel: scan.channel, origin: origin,
      fillsGaps: scan.onGap.map { $0 != .skip } ?? false,
      gapProgram: scan.onGap?.program.map { GapProgram.Choice(path: $0, wait: .seconds(scan.gapWait ?? 0.5)) },
      silenceMax: scan.sourceTimeout.map { .seconds($0) }, tellsEmpty: minusLog)
  }

  /// The source behind the flat and dark fields of a file, where there is one.
  private func withFields(_ source: LiveSource) throws -> any ProjectionSource {
    guard let live, live.fieldsOfFile > 0 else { return source }
    let path = scan.fields ?? "--i0"
    try fieldsFile?.checkSizeAndTime([path])
    guard let reader = try scan.openFields() else {
      preconditionFailure("fields of a file were planned, and none is named")
    }
    guard reader.info.darkCount + reader.info.flatCount == live.fieldsOfFile,
      (reader.info.rows, reader.info.columns) == (live.rows, live.columns)
    else { throw ScanFailure(.data, "\(path) changed since the run was planned") }
    let file = FileSource(
      reader: reader, rows: shape.detectorRows, binning: 1 << scan.binning, visits: [], tellsEmpty: minusLog)
    return FieldsFirst(file, fieldCount: live.fieldsOfFile, then: source)
  }
}
