import CHDF5
import Host

// Groups, attributes and links of a file that is being written; everything by its path.
extension HDF5OutputFile {
  /// Whether there is something at `path`.
  func has(_ path: String) throws(FileError) -> Bool {
    try doing("look for \(path)") { () throws(HDF5.Failure) in
      var prefix = ""
      for component in path.split(separator: "/") {
        prefix += "/\(component)"
        let link = prefix
        guard try HDF5.call({ H5Lexists(id, link, 0) }) > 0 else { return false }
      }
      return true
    }
  }

  /// Creates a group of a NeXus class, and the groups it is in. One that is there stays as it is, but gets a class
  /// where it has none.
  func createGroup(_ path: String, class name: String?) throws(FileError) {
    if try !has(path) {
      try doing("create \(path)") { () throws(HDF5.Failure) in
        let links = try Self.linksToNewGroups()
        _ = try HDF5Handle { H5Gcreate2(id, path, links.id, 0, 0) }
      }
    }
    guard let name, try !hasAttribute("NX_class", of: path) else { return }
    try setAttribute("NX_class", name, of: path)
  }

  /// Creates a dataset that holds one text, where there is nothing of that name.
  func createTextIfMissing(_ path: String, _ text: String) throws(FileError) {
    if try !has(path) { try createText(path, text) }
  }

  /// Creates a list of numbers, or without a shape one number, with its unit.
  func createNumbers(_ path: String, _ numbers: [Double], shape: [Int], units: String) throws(FileError) {
    let dataset = try createDataset(path, type: chdf5_double_le, shape: shape)
    try dataset.write(numbers)
    try dataset.setAttribute("units", units)
  }

  /// Gives the object at `target` another name, with the groups that it is in.
  func createLink(_ path: String, to target: String) throws(FileError) {
    try doing("create \(path)") { () throws(HDF5.Failure) in
      let links = try Self.linksToNewGroups()
      _ = try HDF5.call { H5Lcreate_hard(id, target, id, path, links.id, 0) }
    }
  }

  /// Takes a name away, where it is there; the object stays as long as it has another.
  func removeLink(_ path: String) throws(FileError) {
    guard try has(path) else { return }
    try doing("remove \(path)") { () throws(HDF5.Failure) in _ = try HDF5.call { H5Ldelete(id, path, 0) } }
  }

  /// Whether the object at `path` has an attribute of that name.
  func hasAttribute(_ attribute: String, of path: String) throws(FileError) -> Bool {
    try doing("look for attributes of \(path)") { () throws(HDF5.Failure) in
      try HDF5.call { H5Aexists_by_name(id, path, attribute, 0) } > 0
    }
  }

  /// Adds a text attribute to the object at `path`.
  func setAttribute(_ attribute: String, _ text: String, of path: String) throws(FileError) {
    try addAttribute(attribute, of: path, count: nil, type: chdf5_string_type) { object, type throws(HDF5.Failure) in
      _ = try withPointer(to: text) { pointer throws(HDF5.Failure) in
        try HDF5.call { H5Awrite(object, type, pointer) }
      }
    }
  }

  /// Adds a list of texts.
  func setAttribute(_ attribute: String, texts: [String], of path: String) throws(FileError) {
    var bytes = texts.map { $0.utf8CString }
    try addAttribute(attribute, of: path, count: texts.count, type: chdf5_string_type) {
      object, type throws(HDF5.Failure) in
      let copies = bytes.indices.map { index in
        bytes[index].withUnsafeMutableBufferPointer { text in
          let copy = UnsafeMutablePointer<CChar>.allocate(capacity: text.count)
          copy.update(from: text.baseAddress!, count: text.count)
          return copy
        }
      }
      defer { for copy in copies { copy.deallocate() } }
      _ = try HDF5.call { H5Awrite(object, type, copies) }
    }
  }

  /// Adds a list of numbers.
  func setAttribute(_ attribute: String, numbers: [Double], of path: String) throws(FileError) {
    try addAttribute(attribute, of: path, count: numbers.count, type: { H5Tcopy(chdf5_double_le()) }) {
      object, _ throws(HDF5.Failure) in
      _ = try HDF5.call { H5Awrite(object, chdf5_native_double(), numbers) }
    }
  }

  /// Of so many elements; nil for one that is no list.
  private func addAttribute(
    _ attribute: String, of path: String, count: Int?, type: () -> hid_t,
    write: (_ attribute: hid_t, _ type: hid_t) throws(HDF5.Failure) -> Void
  ) throws(FileError) {
    try doing("write attribute \(attribute) of \(path)") { () throws(HDF5.Failure) in
      let extents = [hsize_t(count ?? 0)]
      let space = try HDF5Handle { count == nil ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, extents, nil) }
      // Texts are of variable length: a fixed one is limited to 64 KB.
      let type = try HDF5Handle(type)
      let holder = try HDF5Handle { H5Oopen(id, path, 0) }
      let object = try HDF5Handle { H5Acreate2(holder.id, attribute, type.id, space.id, 0, 0) }
      try write(object.id, type.id)
    }
  }
}
