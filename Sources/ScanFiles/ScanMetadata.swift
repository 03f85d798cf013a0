import CHDF5
package import Host

/// What a scan file says of its measurement, without its images: copied when a run is planned, so that its output can
/// say it too wherever the scan has gone by then.
///
/// ```
/// of DXchange   /measurement, /process            as they are; what NeXus has a place for is linked there:
///               /measurement/sample               → /entry/sample
///               /measurement/instrument/…         → /entry/instrument/… source, monochromator
///               /measurement/sample/name …        → /entry/title, start_time, end_time
/// of people     sample                            → /entry/sample/name, in place of the file's
///               energy                            → /entry/instrument/monochromator/energy, likewise
/// of NXtomo     ENTRY without data, definition    → /entry
/// thetas        /thetas (projections) f64, radians, in the order in which they are taken
/// ```
/// Left out are links to other files, and whatever is too large to be a word about the measurement.
package enum ScanMetadata {
  /// Of a dataset; thetas of a hundred thousand projections are below it.
  private static let byteCountMax = 1 << 20
  private static let byteCountTotalMax = 32 << 20
  private static let objectsMax = 10_000
  private static let depthMax = 12

  fileprivate static let thetas = "/thetas"

  /// What is said of a measurement beside its file.
  package struct Words: Sendable {
    let sample: String?
    let energy: Double?

    /// As it is called, and keV; nil for what the file says.
    package init(sample: String? = nil, energy: Double? = nil) { (self.sample, self.energy) = (sample, energy) }
  }

  /// Writes it to a file of its own that nobody else may read, with thetas in radians; how many of its objects could
  /// not be read. Without a scan file it is `words` alone.
  /// - Throws: what `openScan` does, or what writing a file does.
  package static func write(
    of scan: String?, _ selection: ScanSelection = ScanSelection(), thetas: [Double], _ words: Words = Words(),
    to path: String
  ) throws(FileError) -> Int {
    let target = try HDF5OutputFile(path: path, isPrivate: true)
    var unreadable = 0
    if let scan, !ImageFiles.isMeant(by: scan) { unreadable = try copy(scan, selection, to: target) }
    try write(words, to: target)
    if !thetas.isEmpty { try target.createNumbers(Self.thetas, thetas, shape: [thetas.count], units: "radian") }
    try target.finish()
    return unreadable
  }

  private static func write(_ words: Words, to target: HDF5OutputFile) throws(FileError) {
    if let sample = words.sample {
      try target.createGroup("/entry", class: "NXentry")
      try target.createGroup("/entry/sample", class: "NXsample")
      try target.removeLink("/entry/sample/name")
      try target.createText("/entry/sample/name", sample)
    }
    if let energy = words.energy {
      try target.createGroup("/entry", class: "NXentry")
      try target.createGroup("/entry/instrument", class: "NXinstrument")
      try target.createGroup("/entry/instrument/monochromator", class: "NXmonochromator")
      try target.removeLink("/entry/instrument/monochromator/energy")
      try target.createNumbers("/entry/instrument/monochromator/energy", [energy], shape: [], units: "keV")
    }
  }

  /// Copies what an HDF5 file says; how many of its objects could not be read.
  private static func copy(
    _ scan: String, _ selection: ScanSelection, to target: HDF5OutputFile
  ) throws(FileError) -> Int {
    let source = try HDF5File(path: scan)
    var copy = MetadataCopy(source: source, target: target)
    switch try source.entry(selection.absolute.entry).entry {
    case .dxchange:
      for group in ["/measurement", "/process"] where try source.kind(of: group) == .group {
        try copy.copy(group, to: group)
      }
      try linkDXchange(target)
    case .nxtomo(let entry): try copy.copy(entry, to: "/entry", without: ["data", "definition"])
    case nil: break
    }
    return copy.unreadable
  }

  /// Where NeXus has what, and the names that it has at the beamlines that write DXchange.
  private static let links: [(nexus: String, dxchange: [String])] = [
    ("/entry/title", ["/measurement/sample/description", "/measurement/sample/name"]),
    ("/entry/start_time", ["/process/acquisition/start_date", "/measurement/sample/file/date"]),
    ("/entry/end_time", ["/process/acquisition/end_date"]),
    ("/entry/sample/name", ["/measurement/sample/name"]),
    ("/entry/instrument/name", ["/measurement/instrument/name", "/measurement/instrument/instrument_name"]),
    ("/entry/instrument/source/name", ["/measurement/instrument/source/name"]),
    ("/entry/instrument/source/energy", ["/measurement/instrument/source/energy"]),
    ("/entry/instrument/source/current", ["/measurement/instrument/source/current"]),
    ("/entry/instrument/monochromator/energy", ["/measurement/instrument/monochromator/energy"]),
  ]

  private static func linkDXchange(_ target: HDF5OutputFile) throws(FileError) {
    try target.createGroup("/entry", class: "NXentry")
    for (nexus, names) in links {
      for name in names where try target.has(name) {
        if try !target.has(nexus) { try target.createLink(nexus, to: name) }
      }
    }
    for (group, name) in [
      ("/entry/sample", "NXsample"), ("/entry/instrument", "NXinstrument"), ("/entry/instrument/source", "NXsource"),
      ("/entry/instrument/monochromator", "NXmonochromator"),
    ] where try target.has(group) { try target.createGroup(group, class: name) }
  }

  /// Copies groups from one file to another, one object at a time.
  private struct MetadataCopy {
    let source: HDF5File
    let target: HDF5OutputFile
    private(set) var unreadable = 0
    private var objects = 0
    private var byteCount = 0

    init(source: HDF5File, target: HDF5OutputFile) { (self.source, self.target) = (source, target) }

    /// Copies a group with its attributes and what is in it, but for the members named.
    mutating func copy(_ group: String, to path: String, without members: Set<String> = [], depth: Int = 0)
      throws(FileError)
    {
      try target.createGroup(path, class: nil)
      try counting { copy throws(FileError) in try copy.copyAttributes(of: group, to: path) }
      guard depth < depthMax else { return }
      for name in try source.links(in: group) where !members.contains(name) {
        objects += 1
        guard objects < objectsMax else { return }
        let (from, to) = ("\(group)/\(name)", "\(path)/\(name)")
        try counting { copy throws(FileError) in
          guard try copy.source.isOwn(from) else { return }
          switch try copy.source.kind(of: from) {
          case .group: try copy.copy(from, to: to, depth: depth + 1)
          case .dataset: try copy.copyDataset(from, to: to)
          case .other, nil: return
          }
        }
      }
    }

    /// Goes on after what cannot be read, which is no part of the volume; a disk that fails ends it.
    private mutating func counting(_ body: (inout MetadataCopy) throws(FileError) -> Void) throws(FileError) {
      do throws(FileError) { try body(&self) } catch {
        guard case .badData = error else { throw error }
        unreadable += 1
      }
    }

    private mutating func copyDataset(_ name: String, to path: String) throws(FileError) {
      guard let size = try source.byteCount(ofPlain: name), size <= byteCountMax,
        byteCount + size <= byteCountTotalMax
      else { return }
      byteCount += size
      try source.copy(name, to: path, in: target)
    }

    private func copyAttributes(of group: String, to path: String) throws(FileError) {
      for name in try source.attributeNames(of: group) {
        guard let text = try source.text(ofAttribute: name, of: group) else { continue }
        // Of what is left out, nothing is the default.
        guard name != "default" else { continue }
        try target.setAttribute(name, text, of: path)
      }
    }
  }
}

