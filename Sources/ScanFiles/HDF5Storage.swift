import CHDF5
import Glibc
import Host

/// How a dataset is stored: its shape, type, filters, sources and chunks. Used while it is opened.
struct HDF5Storage: ~Copyable {
  private let file: HDF5File
  private let name: String
  private let dataset: HDF5Handle
  private let creation: HDF5Handle

  /// Virtual datasets of virtual datasets: deeper than this is a circle.
  private static let depthMax = 8
  /// No axis of a scan is longer. With this a frame's bytes cannot overflow, nor can a list with an entry for each
  /// frame exhaust memory.
  private static let extentMax: hsize_t = 1 << 26
  private static let filtersMax = 32
  private static let nameBytesMax = 4096

  init(file: HDF5File, name: String, dataset: consuming HDF5Handle) throws(FileError) {
    self.file = file
    self.name = name
    let id = dataset.id
    creation = try file.handle(name) { H5Dget_create_plist(id) }
    self.dataset = dataset
  }

  func shape() throws(FileError) -> [Int] {
    let space = try file.handle(name) { H5Dget_space(dataset.id) }
    let rank = try file.check(name) { H5Sget_simple_extent_ndims(space.id) }
    var extents = [hsize_t](repeating: 0, count: HDF5Dataset.rankMax)
    _ = try file.check(name) { H5Sget_simple_extent_dims(space.id, &extents, nil) }
    guard let longest = extents.max(), longest <= Self.extentMax else {
      throw file.bad("\(name) has an absurd extent, \(extents.max() ?? 0)")
    }
    return extents.prefix(Int(rank)).map(Int.init)
  }

  /// The type in which the dataset is to be read; anything but an integer or a float is an error that names it.
  func pixel() throws(FileError) -> PixelType {
    let type = try file.handle(name) { H5Dget_type(dataset.id) }
    let typeClass = try file.check(name) { H5Tget_class(type.id).rawValue }
    let byteCount = try file.check(name) { Int(H5Tget_size(type.id)) }
    switch typeClass {
    case H5T_FLOAT.rawValue: return .float32
    case H5T_INTEGER.rawValue:
      let isSigned = try file.check(name) { H5Tget_sign(type.id).rawValue } != H5T_SGN_NONE.rawValue
      return isSigned || byteCount > 4 ? .float32 : byteCount > 2 ? .uint32 : byteCount > 1 ? .uint16 : .uint8
    default:
      throw file.bad("\(name) has the type \(try typeName(type)); only integers and floats can be read")
    }
  }

  private func typeName(_ type: borrowing HDF5Handle) throws(FileError) -> String {
    let id = type.id
    switch try file.check(name, { H5Tget_class(id).rawValue }) {
    case H5T_COMPOUND.rawValue:
      let memberCount = try file.check(name) { H5Tget_nmembers(id) }
      return memberCount == 2 && hasMember("r", in: id) && hasMember("i", in: id) ? "complex" : "compound"
    case H5T_STRING.rawValue: return "string"
    case H5T_BITFIELD.rawValue: return "bit field"
    case H5T_OPAQUE.rawValue: return "opaque"
    case H5T_REFERENCE.rawValue: return "reference"
    case H5T_ENUM.rawValue: return "enumeration"
    case H5T_VLEN.rawValue: return "sequence of variable length"
    case H5T_ARRAY.rawValue: return "array"
    default: return "time"
    }
  }

  private func hasMember(_ member: String, in type: hid_t) -> Bool {
    do { return try HDF5.call { H5Tget_member_index(type, member) } >= 0 } catch { return false }
  }

  /// Refuses a dataset compressed by a filter that is not installed.
  func checkFilters() throws(FileError) {
    let count = min(try file.check(name) { H5Pget_nfilters(creation.id) }, Int32(Self.filtersMax))
    for index in 0..<UInt32(count) {
      var label = [CChar](repeating: 0, count: 256)
      var (flags, valueCount, configuration) = (UInt32(0), 0, UInt32(0))
      let filter = try file.check(name) {
        H5Pget_filter2(creation.id, index, &flags, &valueCount, nil, label.count, &label, &configuration)
      }
      guard try file.check(name, { H5Zfilter_avail(filter) }) == 0 else { continue }
      throw file.bad(
        "\(name) is compressed by filter \(filter) (\(String(upToNUL: label))), which is not installed; "
          + "set HDF5_PLUGIN_PATH to the folder of its plugin: pip install hdf5plugin has most of them, and "
          + "python3 -c 'import hdf5plugin; print(hdf5plugin.PLUGIN_PATH)' prints the folder"
      )
    }
  }

