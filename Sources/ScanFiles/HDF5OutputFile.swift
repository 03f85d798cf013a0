import CHDF5
import Glibc
import Host

/// An HDF5 file that is being written under a temporary name.
///
/// A full disk is met before the pixels are written (`reserve`), or else in a write. libhdf5 then still has data to
/// write when the file is closed; it fails, keeps a broken file in its tables and crashes over it at exit. So an
/// abandoned file's descriptor is first turned to memory, where the closing writes succeed and vanish.
final class HDF5OutputFile {
  let path: String
  let id: hid_t
  private var temporary: AtomicFile?
  private var datasets: [hid_t] = []

  /// The fastest: voxels have noise in their low bits, and higher levels find no more in it.
  private static let deflateLevel: UInt32 = 1
  private static let metadataBlock: hsize_t = 32 << 10
  /// Room for what is added after `reserve`: attributes and the library's own bookkeeping.
  private static let reserveMargin = 1 << 20

  /// Begins it; with `isPrivate` nobody else may read the file.
  init(path: String, isPrivate: Bool = false) throws(FileError) {
    let temporary = try AtomicFile(path: path, isPrivate: isPrivate)
    self.path = path
    do throws(HDF5.Failure) {
      let name = temporary.temporaryPath
      let access = try HDF5Handle { H5Pcreate(chdf5_file_access()) }
      _ = try HDF5.call { H5Pset_file_locking(access.id, true, true) }
      _ = try HDF5.call { H5Pset_fclose_degree(access.id, H5F_CLOSE_STRONG) }
      // All that is no pixel lies together, in front.
      _ = try HDF5.call { H5Pset_meta_block_size(access.id, Self.metadataBlock) }
      id = try HDF5.call { H5Fcreate(name, chdf5_truncate(), 0, access.id) }
      _ = try HDF5.call { chdf5_close_on_exec(id) }
    } catch {
      throw Self.failure(path, "create", error)
    }
    self.temporary = consume temporary
  }

  deinit { abandon() }

  // MARK: Contents

  /// Creates a dataset, and the groups it is in; its room in the file is allocated at once, but for one
  /// that is compressed.
  func createDataset(_ name: String, type: () -> hid_t, shape: [Int], chunk: [Int]? = nil, compresses: Bool = false)
    throws(FileError) -> HDF5OutputDataset
  {
    try doing("create \(name)") { () throws(HDF5.Failure) in
      let extents = shape.map(hsize_t.init)
      let space = try HDF5Handle { H5Screate_simple(Int32(extents.count), extents, nil) }
      let creation = try HDF5Handle { H5Pcreate(chdf5_dataset_create()) }
      let links = try Self.linksToNewGroups()
      let access = try HDF5Handle { H5Pcreate(chdf5_dataset_access()) }
      // Equal volumes make equal files.
      _ = try HDF5.call { H5Pset_obj_track_times(creation.id, false) }
      // How large a compressed chunk is shows when it is written.
      let time = compresses ? H5D_ALLOC_TIME_INCR : H5D_ALLOC_TIME_EARLY
      _ = try HDF5.call { H5Pset_alloc_time(creation.id, time) }
      _ = try HDF5.call { H5Pset_fill_time(creation.id, H5D_FILL_TIME_NEVER) }
      if let chunk {
        _ = try HDF5.call { H5Pset_chunk(creation.id, Int32(chunk.count), chunk.map(hsize_t.init)) }
        if compresses {
          _ = try HDF5.call { H5Pset_shuffle(creation.id) }
          _ = try HDF5.call { H5Pset_deflate(creation.id, Self.deflateLevel) }
        }
        // No cache: chunks are written whole, and a full disk shows in the write and not in the close.
        _ = try HDF5.call { H5Pset_chunk_cache(access.id, 1, 0, 0) }
      }
      let dataset = try HDF5.call { H5Dcreate2(id, name, type(), space.id, links.id, creation.id, access.id) }
      datasets.append(dataset)
      return HDF5OutputDataset(file: self, id: dataset, name: name, shape: shape)
    }
  }

  /// Creates a dataset that holds one text.
  func createText(_ name: String, _ text: String) throws(FileError) {
    try doing("create \(name)") { () throws(HDF5.Failure) in
      let space = try HDF5Handle { H5Screate(H5S_SCALAR) }
      let type = try HDF5Handle { chdf5_string_type() }
      let creation = try HDF5Handle { H5Pcreate(chdf5_dataset_create()) }
      let links = try Self.linksToNewGroups()
      _ = try HDF5.call { H5Pset_obj_track_times(creation.id, false) }
      let dataset = try HDF5Handle { H5Dcreate2(id, name, type.id, space.id, links.id, creation.id, 0) }
      _ = try withPointer(to: text) { pointer throws(HDF5.Failure) in
        try HDF5.call { H5Dwrite(dataset.id, type.id, 0, 0, 0, pointer) }
      }
    }
  }

  /// How a link is made whose groups are made with it.
  static func linksToNewGroups() throws(HDF5.Failure) -> HDF5Handle {
    let links = try HDF5Handle { H5Pcreate(chdf5_link_create()) }
    _ = try HDF5.call { H5Pset_create_intermediate_group(links.id, 1) }
    return links
  }

