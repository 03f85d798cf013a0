import CHDF5
import Glibc
import Host

/// An HDF5 file open for reading. Failures name the file, the object and the library's reason.
final class HDF5File {
  enum HDF5Kind { case group, dataset, other }

  let path: String
  private let handle: HDF5Handle
  /// The file's identifier. Only inside `HDF5.call`.
  var id: hid_t { handle.id }

  /// Lists of numbers (thetas, keys) longer than this are not read: nothing that long is a scan.
  private static let numbersMax = 1 << 26
  private static let linksMax = 10_000

  /// Whether somebody is writing the file, or never closed it.
  let isGrowing: Bool

  /// Opens the file. One that somebody is writing is read as it is: with SWMR as its writer lets it be read, without
  /// that as far as it is on disk.
  init(path: String) throws(FileError) {
    try Self.checkIsReadableFile(path)
    self.path = path
    do throws(HDF5.Failure) {
      let signature = try HDF5.call { H5Fis_hdf5(path) }
      guard signature > 0 else { throw HDF5.Failure(message: "it is not an HDF5 file") }
      var isGrowing = false
      let handle = try Self.openToRead(path, &isGrowing)
      _ = try HDF5.call { chdf5_close_on_exec(handle.id) }
      self.isGrowing = isGrowing
      self.handle = handle
    } catch {
      throw .badData(path: path, reason: Self.words(error.message))
    }
  }

  /// Bytes that the file has, or had when somebody in this process opened it first: the library does not look again.
  var byteCount: Int {
    get throws(FileError) {
      var size: hsize_t = 0
      do throws(HDF5.Failure) { _ = try HDF5.call { H5Fget_filesize(id, &size) } } catch { throw bad(error.message) }
      return Int(clamping: size)
    }
  }

  private static func openToRead(_ path: String, _ isGrowing: inout Bool) throws(HDF5.Failure) -> HDF5Handle {
    let first: HDF5.Failure
    do throws(HDF5.Failure) {
      let file = try openFile(path, chdf5_read_only(), locks: true)
      // Where this process has it open already, as a file that is being written.
      var intent: UInt32 = 0
      _ = try HDF5.call { H5Fget_intent(file.id, &intent) }
      isGrowing = intent & (chdf5_read_concurrently() & ~chdf5_read_only()) != 0
      return file
    } catch { first = error }
    // The third is said where this process has it open without a lock.
    let isLocked = ["unable to lock file", "file locking flag"].contains { first.message.contains($0) }
    let isMarked = first.message.contains("already open for write")
    guard isMarked || isLocked else { throw first }
    isGrowing = true
    do throws(HDF5.Failure) {
      return try openFile(path, isMarked ? chdf5_read_concurrently() : chdf5_read_only(), locks: isMarked)
    } catch {
      // Why it is not read at first is what can be mended.
      throw first
    }
  }

  private static func openFile(_ path: String, _ flags: UInt32, locks: Bool) throws(HDF5.Failure) -> HDF5Handle {
    let access = try HDF5Handle { H5Pcreate(chdf5_file_access()) }
    // Locks tell of a file that is being written; file systems that have no locks are no reason to refuse.
    _ = try HDF5.call { H5Pset_file_locking(access.id, locks, true) }
    return try HDF5Handle { H5Fopen(path, flags, access.id) }
  }

  /// What the library says of a file that it does not open, for people.
  private static func words(_ message: String) -> String {
    if message.contains("already open for write") || message.contains("unable to lock file") {
      return "another program is writing it, and not so that it can be read meanwhile (SWMR); wait until it is closed. "
        + "If no program has it open any more, its writer died: h5clear -s makes a copy of it readable"
    }
    if message.contains("bad version number") {
      return "it is written in a newer format of HDF5 than is read here (1.10); h5repack --high=v110 of a newer HDF5 "
        + "makes a copy that is (\(message))"
    }
    if message.contains("truncated file") { return "it is cut short, or was not copied to its end (\(message))" }
    return message
  }

  private static func checkIsReadableFile(_ path: String) throws(FileError) {
    // Non-blocking, so that a FIFO is refused rather than waited for.
    let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else { throw .cannotOpen(path: path, reason: errnoText(errno)) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw .cannotOpen(path: path, reason: errnoText(errno)) }
    switch status.st_mode & S_IFMT {
    case S_IFREG: return
    case S_IFDIR: throw .cannotOpen(path: path, reason: "it is a folder; name the scan file in it")
    default: throw .cannotOpen(path: path, reason: "it is not a file")
    }
  }

  /// Makes a call on this file; a failure names `what`.
  func check<Result: SignedInteger & Sendable>(_ what: String, _ body: () -> Result) throws(FileError) -> Result {
    do { return try HDF5.call(body) } catch { throw bad("\(what): \(Self.words(error.message))") }
  }

