package import Host

/// Flat or dark fields that lie elsewhere than in their scan: in TIFF files, in another scan file, or in a dataset of
/// an HDF5 file, named as FILE::/path/in/file.
private struct SeparateFields {
  let images: any ImageStack
  /// What their file says of mirrored frames.
  let flips: DetectorFlips?

  enum Kind: String {
    case flat, dark

    /// NXtomo's key, and the dataset of DXchange.
    var key: Double { self == .flat ? 1 : 2 }
    var dataset: String { self == .flat ? DXchange.flats : DXchange.darks }
  }

  /// Nil where a scan file has none of this kind and `isNeeded` is false.
  init?(_ source: String, _ kind: Kind, isNeeded: Bool, isStrict: Bool) throws(FileError) {
    let (path, dataset) = SeparateFieldFiles.parts(of: source)
    if let dataset {
      (images, flips) = (try Self.frames(HDF5File(path: path), dataset, { _ in true }), nil)
    } else if ImageFiles.isMeant(by: path) {
      (images, flips) = (try TIFFImages(ImageFiles.list(path), isStrict: isStrict), nil)
    } else {
      (images, flips) = try Self.fields(HDF5File(path: path), kind, mayBeAll: isNeeded)
    }
    guard images.count > 0 else {
      guard isNeeded else { return nil }
      throw .badData(path: path, reason: "it has no \(kind.rawValue) fields (--\(kind.rawValue)s)")
    }
  }

  /// Those of a scan file: its flats or darks, or with `mayBeAll` all of its frames where it does not tell them apart.
  private static func fields(
    _ file: HDF5File, _ kind: Kind, mayBeAll: Bool
  ) throws(FileError) -> (any ImageStack, DetectorFlips?) {
    if try file.hasDataset(kind.dataset) { return (try frames(file, kind.dataset) { _ in true }, nil) }
    switch try file.entry(nil).entry {
    case .dxchange(let group):
      if let own = try scanFields(file, kind, group: group) { return (own, nil) }
      let isScan = try file.firstDataset(of: [DXchange.flats, DXchange.darks]) != nil
      return (try frames(file, "\(group)/data") { _ in mayBeAll && !isScan }, nil)
    case .nxtomo(let entry):
      let paths = try FramePaths(file, entry: entry, ScanSelection(), nil, needsAngles: false)
      let keys = try readImageKeys(file, paths.keys)
      let stack = try frames(file, paths.data) { frame in
        keys.map { frame < $0.count && $0[frame] == kind.key } ?? mayBeAll
      }
      guard let detector = paths.detector else { return (stack, nil) }
      return (stack, try DetectorFlips(file, entry: entry, detector: detector))
    case nil:
      let dataset = try file.stacks().first ?? "/path/in/file"
      throw file.bad(
        "it is no scan file; name the dataset of its \(kind.rawValue) fields, as --\(kind.rawValue)s "
          + "\(file.path)::\(dataset)")
    }
  }

  /// Those of a DXchange scan that has them before and behind it; nil where there are none.
  private static func scanFields(_ file: HDF5File, _ kind: Kind, group: String) throws(FileError) -> FrameStack? {
    let data = try HDF5Dataset(file, "\(group)/data")
    guard data.shape.count == 3 else { return nil }
    let fields = try openFields(
      file, "\(group)/\(kind == .flat ? "data_white" : "data_dark")",
      else: kind == .flat ? DXchange.flatFallback : DXchange.darkFallback, rows: data.shape[1], columns: data.shape[2],
      of: data.name
    ).all
    return fields.count > 0 ? fields : nil
  }

  private static func frames(
    _ file: HDF5File, _ name: String, _ isTaken: (Int) -> Bool
  ) throws(FileError) -> FrameStack {
    guard try file.hasDataset(name) else { throw file.bad("it has no dataset \(name); h5ls -r lists what it has") }
    let dataset = try HDF5Dataset(file, name)
    switch dataset.shape.count {
    case 2 where dataset.shape.allSatisfy { $0 > 0 }:
      return FrameStack(source: .single(dataset), rows: dataset.shape[0], columns: dataset.shape[1])
    case 3 where dataset.shape[1...].allSatisfy { $0 > 0 }:
      let frames = (0..<dataset.shape[0]).filter { isTaken($0) && !dataset.missing.contains($0) }
      return FrameStack(
        source: frames.isEmpty ? .none : .frames(dataset, frames), rows: dataset.shape[1], columns: dataset.shape[2])
    default: throw file.bad("\(name) is \(dataset.shapeText), and has to be frames (frame, y, x) or one (y, x)")
    }
  }
}

