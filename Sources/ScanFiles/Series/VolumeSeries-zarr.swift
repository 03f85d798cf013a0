import Foundation
import Glibc
package import Host

extension VolumeSeries {
  /// Makes one OME-Zarr folder of the volumes' own, with time as its first axis, out of the same chunks: they become
  /// other names of the same files where the file system has that, and copies elsewhere.
  ///
  /// Hidden until it is complete; what a process that was killed has left of it is made anew. One that is there with
  /// the first of these volumes gets the others: readers find them when all of their chunks are there.
  /// - Throws: `.badData` where the volumes were not written alike; `.cannotCreate`, `.full` or `.io`.
  package func writeZarr(to path: String) throws(FileError) {
    let path = absolutePath(path), folder = folderName(of: path)
    if access(path, F_OK) == 0 { return try lengthen(path) }
    let partial = "\(folder)/.slipring-\(path.dropFirst(folder.utf8.count + 1)).partial"
    try Self.remove(partial)
    do throws(FileError) {
      try writeMetadata(partial)
      for (time, volume) in volumes.enumerated() { try linkChunks(of: volume, time, into: partial) }
      guard rename(partial, path) == 0 else { throw .writing(path, errno) }
      try Self.sync(folder)
    } catch {
      try Self.remove(partial)
      throw error
    }
  }

  /// Adds those volumes that a folder does not have.
  private func lengthen(_ path: String) throws(FileError) {
    let count = try Self.count(path)
    guard count < volumes.count else { return }
    for time in count..<volumes.count { try linkChunks(of: volumes[time], time, into: path) }
    try writeMetadata(path)
  }

  /// Volumes that a folder has for certain: a process may have been killed between the lengths of two levels.
  private static func count(_ path: String) throws(FileError) -> Int {
    var counts: [Int] = []
    for name in try files(below: path) where isMetadata(name) {
      let file = "\(path)/\(name)"
      guard let data = FileManager.default.contents(atPath: file),
        let object = (try? JSONSerialization.jsonObject(with: data)) as? [String: Any]
      else { throw .badData(path: file, reason: "it is no metadata of a volume") }
      if let shape = object["shape"] as? [Any], let count = shape.first as? Int { counts.append(count) }
    }
    return counts.min() ?? 0
  }

  private func writeMetadata(_ target: String) throws(FileError) {
    let first = volumes[0]
    let files = try Self.files(below: first)
    for name in files.sorted() where Self.isMetadata(name) {
      let bytes = try lengthened(name, first)
      for other in volumes.dropFirst() where name != Self.root(files) {
        guard FileManager.default.contentsEqual(atPath: "\(first)/\(name)", andPath: "\(other)/\(name)") else {
          throw .badData(path: "\(other)/\(name)", reason: "it was written otherwise than in the first volume")
        }
      }
      try Self.makeFolder(of: "\(target)/\(name)")
      try writeFileAtomically(path: "\(target)/\(name)", bytes: bytes)
    }
  }

  private func linkChunks(of volume: String, _ time: Int, into partial: String) throws(FileError) {
    var folders: Set<String> = []
    for name in try Self.files(below: volume).sorted() where !Self.isMetadata(name) {
      var parts = name.split(separator: "/").map(String.init)
      // level/c/z/y/x in Zarr 3, level/z/y/x in Zarr 2.
      let place = parts.count == 5 && parts[1] == "c" ? 2 : 1
      guard parts.count == place + 3, parts[place...].allSatisfy({ Int($0) != nil }) else {
        throw .badData(path: "\(volume)/\(name)", reason: "it is no chunk of a volume")
      }
      parts.insert("\(time)", at: place)
      let target = "\(partial)/\(parts.joined(separator: "/"))"
      if folders.insert(folderName(of: target)).inserted { try Self.makeFolder(of: target) }
      try Self.share("\(volume)/\(name)", target)
    }
    for folder in folders.sorted() { try Self.sync(folder) }
  }

  /// Another name for a file, or a copy of it.
  private static func share(_ source: String, _ target: String) throws(FileError) {
    // What is there is of a process that was killed before anybody could find it.
    if link(source, target) == 0 || errno == EEXIST && unlink(target) == 0 && link(source, target) == 0 { return }
    guard [EXDEV, EPERM, EMLINK, EOPNOTSUPP, ENOSYS].contains(errno) else { throw .writing(target, errno) }
    guard let data = FileManager.default.contents(atPath: source) else { throw .writing(target, EIO) }
    try writeFileAtomically(path: target, bytes: Array(data))
  }

