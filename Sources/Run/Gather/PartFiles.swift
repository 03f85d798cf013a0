import Fabric
import Glibc
import Host
import KernelTypes
import Rings
import ScanFiles
import ScanPlan

/// The files of some rows of a volume, read slice by slice. Not to be used by several threads at once.
///
/// A node names its files as it knows them; whoever reads them may have them elsewhere. What they hold is not believed
/// but compared with the part's checksum.
final class PartFiles {
  /// What the slices lie in.
  enum Kind {
    /// One file; its first slice is that of `first`, a row.
    case hdf5(VolumeReader, path: String, first: Int)
    /// One file for each slice, in a folder; `first` is the number of the slice of row 0.
    case tiff(folder: String, first: Int)
    /// At the servers, to which nodes have sent them.
    case fabric(SliceStream)
  }

  let kind: Kind
  /// Columns of a slice, which has as many rows.
  let columns: Int

  private init(_ kind: Kind, columns: Int) { (self.kind, self.columns) = (kind, columns) }

  private static let (hdf5Suffix, tiffSuffix) = (".h5", ".tiff")
  private static let componentsMax = 128

  /// Opens the files of a part. With `folder` they are looked for there: each under the longest end of its path that is
  /// there, in a folder named after the node first.
  /// - Throws: `.noInput` where they are not there, `.data` where they are those of another run or other rows.
  static func open(_ part: PartRecord, of scan: ScatteredScan, in folder: String?) throws(ScanFailure) -> PartFiles {
    if let path = part.files.first(where: { $0.hasSuffix(hdf5Suffix) }) {
      return try hdf5(find(path, part, in: folder), part, scan)
    }
    // Of very many files the folder is named.
    guard part.format == .tiff, let path = part.files.first else {
      throw ScanFailure(
        .usage,
        "node \(part.node) has written part \(part.granule) as \(part.format.rawValue), and only HDF5 and TIFF are put "
          + "together: have it run with --format hdf5")
    }
    let found = try find(path, part, in: folder)
    return try tiff(found.hasSuffix(tiffSuffix) ? folderName(of: found) : found, part, scan)
  }

  /// The edge's own file, whose first slice is that of row `first`.
  init(own path: String, first: Int) throws(ScanFailure) {
    do throws(FileError) {
      let reader = try VolumeReader(path: path)
      (kind, columns) = (.hdf5(reader, path: path, first: first), reader.columns)
    } catch { throw ScanFailure(error) }
  }

  /// The edge's own files, one for each slice.
  init(ownFolder path: String, row: Int, firstSlice: Int) throws(ScanFailure) {
    kind = .tiff(folder: path, first: firstSlice)
    columns = try Self.columns(ofTIFF: "\(path)/\(Self.tiffName(firstSlice + row))")
  }

  /// What nodes have sent back of a part.
  init(_ stream: SliceStream, _ part: PartRecord) throws(ScanFailure) {
    let columns = try Self.asking { () throws(FabricError) in try stream.columns(row: part.firstRow) }
    guard let columns, columns <= SliceLayout.columnsMax else {
      throw ScanFailure(
        .unavailable,
        "the fabric does not have the slices of part \(part.granule), which node \(part.node) has made: copy or mount "
          + "its files, and name their folder (slipring gather --gather links --parts DIR)")
    }
    (kind, self.columns) = (.fabric(stream), columns)
  }

  /// How long servers may be away.
  private static let patience: Duration = .seconds(60)

  /// Asks servers, which may be away for a while.
  private static func asking<Value>(_ ask: () throws(FabricError) -> Value) throws(ScanFailure) -> Value {
    let deadline = Deadline(after: patience)
    var backOff = BackOff()
    while true {
      do throws(FabricError) { return try ask() } catch {
        guard error.mayPass, !deadline.hasPassed else { throw ScanFailure(error) }
        pause(min(backOff.fail(), deadline.remaining))
      }
    }
  }

  /// What an HDF5 file says of its volume.
  var facts: [String: String] {
    guard case .hdf5(let reader, _, _) = kind else { return [:] }
    var facts: [String: String] = [:]
    for name in Gather.shared { facts[name] = reader.text(name) }
    return facts
  }

  /// What was said of the volume that `row` is the first one of, where nodes have sent it back.
  func facts(row: Int) throws(ScanFailure) -> [String: String] {
    guard case .fabric(let stream) = kind else { return facts }
    return try Self.asking { () throws(FabricError) in try stream.facts(row: row) }.filter {
      Gather.shared.contains($0.key)
    }
  }

