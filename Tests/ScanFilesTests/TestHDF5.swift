import CHDF5
import Glibc
import ScanFiles

/// Writes HDF5 files of any shape and fault. Closed when it goes away.
final class TestHDF5 {
  private var handle: HDF5Handle?
  private var file: hid_t { handle?.id ?? -1 }

  /// H5F_ACC_RDWR, a macro that Swift cannot import.
  private static let readWrite: UInt32 = 1

  /// With `latest` in the newest format, which others can read while it is written.
  init(_ path: String, latest: Bool = false) throws {
    let access = try HDF5Handle { H5Pcreate(chdf5_file_access()) }
    if latest { _ = try HDF5.call { H5Pset_libver_bounds(access.id, H5F_LIBVER_V110, H5F_LIBVER_V110) } }
    handle = try Self.own { H5Fcreate(path, chdf5_truncate(), 0, access.id) }
  }

  /// Opens a file to add to it.
  init(adding path: String) throws { handle = try Self.own { H5Fopen(path, Self.readWrite, 0) } }

  /// A program that another test starts meanwhile must not keep the file, and its lock, open.
  private static func own(_ open: () -> hid_t) throws -> HDF5Handle {
    let handle = try unlocked(open)
    _ = try HDF5.call { chdf5_close_on_exec(handle.id) }
    return handle
  }

  /// Between its fork and its exec a child has all descriptors, and with them the lock of a file that was closed here
  /// meanwhile; waits 2 s at the most.
  private static func unlocked(_ open: () -> hid_t) throws -> HDF5Handle {
    for _ in 1...200 {
      do throws(HDF5.Failure) { return try HDF5Handle(open) } catch {
        guard error.message.contains("unable to lock file") else { throw error }
      }
      usleep(10_000)
    }
    return try HDF5Handle(open)
  }

  /// Has everything on disk.
  func flush() throws { _ = try HDF5.call { H5Fflush(file, H5F_SCOPE_GLOBAL) } }

  /// Lets others read the file while it is written.
  func startSWMR() throws { _ = try HDF5.call { H5Fstart_swmr_write(file) } }

  /// Closes the file, so that it can be read.
  func close() { handle = nil }

  /// Adds a dataset of numbers, stored as `type`; groups on the way are made.
  func add(
    _ name: String, _ shape: [Int], _ values: [Double]? = nil, type: hid_t? = nil, units: String? = nil,
    chunk: [Int]? = nil,
    deflate: Bool = false
  ) throws {
    let extents = shape.map(hsize_t.init)
    let space = try HDF5Handle {
      shape.isEmpty ? H5Screate(H5S_SCALAR) : H5Screate_simple(Int32(shape.count), extents, nil)
    }
    let creation = try HDF5Handle { H5Pcreate(chdf5_dataset_create()) }
    if let chunk { _ = try HDF5.call { H5Pset_chunk(creation.id, Int32(chunk.count), chunk.map(hsize_t.init)) } }
    if deflate { _ = try HDF5.call { H5Pset_deflate(creation.id, 1) } }
    let dataset = try create(name, type ?? chdf5_float_le(), space.id, creation: creation.id)
    let count = shape.reduce(1, *)
    let values = values ?? (0..<count).map(Double.init)
    precondition(values.count == count)
    if count > 0 { _ = try HDF5.call { H5Dwrite(dataset.id, chdf5_native_double(), 0, 0, 0, values) } }
    if let units { try setUnits(units, of: name) }
  }

  /// Adds a dataset of a type that numbers cannot be written to; it stays empty.
  func addUnwritten(_ name: String, _ shape: [Int], type: hid_t) throws {
    let space = try HDF5Handle { H5Screate_simple(Int32(shape.count), shape.map(hsize_t.init), nil) }
    _ = try create(name, type, space.id)
  }

  /// Adds a chunked dataset that stays empty.
  func addChunked(_ name: String, _ shape: [Int], chunk: [Int]) throws {
    let space = try HDF5Handle { H5Screate_simple(Int32(shape.count), shape.map(hsize_t.init), nil) }
    let creation = try HDF5Handle { H5Pcreate(chdf5_dataset_create()) }
    _ = try HDF5.call { H5Pset_chunk(creation.id, Int32(chunk.count), chunk.map(hsize_t.init)) }
    _ = try create(name, chdf5_float_le(), space.id, creation: creation.id)
  }

  /// Adds a chunked dataset of 2-byte integers of which only some boxes are written, with 1 everywhere; the library
  /// gives `fill` for the rest.
  func addPartly(
    _ name: String, _ shape: [Int], chunk: [Int], fill: UInt16, boxes: [(start: [Int], count: [Int])]
  ) throws {
    let space = try HDF5Handle { H5Screate_simple(Int32(shape.count), shape.map(hsize_t.init), nil) }
    let creation = try HDF5Handle { H5Pcreate(chdf5_dataset_create()) }
    _ = try HDF5.call { H5Pset_chunk(creation.id, Int32(chunk.count), chunk.map(hsize_t.init)) }
    var fill = fill
    _ = try HDF5.call { H5Pset_fill_value(creation.id, chdf5_native_uint16(), &fill) }
    let dataset = try create(name, chdf5_uint16_le(), space.id, creation: creation.id)
    for (start, count) in boxes {
      let extents = count.map(hsize_t.init)
      _ = try HDF5.call {
        H5Sselect_hyperslab(space.id, H5S_SELECT_SET, start.map(hsize_t.init), nil, extents, nil)
      }
      let memory = try HDF5Handle { H5Screate_simple(Int32(extents.count), extents, nil) }
      let ones = [UInt16](repeating: 1, count: count.reduce(1, *))
      _ = try HDF5.call { H5Dwrite(dataset.id, chdf5_native_uint16(), memory.id, space.id, 0, ones) }
    }
  }

