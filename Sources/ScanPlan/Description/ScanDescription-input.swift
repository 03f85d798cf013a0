import Glibc
import Host
package import ScanFiles

/// Where flat or dark fields come from.
package enum FieldSource: Equatable, Sendable {
  /// A live source sends so many.
  case count(Int)
  /// They lie elsewhere than in the scan's file: TIFF files, a scan file, or a dataset as FILE::/path/in/file.
  case files(String)
}

extension FieldSource: ScanValue {
  /// For people.
  package static var form: String { "the number that a live source sends, or the path of a scan file's" }
  /// A number, or a path; `./3` is a file whose name is a number.
  package init?(scanText: String) {
    guard !scanText.isEmpty else { return nil }
    self = Int(written: scanText).map { .count($0) } ?? .files(scanText)
  }
  /// As it is written on the command line.
  package var scanText: String {
    switch self {
    case .count(let count): "\(count)"
    case .files(let path): path
    }
  }
}

extension FrameFlips: ScanValue {}

extension ScanLimit where Value == FieldSource {
  /// So many fields of a live source at most.
  static var fields: ScanLimit {
    ScanLimit(form: Value.form) {
      guard case .count(let count) = $0, !(0...ScanKey.countMax).contains(count) else { return nil }
      return "is outside 0…\(ScanKey.countMax)"
    }
  }
}

extension ScanSource {
  private static let fileEndings: Set = ["h5", "hdf5", "hdf", "nxs", "nx", "he5"]

  /// Whether what is watched is an HDF5 file, by its name, and no folder: it need not be there yet.
  static func isWatchedFile(_ path: String) -> Bool {
    var status = stat()
    if stat(path, &status) == 0 { return status.st_mode & S_IFMT != S_IFDIR }
    return fileEndings.contains(path.split(separator: ".").last.map { $0.lowercased() } ?? "")
  }
}

extension ScanKey {
  /// What of a scan file is the scan.
  static let selection = [
    ScanKey(
      .input, "entry", \.selection.entry,
      "The scan's group in a file with several, as entry0001 or entry1/tomo_entry.",
      unset: "the default that the file names, else the first"),
    ScanKey(
      .input, "data-path", \.selection.dataPath, "HDF5 path of the frames (frame, y, x).",
      unset: "where DXchange or NXtomo have them"),
    ScanKey(
      .input, "image-key-path", \.selection.imageKeyPath,
      "HDF5 path of one number a frame: 0 projection, 1 flat, 2 dark.", unset: "where NXtomo has them"),
    ScanKey(
      .input, "theta-path", \.selection.thetaPath, "HDF5 path of the angles, one a frame or one a projection.",
      unset: "where DXchange or NXtomo have them"),
    ScanKey(
      .input, "flips", \.selection.flips,
      "Mirror frames as the file says, which NXtomo can, not at all, or as is said here, whatever the file says."),
    ScanKey(
      .input, "strict", \.selection.isStrict,
      "Refuse a scan that is not complete: with fewer frames than angles or image keys, or still being written."),
  ]

  /// What may be said of a scan file too, of those keys that are for live sources.
  static let ofFiles = ["theta-start", "theta-step", "flats", "darks", "fields"]
}

extension ScanDescription {
  /// Flat fields that a live source sends; nil where nobody says.
  var flats: Int? { if case .count(let count) = flatFieldSource { count } else { nil } }

  /// Dark fields that a live source sends; nil where nobody says.
  var darks: Int? { if case .count(let count) = darkFieldSource { count } else { nil } }

  /// Flat fields that a live source is said to send; nil where nobody says.
  package var sentFlats: Int? { flats }

  /// Dark fields that a live source is said to send; nil where nobody says.
  package var sentDarks: Int? { darks }

  /// Says how many flat and dark fields a live source sends.
  package mutating func setSent(flats: Int, darks: Int) {
    flatFieldSource = flats > 0 ? .count(flats) : nil
    darkFieldSource = darks > 0 ? .count(darks) : nil
  }

  /// Where the flat fields of a scan file are, if not in it.
  var flatFiles: String? { Self.files(flatFieldSource) }

  /// Where the dark fields of a scan file are, if not in it.
  var darkFiles: String? { Self.files(darkFieldSource) }

  /// Makes the paths of fields independent of the present folder.
  mutating func makeFieldPathsAbsolute() {
    func absolute(_ source: String) -> String {
      let (path, dataset) = SeparateFieldFiles.parts(of: source)
      return absolutePath(path) + (dataset.map { "::\($0)" } ?? "")
    }
    fields = fields.map(absolute)
    flatFieldSource = flatFiles.map { .files(absolute($0)) } ?? flatFieldSource
    darkFieldSource = darkFiles.map { .files(absolute($0)) } ?? darkFieldSource
  }

  private static func files(_ source: FieldSource?) -> String? {
    if case .files(let path) = source { path } else { nil }
  }

  /// Opens the scan file, with fields that lie elsewhere, those of its projections that are used, and the beam that is
  /// assumed where it has no flat fields.
  /// With `counts`, only as many images of it as there were once.
  package func openInput(_ counts: ImageCounts? = nil) throws -> any ScanReader {
    var selection = selection
    selection.hasOtherFlats = fields != nil || flatFiles != nil
    let scan = try openScan(
      path: input, thetaUnit: thetaUnit.fileUnit, spacing: ThetaSpacing(start: thetaStart, step: thetaStep),
      selection: selection)
    let whole = try scan.taking(flats: flatFiles, darks: darkFiles, fields: fields, isStrict: selection.isStrict)
    let used = try subset.map { try whole.keeping($0.numbers) } ?? whole
    let reader = try counts.map { try used.limited(to: $0) } ?? used
    return try i0.map { try reader.assuming($0) } ?? reader
  }

  /// Every file that the input names, in their order, with those of fields that lie elsewhere.
  package func inputFiles() throws -> [String] {
    let others = [fields ?? flatFiles, fields ?? darkFiles].compactMap(\.self)
    let sources = [input] + (others.first == others.last ? Array(others.prefix(1)) : others)
    return try sources.flatMap { try ImageFiles.list(SeparateFieldFiles.parts(of: $0).path) }
  }

  /// What contradicts what of a scan file and its fields.
  var selectionProblem: String? {
    for (name, source) in [("flats", flatFieldSource), ("darks", darkFieldSource)] {
      switch source {
      case .files(let path) where isLive:
        return "--\(name) \(path) is for scan files; --fields takes flats and darks of a file for \(input)"
      case .count(let count) where !isLive:
        return "--\(name) \(count) describes a live source; of a scan file it names other files, as ./\(count)"
      default: continue
      }
    }
    guard isLive, let key = ScanKey.selection.first(where: { $0.text(self) != $0.text(.standard) }) else { return nil }
    // Of a file that is being written, where its frames are can be said too.
    if watchesFile, key.name != "strict" { return nil }
    return "--\(key.name) is about a scan file, and \(input) is a live source"
  }
}
