import Fabric
import Foundation
import Glibc
import Host
import Rings
package import RunModel
import ScanFiles
import ScanPlan
import Stages

/// Makes one volume of the parts that nodes have made of a scan.
///
/// Every slice is read once, and each part compared with the checksum of its record, before a file has its name:
///
/// ```
/// parts (PartRecord) ─► PartFiles ─ slices in order ─┬─► checksum of each part, and of the whole
///                                                    └─► a copy, where one is asked for
///                       then  scan_rec.h5: a virtual dataset over the parts' files   or   one link for each TIFF
/// ```
/// The whole's checksum is that of a single run.
package struct Gather {
  /// What is written.
  package enum Form: String, CaseIterable, Sendable {
    /// What the parts are: a virtual dataset over HDF5 files, or links to TIFF files.
    case links
    /// The voxels themselves, in one HDF5 file.
    case hdf5
    /// The same as OME-Zarr.
    case zarr
  }

  /// What came of it.
  package struct Result: Codable, Equatable, Sendable {
    /// The run at the edge.
    let run: String
    /// Paths of the files.
    package let outputs: [String]
    /// Checksum of the volume: that of a single run.
    package let volumeSHA256: String
    /// The slices.
    package let slices: RowRange
    /// Who made which.
    package let parts: [Piece]
  }

  /// Slices that one machine has made.
  package struct Piece: Codable, Equatable, Sendable {
    /// The node; nil for the edge.
    package let node: String?
    /// The slices.
    package let slices: RowRange
  }

  /// What the edge has made itself.
  struct Own {
    let rows: Range<Int>
    let files: PartFiles
    let sha256: String
  }

  /// The scan.
  let scan: ScatteredScan
  private let parts: [PartRecord]
  private let own: Own?
  private let about: VolumeDescription
  private let attributes: [String: String]
  private let folder: String?
  /// What nodes have sent back; nil where their files are read.
  private let returned: SliceStream?
  private let isLive: Bool
  /// Where the edge writes; nil where that is not known.
  let outputFolder: String?

  /// Of the parts that a run's bucket has. Their files are where their records say, or below `folder`; with `returned`
  /// it is what nodes have sent back that is read.
  init(
    _ scan: ScatteredScan, _ parts: [PartRecord], folder: String?, returned: SliceStream?, command: [String]
  ) {
    (self.scan, self.parts, self.folder, own, isLive, outputFolder) = (scan, parts, folder, nil, true, nil)
    self.returned = returned
    (about, attributes) = (scan.about, ["run": scan.run.description, "command": shellQuoted(command)])
  }

  /// Of an edge whose run is `plan`'s, which may have made some slices itself.
  init(
    _ plan: RunPlan, _ scan: ScatteredScan, _ parts: [PartRecord], folder: String?, returned: SliceStream? = nil,
    own: Own?
  ) {
    self.returned = returned
    (self.scan, self.parts, self.folder, self.own, isLive) = (scan, parts, folder, own, plan.live != nil)
    outputFolder = plan.scan.outputFolder
    let export = plan.export
    var about = export.about
    about.firstSlice = scan.firstSlice
    (self.about, attributes) = (about, export.attributes)
  }

  /// Rows of which nobody has a part, in order.
  var missing: [Range<Int>] {
    let there = Set(parts.map(\.granule))
    var missing: [Range<Int>] = []
    for granule in 0..<scan.granules.count where !there.contains(granule) {
      let rows = scan.granules[granule]
      if let own, own.rows.lowerBound <= rows.lowerBound, own.rows.upperBound >= rows.upperBound { continue }
      if let last = missing.last, last.upperBound == rows.lowerBound {
        missing[missing.count - 1] = last.lowerBound..<rows.upperBound
      } else {
        missing.append(rows)
      }
    }
    return missing
  }

  /// Names of all files that may be written.
  func names(_ form: Form) -> [String] { names(form, isWhole: own == nil) }

  /// The same; `isWhole` says whether the edge makes no slices itself, beside whose file the whole has another name.
  func names(_ form: Form, isWhole: Bool) -> [String] {
    let hdf5Name = "\(scan.name)_\(isWhole ? "rec" : "whole").h5"
    return switch form {
    case .links: [hdf5Name] + (0..<rows).map { PartFiles.tiffName(scan.firstSlice + $0) }
    case .hdf5: [hdf5Name]
    case .zarr: ["\(scan.name)_rec.zarr"]
    }
  }

  /// What is written where nobody says: links, where there are files.
  var form: Form { returned == nil ? .links : .hdf5 }

  private var rows: Int { scan.granules.rows(of: 0..<scan.granules.count).count }

  /// Reads and compares all parts, and writes the whole into a folder that is there. `stopRequested` is asked before
  /// each slice, and throws where it is to end.
  /// - Throws: `.temporary` where slices are missing, `.data` where a part is not what its record says. Nothing is left
  ///   half-written.
  func write(_ form: Form, to output: String, stopRequested: () throws -> Void) throws -> Result {
    guard missing.isEmpty else { throw missingFailure }
    precondition(form != .links || returned == nil, "there are no files to link to")
    let pieces = try self.pieces(form)
    guard let columns = pieces.first?.files.columns, pieces.allSatisfy({ $0.files.columns == columns }) else {
      throw ScanFailure(.data, "the parts of run \(scan.run) have slices of different sizes")
    }
    let facts = try facts(pieces), names = self.names(form).map { "\(output)/\($0)" }
    var about = about
    note(pieces, facts, in: &about)
    let copy = try VolumeCopy(
      form, path: names[0], slices: rows, columns: columns, attributes: attributes.merging(facts) { $1 }, about: about)
    let sha256: String
    do { sha256 = try check(pieces, columns: columns, copy, stopRequested) } catch {
      copy?.abandon()
      throw error
    }
    var outputs = [names[0]]
    if let copy {
      try copy.finish(sha256)
    } else if let links = try links(pieces, in: output) {
      let attributes = attributes.merging(facts) { $1 }.merging(["sha256": sha256]) { $1 }
      try writeVirtualVolume(
        path: names[0], slices: rows, columns: columns, pieces: links, attributes: attributes, about: about)
    } else {
      outputs = try linkTIFFs(pieces, in: output)
    }
    return Result(
      run: scan.run.description, outputs: outputs, volumeSHA256: sha256,
      slices: RowRange(0..<rows, firstSlice: scan.firstSlice),
      parts: pieces.map { Piece(node: $0.node, slices: RowRange($0.rows, firstSlice: scan.firstSlice)) })
  }

  /// Which slices nobody has made.
  var missingFailure: ScanFailure {
    let slices = missing.map { RowRange($0, firstSlice: scan.firstSlice) }
    return ScanFailure(
      .temporary,
      "\(RowRange.list(slices)) of run \(scan.run) are missing: no node has made them yet; slipring gather puts the "
        + "volume together when one has")
  }

  /// Rows in their order, and where they are.
  private struct Rows {
    let rows: Range<Int>
    let node: String?
    let sha256: String?
    let files: PartFiles
  }

  private func pieces(_ form: Form) throws(ScanFailure) -> [Rows] {
    let pieces = try pieces()
    guard form == .links, pieces.contains(where: { $0.files.isTIFF }) else { return pieces }
    // A file of HDF5 cannot refer to a TIFF file: where nodes that write HDF5 write TIFF as well, that is what all
    // have.
    return try pieces.map { piece throws(ScanFailure) in
      guard let files = try piece.files.tiff(row: piece.rows.lowerBound, of: scan) else {
        throw ScanFailure(
          .usage,
          "some parts of run \(scan.run) are HDF5 and others TIFF: slipring gather --form hdf5 makes a file with all "
            + "voxels")
      }
      return Rows(rows: piece.rows, node: piece.node, sha256: piece.sha256, files: files)
    }
  }

  private func pieces() throws(ScanFailure) -> [Rows] {
    var open: [String: PartFiles] = [:], pieces: [Rows] = []
    for granule in 0..<scan.granules.count {
      let rows = scan.granules[granule]
      if let own, own.rows.lowerBound <= rows.lowerBound, own.rows.upperBound >= rows.upperBound {
        pieces.append(Rows(rows: rows, node: nil, sha256: nil, files: own.files))
      } else if let part = parts.first(where: { $0.granule == granule }) {
        if let returned {
          pieces.append(
            Rows(rows: rows, node: part.node, sha256: part.sha256, files: try PartFiles(returned, part)))
          continue
        }
        // One file may have several parts.
        let key = "\(part.node) \(part.files.first ?? "")"
        let files: PartFiles
        if let known = open[key], known.holds(rows) {
          files = known
        } else {
          files = try PartFiles.open(part, of: scan, in: folder)
        }
        open[key] = files
        pieces.append(Rows(rows: rows, node: part.node, sha256: part.sha256, files: files))
      }
    }
    return pieces
  }

  /// Reads all slices in their order; gives the checksum of all.
  private func check(
    _ pieces: [Rows], columns: Int, _ copy: VolumeCopy?, _ stopRequested: () throws -> Void
  ) throws -> String {
    let slice = UnsafeMutableBufferPointer<Float>.allocate(capacity: columns * columns)
    defer { slice.deallocate() }
    var whole = SHA256(), mine: SHA256? = SHA256()
    for piece in pieces {
      var part = SHA256()
      for row in piece.rows {
        try stopRequested()
        try piece.files.read(row: row, into: slice)
        whole.update(UnsafeRawBufferPointer(slice))
        part.update(UnsafeRawBufferPointer(slice))
        if let own, own.rows.contains(row) { mine?.update(UnsafeRawBufferPointer(slice)) }
        try copy?.add(UnsafeBufferPointer(slice), at: row)
      }
      let found = part.hexDigest()
      guard piece.sha256.map({ $0 == found }) ?? true else {
        let slices = scan.slices(piece.rows)
        throw ScanFailure(
          .data,
          "slices \(slices.lowerBound) to \(slices.upperBound - 1) of node \(piece.node ?? "") are not what it has "
            + "made: their checksum is \(found.prefix(16))…, its record says \(piece.sha256?.prefix(16) ?? "")…; copy "
            + "\(piece.files.place) again, or have another node make them")
      }
    }
    if let own, let found = mine.take()?.hexDigest(), found != own.sha256 {
      throw ScanFailure(.data, "the edge's own slices are not what it has made: look at the disk of \(own.files.place)")
    }
    return whole.hexDigest()
  }
}