  // MARK: Metadata

  private static func isMetadata(_ name: String) -> Bool {
    ["zarr.json", ".zarray", ".zattrs", ".zgroup"].contains(name.split(separator: "/").last.map(String.init) ?? "")
  }

  /// The file with the multiscales, which has the volume's name and facts of its own run.
  private static func root(_ files: Set<String>) -> String { files.contains("zarr.json") ? "zarr.json" : ".zattrs" }

  /// A metadata file of the first volume with time as its first axis.
  private func lengthened(_ name: String, _ volume: String) throws(FileError) -> [UInt8] {
    let path = "\(volume)/\(name)"
    guard let data = FileManager.default.contents(atPath: path),
      var object = (try? JSONSerialization.jsonObject(with: data)) as? [String: Any]
    else { throw .badData(path: path, reason: "it is no metadata of a volume") }
    func prepend(_ value: Any, _ key: String, in object: inout [String: Any]) {
      if let list = object[key] as? [Any] { object[key] = [value] + list }
    }
    prepend(volumes.count, "shape", in: &object)
    prepend(1, "chunks", in: &object)
    prepend("t", "dimension_names", in: &object)
    if var grid = object["chunk_grid"] as? [String: Any], var shape = grid["configuration"] as? [String: Any] {
      prepend(1, "chunk_shape", in: &shape)
      grid["configuration"] = shape
      object["chunk_grid"] = grid
    }
    if var attributes = object["attributes"] as? [String: Any], var ome = attributes["ome"] as? [String: Any] {
      try lengthenScales(in: &ome, path)
      attributes["ome"] = ome
      object["attributes"] = attributes
    } else {
      try lengthenScales(in: &object, path)
    }
    do {
      let options: JSONSerialization.WritingOptions = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
      return Array(try JSONSerialization.data(withJSONObject: object, options: options))
    } catch { throw .badData(path: path, reason: "it is no metadata of a volume") }
  }

  private func lengthenScales(in object: inout [String: Any], _ path: String) throws(FileError) {
    guard let scales = object["multiscales"] else { return }
    guard var scales = scales as? [[String: Any]], scales.count == 1,
      let axes = scales[0]["axes"] as? [Any], let datasets = scales[0]["datasets"] as? [[String: Any]]
    else { throw .badData(path: path, reason: "it is no metadata of a volume") }
    scales[0]["axes"] = [["name": "t", "type": "time"]] + axes
    scales[0]["datasets"] = datasets.map { dataset in
      var dataset = dataset
      dataset["coordinateTransformations"] = (dataset["coordinateTransformations"] as? [[String: Any]])?.map { step in
        var step = step
        if let scale = step["scale"] as? [Any] { step["scale"] = [1] + scale }
        if let origin = step["translation"] as? [Any] { step["translation"] = [0] + origin }
        return step
      }
      return dataset
    }
    object["multiscales"] = scales
  }

  // MARK: Files

  /// Regular files below a folder, by their paths in it.
  private static func files(below folder: String) throws(FileError) -> Set<String> {
    do {
      let names = try FileManager.default.subpathsOfDirectory(atPath: folder)
      return Set(
        names.filter { name in
          var isFolder: ObjCBool = false
          return FileManager.default.fileExists(atPath: "\(folder)/\(name)", isDirectory: &isFolder)
            && !isFolder.boolValue
        })
    } catch { throw .cannotOpen(path: folder, reason: error.localizedDescription) }
  }

  private static func makeFolder(of path: String) throws(FileError) {
    let folder = folderName(of: path)
    do throws(HostError) { try DurableFolder.make(folder, for: .usual) } catch {
      throw .cannotCreate(path: folder, reason: "\(error)")
    }
  }

  private static func sync(_ path: String) throws(FileError) {
    do throws(HostError) { try DurableFolder(path).sync() } catch { throw .io(path: path, reason: "\(error)") }
  }

  private static func remove(_ path: String) throws(FileError) {
    do { try FileManager.default.removeItem(atPath: path) } catch CocoaError.fileNoSuchFile { return } catch {
      throw .io(path: path, reason: "it cannot be removed; remove it, or choose another output folder")
    }
  }
}