/// The names of files with flat or dark fields.
package enum SeparateFieldFiles {
  /// The file and the dataset in it that FILE::/path names; no dataset where none is named.
  package static func parts(of source: String) -> (path: String, dataset: String?) {
    guard let range = source.firstRange(of: "::") else { return (source, nil) }
    let dataset = source[range.upperBound...].split(separator: "/").joined(separator: "/")
    return (String(source[..<range.lowerBound]), "/" + dataset)
  }
}

extension ScanReader {
  /// The same scan with flat and dark fields that lie elsewhere, in place of its own; nil for its own. `fields` is a
  /// scan file with both, or with one of them.
  /// - Throws: as `openScan`, and `.badData` where they are of another shape.
  package func taking(
    flats: String? = nil, darks: String? = nil, fields: String? = nil, isStrict: Bool = false
  ) throws(FileError) -> any ScanReader {
    guard flats != nil || darks != nil || fields != nil else { return self }
    let reader = try SeparateFieldsReader(
      self, flats: flats ?? fields, darks: darks ?? fields, areNeeded: fields == nil, isStrict: isStrict)
    guard reader.hasFields else {
      throw .badData(path: fields ?? "", reason: "it has neither flat nor dark fields (--fields)")
    }
    return reader
  }
}

/// A scan whose flat or dark fields lie elsewhere.
private final class SeparateFieldsReader: ScanReader {
  let info: ScanInfo
  private let scan: any ScanReader
  private let flats: SeparateFields?
  private let darks: SeparateFields?

  /// Whether there are any.
  var hasFields: Bool { flats != nil || darks != nil }

  init(
    _ scan: any ScanReader, flats: String?, darks: String?, areNeeded: Bool, isStrict: Bool
  ) throws(FileError) {
    self.scan = scan
    var info = scan.info
    func open(_ source: String?, _ kind: SeparateFields.Kind, own: Int) throws(FileError) -> SeparateFields? {
      guard let source,
        let fields = try SeparateFields(source, kind, isNeeded: areNeeded, isStrict: isStrict)
      else { return nil }
      guard (fields.images.rows, fields.images.columns) == (info.rows, info.columns) else {
        throw .badData(
          path: SeparateFieldFiles.parts(of: source).path,
          reason: "its \(kind.rawValue) fields have \(fields.images.rows) × \(fields.images.columns) pixels, and the "
            + "projections \(info.rows) × \(info.columns)")
      }
      info.notices.append(
        "\(fields.images.count) \(kind.rawValue) fields are taken from \(source)"
          + (own > 0 ? ", and the scan's own \(own) are not used" : ""))
      return fields
    }
    self.flats = try open(flats, .flat, own: info.flatCount)
    self.darks = try open(darks, .dark, own: info.darkCount)
    if let images = self.flats?.images {
      (info.flatCount, info.flatPixel, info.flatsBehind) = (images.count, images.pixel, nil)
    }
    if let images = self.darks?.images { (info.darkCount, info.darkPixel) = (images.count, images.pixel) }
    self.info = info
  }

  func readProjection(_ index: Int, rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    try scan.readProjection(index, rows: rows, into: buffer)
  }

  func readFlat(_ index: Int, rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    guard let flats else { return try scan.readFlat(index, rows: rows, into: buffer) }
    try read(flats, index, rows, into: buffer)
  }

  func readDark(_ index: Int, rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    guard let darks else { return try scan.readDark(index, rows: rows, into: buffer) }
    try read(darks, index, rows, into: buffer)
  }

  /// Fields that say nothing of the detector are as the scan's own frames are, and so are all where somebody said how
  /// frames are.
  private func read(
    _ fields: SeparateFields, _ index: Int, _ rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer
  ) throws(FileError) {
    guard let flips = scan.info.flipsWereAsked ? scan.info.flips : fields.flips ?? scan.info.flips else {
      return try fields.images.read(index, rows: rows, into: buffer)
    }
    try fields.images.read(index, rows: flips.source(rows, of: info.rows), into: buffer)
    flips.mirror(buffer, rows: rows.count, columns: info.columns, fields.images.pixel)
  }
}