extension PartFiles {
  /// Where they are, for people.
  var place: String {
    switch kind {
    case .hdf5(_, let path, _): path
    case .tiff(let folder, _): folder
    case .fabric: "its own files (--gather links)"
    }
  }

  /// Whether nodes have sent them back.
  var isReturned: Bool { if case .fabric = kind { true } else { false } }

  /// Whether its slices are those of all these rows.
  func holds(_ rows: Range<Int>) -> Bool {
    switch kind {
    case .hdf5(let reader, _, let first): rows.lowerBound >= first && rows.upperBound <= first + reader.slices
    case .tiff, .fabric: true
    }
  }
}

// What is written beside the voxels.
extension Gather {
  /// What the parts' files say of the measurement that is the same in all, and counts of all of them.
  private func facts(_ pieces: [Rows]) throws(ScanFailure) -> [String: String] {
    var readers: [(reader: VolumeReader, path: String)] = []
    for piece in pieces {
      guard case .hdf5(let reader, let path, _) = piece.files.kind, !readers.contains(where: { $0.path == path })
      else { continue }
      readers.append((reader, path))
    }
    var facts: [String: String] = [:]
    for name in Self.shared {
      if attributes[name] == nil, let text = readers.first?.reader.text(name) { facts[name] = text }
    }
    if let piece = pieces.first(where: { $0.files.isReturned }) {
      let told = try piece.files.facts(row: piece.rows.lowerBound).filter { attributes[$0.key] == nil }
      facts.merge(told) { own, _ in own }
    }
    // Where one file has more rows than are taken of it, nobody knows how many of them count.
    if !readers.isEmpty, readers.reduce(0, { $0 + $1.reader.slices }) == rows {
      for name in Self.counted {
        let counts = readers.compactMap { $0.reader.text(name).flatMap { Int($0) } }
        if counts.count == readers.count { facts[name] = "\(counts.reduce(0, +))" }
      }
    }
    facts["parts"] = pieces.map { piece in
      let slices = scan.slices(piece.rows)
      return "\(slices.lowerBound) to \(slices.upperBound - 1): \(piece.node ?? "edge")"
    }.joined(separator: "\n")
    return facts
  }

