package import Host

/// Volumes of one scan after each other, as one file with time as its first axis. Not to be used by several threads at
/// once.
package struct VolumeSeries {
  /// Paths of the volumes, of one shape and made alike, all below the folder that the series is written to.
  let volumes: [String]
  /// When each was measured: the number of the projection in its middle.
  let times: [Double]

  /// A series of at least one volume.
  package init(volumes: [String], times: [Double]) {
    precondition(!volumes.isEmpty && volumes.count == times.count, "\(volumes.count) volumes, \(times.count) times")
    (self.volumes, self.times) = (volumes, times)
  }

  /// Writes an HDF5 file with `/exchange/data` (t, z, y, x) f32, which refers to the volumes' own files and holds no
  /// voxel itself, and with an entry for readers of NeXus. What is known of the scan comes from the first volume.
  /// - Throws: `.badData` where the volumes have different shapes, or what reading and writing throw.
  package func writeHDF5(to path: String) throws(FileError) {
    let first = try VolumeReader(path: volumes[0]), shape = (first.slices, first.columns)
    for volume in volumes.dropFirst() {
      let reader = try VolumeReader(path: volume)
      guard (reader.slices, reader.columns) == shape, reader.datasetName == first.datasetName else {
        throw .badData(path: volume, reason: "it has another shape than the first volume of the series")
      }
    }
    let file = try HDF5OutputFile(path: path)
    do throws(FileError) {
      try describe(file)
      try file.createVirtualDataset(
        DXchange.data, of: first.datasetName,
        in: try volumes.map { name throws(FileError) in
          try relative(name, to: folderName(of: absolutePath(path)))
        }, shape: [first.slices, first.columns, first.columns])
      try link(file)
      try file.finish()
    } catch {
      file.abandon()
      throw error
    }
  }

  private func relative(_ path: String, to folder: String) throws(FileError) -> String {
    let path = absolutePath(path)
    guard path.hasPrefix("\(folder)/") else {
      throw .badData(path: path, reason: "it lies outside of \(folder), where the series is")
    }
    return String(path.dropFirst(folder.utf8.count + 1))
  }

  /// What the first volume says of the scan, and where voxels and volumes are.
  private func describe(_ file: HDF5OutputFile) throws(FileError) {
    let first = try HDF5File(path: volumes[0])
    try file.setAttribute("NX_class", "NXroot", of: "/")
    try file.setAttribute("default", "entry", of: "/")
    try file.setAttribute("creator", "Slipring \(programVersion)", of: "/")
    try file.createGroup("/entry", class: "NXentry")
    try file.setAttribute("default", "data", of: "/entry")
    // Of one volume, and not of a series.
    for name in try first.links(in: "/entry") where name != "data" && name != "definition" {
      try first.copy("/entry/\(name)", to: "/entry/\(name)", in: file)
    }
    let data = Self.nexusData
    try file.createGroup(data, class: "NXdata")
    try file.setAttribute("signal", "data", of: data)
    try file.setAttribute("axes", texts: ["t", "z", "y", "x"], of: data)
    try file.createNumbers("\(data)/t", times, shape: [times.count], units: "")
    try file.setAttribute("long_name", "projection in the middle of the volume", of: "\(data)/t")
    try file.setAttribute("t_indices", numbers: [0], of: data)
    for (index, axis) in ["z", "y", "x"].enumerated() {
      let name = "\(data)/\(axis)", centres = try first.numbers(name)
      try file.createNumbers(
        name, centres, shape: [centres.count], units: try first.text(ofAttribute: "units", of: name) ?? "")
      try file.setAttribute("\(axis)_indices", numbers: [Double(index + 1)], of: data)
    }
  }

  private func link(_ file: HDF5OutputFile) throws(FileError) {
    let first = try HDF5File(path: volumes[0])
    try file.createLink("\(Self.nexusData)/data", to: DXchange.data)
    try file.setAttribute("interpretation", "image", of: DXchange.data)
    try file.setAttribute("axes", "t:z:y:x", of: DXchange.data)
    for name in ["description", "units", "voxel_size"] {
      if let text = try first.text(ofAttribute: name, of: DXchange.data) {
        try file.setAttribute(name, text, of: DXchange.data)
      }
    }
  }

  private static let nexusData = "/entry/data"
}