  /// Takes a handle of this file; a failure names `what`.
  func handle(_ what: String, _ body: () -> hid_t) throws(FileError) -> HDF5Handle {
    do { return try HDF5Handle(body) } catch { throw bad("\(what): \(Self.words(error.message))") }
  }

  /// An error about what is in this file.
  func bad(_ reason: String) -> FileError { .badData(path: path, reason: reason) }

  // MARK: Objects

  /// What is at the absolute path `name`, or nil when nothing is.
  ///
  /// A link that is there and leads nowhere (a missing external file, say) is an error that names it.
  func kind(of name: String) throws(FileError) -> HDF5Kind? {
    var prefix = ""
    var kind = HDF5Kind.group
    for component in name.split(separator: "/") {
      guard kind == .group else { return nil }
      prefix += "/\(component)"
      let link = prefix
      guard try check(link, { H5Lexists(handle.id, link, 0) }) > 0 else { return nil }
      let object = try handle("\(link) is a link that leads nowhere") { H5Oopen(handle.id, link, 0) }
      kind =
        switch try check(link, { H5Iget_type(object.id).rawValue }) {
        case H5I_GROUP.rawValue: .group
        case H5I_DATASET.rawValue: .dataset
        default: .other
        }
    }
    return kind
  }

  /// Whether there is a dataset at the absolute path `name`.
  func hasDataset(_ name: String) throws(FileError) -> Bool { try kind(of: name) == .dataset }

  /// The first of `names` that is a dataset.
  func firstDataset(of names: [String]) throws(FileError) -> String? {
    for name in names where try hasDataset(name) { return name }
    return nil
  }

  /// Opens the dataset at `name`.
  func openObject(_ name: String, access: hid_t = 0) throws(FileError) -> HDF5Handle {
    try handle(name) { H5Dopen2(handle.id, name, access) }
  }

  /// The rank of the dataset at `name`, whatever it holds.
  func rank(of name: String) throws(FileError) -> Int {
    let dataset = try openObject(name)
    let space = try handle(name) { H5Dget_space(dataset.id) }
    return Int(try check(name) { H5Sget_simple_extent_ndims(space.id) })
  }

  /// The names of the links in a group, in the order of their names; at most the first 10,000.
  func links(in group: String) throws(FileError) -> [String] {
    let object = try handle(group) { H5Gopen2(handle.id, group, 0) }
    var info = H5G_info_t()
    _ = try check(group) { H5Gget_info(object.id, &info) }
    var names: [String] = []
    for index in 0..<min(info.nlinks, hsize_t(Self.linksMax)) {
      let length = try check(group) { H5Lget_name_by_idx(object.id, ".", H5_INDEX_NAME, H5_ITER_INC, index, nil, 0, 0) }
      var name = [CChar](repeating: 0, count: length + 1)
      _ = try check(group) {
        H5Lget_name_by_idx(object.id, ".", H5_INDEX_NAME, H5_ITER_INC, index, &name, name.count, 0)
      }
      names.append(String(upToNUL: name))
    }
    return names
  }

  // MARK: Small datasets

  /// All numbers of a dataset, in storage order.
  func numbers(_ name: String) throws(FileError) -> [Double] {
    let dataset = try HDF5Dataset(self, name)
    let count = dataset.shape.reduce(1.0) { $0 * Double($1) }
    guard count <= Double(Self.numbersMax) else { throw bad("\(name) is too long a list (\(dataset.shapeText))") }
    return try dataset.readAll()
  }

  /// The text in a string dataset, or nil when it holds something else.
  func text(ofDataset name: String) throws(FileError) -> String? {
    let dataset = try openObject(name)
    let type = try handle(name) { H5Dget_type(dataset.id) }
    let space = try handle(name) { H5Dget_space(dataset.id) }
    return try HDF5Text(file: self, name: name).read(type: type, space: space) { H5Dread(dataset.id, $0, 0, 0, 0, $1) }
  }

  /// The text in an attribute, or nil when there is no such attribute or it holds something else.
  func text(ofAttribute attribute: String, of name: String) throws(FileError) -> String? {
    let label = "attribute \(attribute) of \(name)"
    guard try check(label, { H5Aexists_by_name(handle.id, name, attribute, 0) }) > 0 else { return nil }
    let object = try handle(label) { H5Aopen_by_name(handle.id, name, attribute, 0, 0) }
    let type = try handle(label) { H5Aget_type(object.id) }
    let space = try handle(label) { H5Aget_space(object.id) }
    return try HDF5Text(file: self, name: label).read(type: type, space: space) { H5Aread(object.id, $0, $1) }
  }
}