  private static func hdf5(_ path: String, _ part: PartRecord, _ scan: ScatteredScan) throws(ScanFailure) -> PartFiles {
    let reader: VolumeReader
    do throws(FileError) { reader = try VolumeReader(path: path) } catch { throw ScanFailure(error) }
    guard reader.text("edge_run") == scan.run.description, let granules = reader.text("edge_granules"),
      let taken = GranuleRange(scanText: granules.split(separator: " ").first.map(String.init) ?? "")?.numbers,
      taken.contains(part.granule), taken.upperBound <= scan.granules.count,
      scan.granules.rows(of: taken).count == reader.slices
    else { throw ScanFailure(.data, "\(path) does not hold part \(part.granule) of run \(scan.run)") }
    let first = scan.granules[taken.lowerBound].lowerBound
    return PartFiles(.hdf5(reader, path: path, first: first), columns: reader.columns)
  }

  private static func tiff(_ folder: String, _ part: PartRecord, _ scan: ScatteredScan) throws(ScanFailure) -> PartFiles
  {
    let columns = try columns(ofTIFF: "\(folder)/\(tiffName(scan.firstSlice + part.firstRow))")
    return PartFiles(.tiff(folder: folder, first: scan.firstSlice), columns: columns)
  }

  /// Whether they are one file for each slice.
  var isTIFF: Bool { if case .tiff = kind { true } else { false } }

  /// These where they are TIFF files, or those that lie beside an HDF5 file, where its node writes both; nil where
  /// there is none of `row`.
  func tiff(row: Int, of scan: ScatteredScan) throws(ScanFailure) -> PartFiles? {
    guard case .hdf5(_, let path, _) = kind else { return self }
    let folder = folderName(of: path), first = "\(folder)/\(Self.tiffName(scan.firstSlice + row))"
    guard access(first, R_OK) == 0 else { return nil }
    return PartFiles(.tiff(folder: folder, first: scan.firstSlice), columns: try Self.columns(ofTIFF: first))
  }

  /// Reads the slice of a row, columns × columns values.
  func read(row: Int, into slice: UnsafeMutableBufferPointer<Float>) throws(ScanFailure) {
    switch kind {
    case .hdf5(let reader, _, let first):
      do throws(FileError) { try reader.readSlice(row - first, into: slice) } catch { throw ScanFailure(error) }
    case .tiff(let folder, let first):
      let path = "\(folder)/\(Self.tiffName(first + row))"
      do throws(TIFFFault) {
        try readTIFF(
          path: path, rows: columns, columns: columns, pixel: .float32, into: UnsafeMutableRawBufferPointer(slice))
      } catch { throw Self.failure(path, error) }
    case .fabric(let stream):
      let columns = columns
      try Self.asking { () throws(FabricError) in try stream.read(row: row, columns: columns, into: slice) }
    }
  }

  /// The name of a slice's file, by its number.
  static func tiffName(_ slice: Int) -> String {
    let digits = "\(slice)"
    return "recon_\(String(repeating: "0", count: max(0, 5 - digits.count)))\(digits).tiff"
  }

  private static func columns(ofTIFF path: String) throws(ScanFailure) -> Int {
    var columns = 0, memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    defer { memory.deallocate() }
    do throws(TIFFFault) {
      try readTIFF(path: path) { rows, width, pixel throws(TIFFFault) in
        guard rows == width else { throw .shape }
        guard pixel == .float32 else { throw .pixel }
        columns = width
        memory = .allocate(byteCount: rows * width * pixel.byteCount, alignment: 64)
        return memory
      }
    } catch { throw failure(path, error) }
    return columns
  }

  private static func failure(_ path: String, _ fault: TIFFFault) -> ScanFailure {
    switch fault {
    case .incomplete: ScanFailure(.data, "\(path) is cut short or damaged")
    case .unreadable(let reason): ScanFailure(.noInput, "cannot open \(path): \(reason)")
    case .shape: ScanFailure(.data, "\(path) has another shape than the other slices")
    case .pixel:
      ScanFailure(.data, "\(path) holds integers, and only floats can be compared with a part's checksum: --bits 32")
    case .layout: ScanFailure(.data, "\(path) is no slice")
    }
  }

  /// Where a file of a part is.
  private static func find(_ path: String, _ part: PartRecord, in folder: String?) throws(ScanFailure) -> String {
    let components = path.split(separator: "/").map(String.init)
    guard components.count <= componentsMax, !components.contains("..") else {
      throw ScanFailure(.data, "the record of part \(part.granule) names a file that is none")
    }
    let ends = components.indices.map { components[$0...].joined(separator: "/") }
    let places =
      folder.map { folder in
        [absolutePath("\(folder)/\(part.node)"), absolutePath(folder)].flatMap { place in
          ends.map { "\(place)/\($0)" }
        }
      } ?? [path]
    guard let found = places.first(where: { access($0, R_OK) == 0 }) else {
      let where_ = folder.map { "not below \($0)" } ?? "not on this machine"
      throw ScanFailure(
        .noInput,
        "\(path), which node \(part.node) has written, is \(where_): name the folder where the nodes' files are "
          + "mounted or copied to with --parts")
    }
    return found
  }
}