  /// Adds a dataset whose chunks would go through a filter that nobody has.
  func addWithUnknownFilter(_ name: String, _ shape: [Int]) throws {
    let space = try HDF5Handle { H5Screate_simple(Int32(shape.count), shape.map(hsize_t.init), nil) }
    let creation = try HDF5Handle { H5Pcreate(chdf5_dataset_create()) }
    _ = try HDF5.call { H5Pset_chunk(creation.id, Int32(shape.count), shape.map(hsize_t.init)) }
    _ = try HDF5.call { H5Pset_filter(creation.id, 31_999, UInt32(H5Z_FLAG_OPTIONAL), 0, nil) }
    _ = try create(name, chdf5_float_le(), space.id, creation: creation.id)
  }

  /// Adds a text of fixed length, padded with NULs.
  func addText(_ name: String, _ text: String) throws {
    let space = try HDF5Handle { H5Screate(H5S_SCALAR) }
    let type = try HDF5Handle { H5Tcreate(H5T_STRING, text.utf8.count + 3) }
    let dataset = try create(name, type.id, space.id)
    _ = try HDF5.call { H5Dwrite(dataset.id, type.id, 0, 0, 0, Array(text.utf8) + [0, 0, 0]) }
  }

  func setUnits(_ units: String, of name: String) throws { try setText("units", units, of: name) }

  /// Gives an object an attribute.
  func setText(_ attribute: String, _ text: String, of name: String) throws {
    let space = try HDF5Handle { H5Screate(H5S_SCALAR) }
    let type = try HDF5Handle { H5Tcreate(H5T_STRING, text.utf8.count) }
    let handle = try HDF5Handle { H5Acreate_by_name(file, name, attribute, type.id, space.id, 0, 0, 0) }
    _ = try HDF5.call { H5Awrite(handle.id, type.id, Array(text.utf8)) }
  }

  /// Gives an object an attribute of several numbers.
  func setNumbers(_ attribute: String, _ numbers: [Double], of name: String) throws {
    let space = try HDF5Handle { H5Screate_simple(1, [hsize_t(numbers.count)], nil) }
    let handle = try HDF5Handle {
      H5Acreate_by_name(file, name, attribute, chdf5_double_le(), space.id, 0, 0, 0)
    }
    _ = try HDF5.call { H5Awrite(handle.id, chdf5_native_double(), numbers) }
  }

  func addExternalLink(_ name: String, to target: String, in path: String) throws {
    let links = try intermediateGroups()
    _ = try HDF5.call { H5Lcreate_external(path, target, file, name, links.id, 0) }
  }

  /// Adds a virtual dataset whose frames come from `source`, a dataset of the same shape in each of the files, one
  /// after the other.
  func addVirtual(_ name: String, frames shape: [Int], from paths: [String], dataset source: String, type: hid_t) throws
  {
    let whole = [shape[0] * paths.count] + shape.dropFirst()
    let space = try HDF5Handle { H5Screate_simple(Int32(shape.count), whole.map(hsize_t.init), nil) }
    let creation = try HDF5Handle { H5Pcreate(chdf5_dataset_create()) }
    for (index, path) in paths.enumerated() {
      let part = try HDF5Handle { H5Screate_simple(Int32(shape.count), shape.map(hsize_t.init), nil) }
      let start = [hsize_t(index * shape[0])] + shape.dropFirst().map { _ in 0 }
      _ = try HDF5.call { H5Sselect_hyperslab(space.id, H5S_SELECT_SET, start, nil, shape.map(hsize_t.init), nil) }
      _ = try HDF5.call { H5Pset_virtual(creation.id, space.id, path, source, part.id) }
    }
    _ = try create(name, type, space.id, creation: creation.id)
  }

  private func create(_ name: String, _ type: hid_t, _ space: hid_t, creation: hid_t = 0) throws -> HDF5Handle {
    let links = try intermediateGroups()
    return try HDF5Handle { H5Dcreate2(file, name, type, space, links.id, creation, 0) }
  }

  private func intermediateGroups() throws -> HDF5Handle {
    let links = try HDF5Handle { H5Pcreate(chdf5_link_create()) }
    _ = try HDF5.call { H5Pset_create_intermediate_group(links.id, 1) }
    return links
  }
}

/// A type of integers in either byte order.
func integerType(byteCount: Int, isSigned: Bool, isBigEndian: Bool = false) throws -> HDF5Handle {
  let type = try HDF5Handle { H5Tcopy(isSigned ? chdf5_native_int64() : chdf5_native_uint32()) }
  _ = try HDF5.call { H5Tset_size(type.id, byteCount) }
  _ = try HDF5.call { H5Tset_order(type.id, isBigEndian ? H5T_ORDER_BE : H5T_ORDER_LE) }
  return type
}

/// A compound type with members of the given names, all doubles.
func compoundType(_ members: [String]) throws -> HDF5Handle {
  let type = try HDF5Handle { H5Tcreate(H5T_COMPOUND, members.count * 8) }
  for (index, member) in members.enumerated() {
    _ = try HDF5.call { H5Tinsert(type.id, member, index * 8, chdf5_native_double()) }
  }
  return type
}

/// A DXchange file of 4 projections of 3 × 5, its parts to be replaced by what a test is about.
func makeDXchange(
  _ path: String, thetas: [Double]? = [0, 45, 90, 135], units: String? = nil,
  _ more: (TestHDF5) throws -> Void = { _ in }
) throws {
  let file = try TestHDF5(path)
  try file.add("/exchange/data", [4, 3, 5])
  if let thetas { try file.add("/exchange/theta", [thetas.count], thetas, type: chdf5_double_le(), units: units) }
  try more(file)
}