extension HDF5OutputFile {
  /// Copies what `ScanMetadata` wrote, to the same places; gives the thetas.
  func copyMetadata(from path: String) throws(FileError) -> [Double] {
    let source = try HDF5File(path: path)
    let thetas = try source.hasDataset(ScanMetadata.thetas) ? source.numbers(ScanMetadata.thetas) : []
    for name in try source.links(in: "/") where "/\(name)" != ScanMetadata.thetas {
      try source.copy("/\(name)", to: "/\(name)", in: self)
    }
    return thetas
  }
}

extension HDF5File {
  /// Whether the object at `path` lies in this file under this very name: not behind a link to another one.
  fileprivate func isOwn(_ path: String) throws(FileError) -> Bool {
    var information = H5L_info_t()
    _ = try check(path) { H5Lget_info(id, path, &information, 0) }
    return information.type == H5L_TYPE_HARD
  }

  /// Bytes of a dataset that can be copied without the file; nil where its values lie in other files or refer to
  /// places in this one.
  fileprivate func byteCount(ofPlain name: String) throws(FileError) -> Int? {
    let dataset = try openObject(name)
    let type = try handle(name) { H5Dget_type(dataset.id) }
    let space = try handle(name) { H5Dget_space(dataset.id) }
    let creation = try handle(name) { H5Dget_create_plist(dataset.id) }
    let kind = try check(name) { H5Tget_class(type.id).rawValue }
    let layout = try check(name) { H5Pget_layout(creation.id).rawValue }
    guard kind != H5T_REFERENCE.rawValue, layout != H5D_VIRTUAL.rawValue,
      try check(name, { H5Pget_external_count(creation.id) }) == 0
    else { return nil }
    let (count, size) = (
      try check(name) { H5Sget_simple_extent_npoints(space.id) }, try check(name) { Int(H5Tget_size(type.id)) }
    )
    let (byteCount, overflow) = Int(count).multipliedReportingOverflow(by: size)
    return overflow ? nil : byteCount
  }

  /// Copies the object at `name` with its attributes and what is below it.
  func copy(_ name: String, to path: String, in target: HDF5OutputFile) throws(FileError) {
    _ = try check(name) { H5Ocopy(id, name, target.id, path, 0, 0) }
  }

  /// The names of an object's attributes, at most 1,000.
  fileprivate func attributeNames(of path: String) throws(FileError) -> [String] {
    let object = try handle(path) { H5Oopen(id, path, 0) }
    var names: [String] = []
    for index in 0..<hsize_t(clamping: min(1000, try check(path) { H5Aget_num_attrs(object.id) })) {
      var name = [CChar](repeating: 0, count: 256)
      _ = try check(path) {
        H5Aget_name_by_idx(object.id, ".", H5_INDEX_NAME, H5_ITER_INC, index, &name, name.count, 0)
      }
      names.append(String(upToNUL: name))
    }
    return names
  }
}
