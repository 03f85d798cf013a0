package import Host

/// A volume in an HDF5 file, read one slice at a time. Not to be used by several threads at once.
package final class VolumeReader {
  /// The file.
  let path: String
  /// The dataset that the slices come from: `/exchange/data`, `/volume`, `/data`, or the only dataset of rank 3 in the
  /// file.
  package let datasetName: String
  /// Slices (z); at least 1.
  package let slices: Int
  /// Columns of a slice, which has as many rows; at least 1.
  package let columns: Int

  let dataset: HDF5Dataset

  private static let usualNames = ["/exchange/data", "/volume", "/data"]
  private static let groupsMax = 1_000

  /// Opens the file and finds the volume in it.
  /// - Throws: `.cannotOpen`, or `.badData` when there is no volume (z, y, x) of numbers with square slices.
  package init(path: String) throws(FileError) {
    let file = try HDF5File(path: path)
    let name =
      if let usual = try file.firstDataset(of: Self.usualNames) { usual } else { try Self.onlyVolume(of: file) }
    let dataset = try HDF5Dataset(file, name)
    try checkIsStack(dataset, axes: "z, y, x")
    guard dataset.shape[1] == dataset.shape[2] else {
      throw file.bad("\(dataset.name) is \(dataset.shapeText), and its slices have to be square (z, y, x with y = x)")
    }
    self.path = path
    self.dataset = dataset
    datasetName = dataset.name
    slices = dataset.shape[0]
    columns = dataset.shape[1]
  }

  /// Reads slice `z`, columns × columns values, row 0 on top.
  /// - Throws: `.badData` when the file turns out to be damaged.
  package func readSlice(_ z: Int, into slice: UnsafeMutableBufferPointer<Float>) throws(FileError) {
    precondition(0..<slices ~= z, "slice \(z) of \(slices)")
    try dataset.read(start: [z, 0, 0], count: [1, columns, columns], into: slice)
  }

  private static func onlyVolume(of file: HDF5File) throws(FileError) -> String {
    var found: [String] = []
    var groups = ["/"]
    var visited = 0
    while let group = groups.popLast(), visited < groupsMax {
      visited += 1
      for link in try file.links(in: group) {
        let name = group == "/" ? "/\(link)" : "\(group)/\(link)"
        switch try file.kind(of: name) {
        case .group: groups.append(name)
        case .dataset where try file.rank(of: name) == 3: found.append(name)
        default: continue
        }
      }
    }
    guard let name = found.first else {
      throw file.bad("it has no volume: neither \(usualNames.joined(separator: ", ")) nor any other dataset of rank 3")
    }
    guard found.count == 1 else {
      throw file.bad(
        "it has several datasets of rank 3 (\(found.prefix(4).joined(separator: ", "))); "
          + "name the volume \(usualNames[1])"
      )
    }
    return name
  }
}