  /// Whether its values lie in other datasets.
  func isVirtual() throws(FileError) -> Bool {
    try file.check(name) { H5Pget_layout(creation.id).rawValue } == H5D_VIRTUAL.rawValue
  }

  /// What the sources of a virtual dataset do not have, for which libhdf5 would read zeros; refuses it where one of
  /// them is missing altogether. Nothing of any other dataset.
  func checkVirtualSources(depth: Int, shape: [Int]) throws(FileError) -> VirtualSources {
    var found = VirtualSources()
    guard try isVirtual() else { return found }
    guard depth < Self.depthMax else { throw file.bad("\(name) is a virtual dataset that refers to itself") }
    var sourceCount = 0
    _ = try file.check(name) { H5Pget_virtual_count(creation.id, &sourceCount) }
    var opened: [String: HDF5Dataset] = [:]
    for index in 0..<sourceCount {
      let source = try virtualName(index, H5Pget_virtual_filename)
      let sourceDataset = try virtualName(index, H5Pget_virtual_dsetname)
      // A name with % stands for a series of files or datasets, of which only those that exist count.
      guard !source.contains("%"), !sourceDataset.contains("%") else { continue }
      let key = "\(source)\n\(sourceDataset)"
      if opened[key] == nil {
        let sourceFile = try openVirtualSource(source)
        let path = sourceDataset.hasPrefix("/") ? sourceDataset : "/\(sourceDataset)"
        guard try sourceFile.hasDataset(path) else {
          throw file.bad(
            "\(name) takes frames from \(sourceFile.path), which has no \(path); "
              + "look whether it is the file of this scan")
        }
        opened[key] = try HDF5Dataset(sourceFile, path, depth: depth + 1)
        // Kept open, it could not be opened by the library in another way.
        found.isGrowing = found.isGrowing || sourceFile.isGrowing && sourceFile.path != file.path
      }
      guard let dataset = opened[key] else { continue }
      try found.add(try VirtualMapping(file: file, name: name, creation: creation, index: index), of: dataset)
    }
    return found
  }

  private func virtualName(_ index: Int, _ call: (hid_t, Int, UnsafeMutablePointer<CChar>?, Int) -> Int)
    throws(FileError) -> String
  {
    var buffer = [CChar](repeating: 0, count: Self.nameBytesMax)
    _ = try file.check(name) { call(creation.id, index, &buffer, buffer.count) }
    return String(upToNUL: buffer)
  }

  /// Looks where libhdf5 looks: the folders of HDF5_VDS_PREFIX, the folder of the file that holds the dataset, the name
  /// as it is.
  private func openVirtualSource(_ source: String) throws(FileError) -> HDF5File {
    if source == "." { return file }
    var holder = [CChar](repeating: 0, count: Self.nameBytesMax)
    _ = try file.check(name) { H5Fget_name(dataset.id, &holder, holder.count) }
    let folder = folderName(of: String(upToNUL: holder))
    let prefixes = getenv("HDF5_VDS_PREFIX").map { String(cString: $0).split(separator: ":").map(String.init) } ?? []
    let base = source.split(separator: "/").last.map(String.init) ?? source
    let candidates =
      source.hasPrefix("/")
      ? [source, "\(folder)/\(base)"] : (prefixes + [folder]).map { "\($0)/\(source)" } + [source]
    guard let found = candidates.first(where: { access($0, R_OK) == 0 }) else {
      throw file.bad(
        "\(name) takes frames from \(source), which is missing or unreadable; put it where the scan file is")
    }
    return try HDF5File(path: found)
  }

  /// The chunks that one step along the first axis touches, and how many steps share them; none when the dataset is not
  /// chunked.
  func layer(shape: [Int]) throws(FileError) -> (depth: Int, chunkCount: Int, byteCount: Int) {
    guard !shape.isEmpty, try file.check(name, { H5Pget_layout(creation.id).rawValue }) == H5D_CHUNKED.rawValue else {
      return (0, 0, 0)
    }
    var chunk = [hsize_t](repeating: 1, count: HDF5Dataset.rankMax)
    _ = try file.check(name) { H5Pget_chunk(creation.id, Int32(HDF5Dataset.rankMax), &chunk) }
    let type = try file.handle(name) { H5Dget_type(dataset.id) }
    let elementBytes = try file.check(name) { Int(H5Tget_size(type.id)) }
    let chunkBytes = chunk.reduce(Double(elementBytes)) { $0 * Double($1) }
    let chunkCount = shape.indices.dropFirst().reduce(1.0) { $0 * (Double(shape[$1]) / Double(chunk[$1])).rounded(.up) }
    return (Int(clamping: chunk[0]), Int(min(chunkCount, 1e15)), Int(min(chunkCount * chunkBytes, 1e15)))
  }
}