  /// Takes the disk space of everything created so far, so that a full disk is found now, where the file system can
  /// reserve.
  func reserve() throws(FileError) {
    var byteCount: hsize_t = 0
    try doing("write") { () throws(HDF5.Failure) in
      _ = try HDF5.call { H5Fflush(id, H5F_SCOPE_GLOBAL) }
      _ = try HDF5.call { H5Fget_filesize(id, &byteCount) }
    }
    let needed = off_t(byteCount) + off_t(Self.reserveMargin)
    guard let descriptor = temporary?.descriptor, chdf5_reserve(descriptor, needed) != 0 else { return }
    let code = errno
    guard code != EOPNOTSUPP, code != ENOSYS, code != EINTR else { return }
    let reason = "\((needed + (1 << 20) - 1) >> 20) MiB are needed: \(errnoText(code))"
    throw Errno(rawValue: code).isNoSpace ? .full(path: path, reason: reason) : .io(path: path, reason: reason)
  }

  /// Has the system begin to write what it holds of the file.
  func beginWriting() { temporary?.beginWriting() }

  // MARK: The end

  /// Closes the file, makes it durable and gives it its name.
  func finish() throws(FileError) {
    precondition(temporary != nil, "\(path) is finished already")
    do throws(FileError) {
      try doing("close") { () throws(HDF5.Failure) in
        for dataset in datasets { _ = try HDF5.call { H5Dclose(dataset) } }
        datasets = []
        _ = try HDF5.call { H5Fflush(id, H5F_SCOPE_GLOBAL) }
        _ = try HDF5.call { H5Fclose(id) }
      }
    } catch {
      abandon()
      throw error
    }
    guard let temporary = temporary.take() else { return }
    // Cutting the file at its end gives back what was reserved beyond it.
    var status = stat()
    guard fstat(temporary.descriptor, &status) == 0, ftruncate(temporary.descriptor, status.st_size) == 0 else {
      throw .writing(path, errno)
    }
    try temporary.commit()
  }

  /// Closes and removes the file. Afterwards, and after `finish`, it does nothing.
  func abandon() {
    guard let temporary = temporary.take() else { return }
    // Nothing of this file is wanted any more, so a failure has no consequence: the library has no exit handler to
    // stumble over it.
    do throws(HDF5.Failure) {
      _ = try HDF5.call { chdf5_divert(id) }
      for dataset in datasets { _ = try HDF5.call { H5Dclose(dataset) } }
      _ = try HDF5.call { H5Fclose(id) }
    } catch {}
    temporary.abandon()
  }

  func doing<Result>(_ what: String, _ body: () throws(HDF5.Failure) -> Result) throws(FileError) -> Result {
    precondition(temporary != nil, "\(path) is finished already")
    do { return try body() } catch { throw Self.failure(path, what, error) }
  }

  /// The library hides the system's error in a long line.
  private static func failure(_ path: String, _ what: String, _ failure: HDF5.Failure) -> FileError {
    if let found = failure.message.firstMatch(of: #/errno = (\d+)/#), let code = Int32(found.1) {
      return .writing(path, code)
    }
    return .io(path: path, reason: "libhdf5 cannot \(what): \(failure.message)")
  }
}

/// A dataset of a file that is being written; of use until that file is finished.
struct HDF5OutputDataset {
  fileprivate let file: HDF5OutputFile
  fileprivate let id: hid_t
  let name: String
  let shape: [Int]

  /// Writes element `index` of the first axis with everything below it.
  func write(_ memoryType: () -> hid_t, at index: Int, _ bytes: UnsafeRawBufferPointer) throws(FileError) {
    var (start, count) = (shape.map { _ in hsize_t(0) }, shape.map(hsize_t.init))
    (start[0], count[0]) = (hsize_t(index), 1)
    try file.doing("write \(name)") { () throws(HDF5.Failure) in
      let space = try HDF5Handle { H5Dget_space(id) }
      // Of the same rank as the file's: of another one, chunks are matched element by element, which is far slower.
      let memory = try HDF5Handle { H5Screate_simple(Int32(count.count), count, nil) }
      _ = try HDF5.call { H5Sselect_hyperslab(space.id, H5S_SELECT_SET, start, nil, count, nil) }
      _ = try HDF5.call { H5Dwrite(id, memoryType(), memory.id, space.id, 0, bytes.baseAddress) }
    }
  }

  /// Writes all of a dataset of doubles.
  func write(_ numbers: [Double]) throws(FileError) {
    precondition(numbers.count == shape.reduce(1, *), "\(name): \(numbers.count) numbers for \(shape)")
    try file.doing("write \(name)") { () throws(HDF5.Failure) in
      _ = try HDF5.call { H5Dwrite(id, chdf5_native_double(), 0, 0, 0, numbers) }
    }
  }

  /// Adds a text attribute.
  func setAttribute(_ attribute: String, _ text: String) throws(FileError) {
    try file.setAttribute(attribute, text, of: name)
  }

  /// Adds text attributes in the order of their names.
  func setAttributes(_ attributes: [String: String]) throws(FileError) {
    for (name, text) in attributes.sorted(by: { $0.key < $1.key }) { try setAttribute(name, text) }
  }
}

/// libhdf5 takes a string of variable length as the address of its address.
func withPointer<Result>(
  to text: String, _ body: (UnsafeRawPointer) throws(HDF5.Failure) -> Result
) throws(HDF5.Failure) -> Result {
  var bytes = text.utf8CString
  return try bytes.withUnsafeMutableBufferPointer { buffer throws(HDF5.Failure) in
    var address = buffer.baseAddress
    return try withUnsafePointer(to: &address) { pointer throws(HDF5.Failure) in try body(UnsafeRawPointer(pointer)) }
  }
}