  static let shared = [
    "description", "field_of_view", "axis_tilt", "disk_mask", "rotation_axis", "rotation_axis_error",
    "rotation_axis_warning", "input_notices", "units", "stop_reason", "projections", "lost_projections", "lost_fields",
    "duplicate_events",
  ]
  private static let counted = ["clamped_pixels", "dead_pixels", "non_finite_pixels"]

  /// Says which projections came, and at what angles.
  private func note(_ pieces: [Rows], _ facts: [String: String], in about: inout VolumeDescription) {
    let counts = [facts["projections"], facts["lost_projections"]].compactMap { $0.flatMap { Int($0) } }
    if counts.count == 2, counts.allSatisfy({ (0...1 << 31).contains($0) }) {
      about.projections = counts[0] + counts[1]
    }
    guard case .hdf5(let reader, _, _)? = pieces.first?.files.kind else { return }
    let thetas = reader.thetas
    if isLive, !thetas.isEmpty { about.thetas = thetas }
  }

  /// The pieces of a virtual dataset, consecutive ones of a file together; nil where they are no HDF5 files. What lies
  /// below the output's folder is named from there, so that all of it can be moved.
  private func links(_ pieces: [Rows], in output: String) throws(ScanFailure) -> [VolumePiece]? {
    var links: [VolumePiece] = []
    for piece in pieces {
      guard case .hdf5(let reader, let path, let first) = piece.files.kind else { continue }
      let prefix = absolutePath(output) + "/", absolute = absolutePath(path)
      let name = absolute.hasPrefix(prefix) ? String(absolute.dropFirst(prefix.count)) : absolute
      let source = piece.rows.lowerBound - first..<piece.rows.upperBound - first
      if let last = links.last, last.path == name, last.source.upperBound == source.lowerBound {
        links[links.count - 1] = VolumePiece(
          path: name, dataset: reader.datasetName, slicesThere: reader.slices,
          source: last.source.lowerBound..<source.upperBound, first: last.first)
      } else {
        links.append(
          VolumePiece(
            path: name, dataset: reader.datasetName, slicesThere: reader.slices, source: source,
            first: piece.rows.lowerBound))
      }
    }
    if links.isEmpty { return nil }
    precondition(links.reduce(0) { $0 + $1.source.count } == rows, "a file of HDF5 cannot refer to a TIFF file")
    return links
  }

  /// Gives the slices' files their names in the output's folder, where they are not there already: links to them, or
  /// copies where the disk is another one.
  private func linkTIFFs(_ pieces: [Rows], in output: String) throws -> [String] {
    var outputs: [String] = []
    for piece in pieces {
      guard case .tiff(let folder, let first) = piece.files.kind else { preconditionFailure("a part without TIFFs") }
      for row in piece.rows {
        let name = PartFiles.tiffName(first + row), path = "\(output)/\(name)"
        outputs.append(path)
        guard link("\(folder)/\(name)", path) != 0 else { continue }
        let code = errno
        if code == EEXIST, Self.isSame("\(folder)/\(name)", path) { continue }
        guard [EXDEV, EPERM, EEXIST, ENOTSUP, EMLINK].contains(code) else { throw FileError.writing(path, code) }
        let bytes = try readFile("\(folder)/\(name)")
        try writeFileAtomically(path: path, bytes: bytes)
      }
    }
    try DurableFolder(output).sync()
    return outputs
  }

  private static func isSame(_ path: String, _ other: String) -> Bool {
    var (first, second) = (stat(), stat())
    return stat(path, &first) == 0 && lstat(other, &second) == 0 && first.st_ino == second.st_ino
      && first.st_dev == second.st_dev
  }

  private func readFile(_ path: String) throws(ScanFailure) -> [UInt8] {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw ScanFailure(.noInput, "cannot read \(path)")
    }
    return [UInt8](data)
  }
}
