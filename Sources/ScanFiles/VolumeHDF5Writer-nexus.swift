import Host

// The same volume for readers of NeXus (NXtomoproc, manual.nexusformat.org/classes/applications/NXtomoproc.html):
//
//   / @default entry ── /entry NXentry @default data
//     definition "NXtomoproc", title, and what else the scan's file says (ScanMetadata)
//     instrument/source, sample       NXsource, NXsample
//     reconstruction NXprocess        program, version, date
//       parameters NXparameters       raw_file, rotation_axis, rotation_angle, and each option that was in effect
//     data NXdata @signal data @axes z, y, x
//       data                          /exchange/data under another name
//       z, y, x                       positions of voxel centres
extension HDF5OutputFile {
  /// Adds what describes a volume of so many slices and columns. Before the volume itself, so that it lies in front of
  /// it: what cannot be written there fails before a voxel is, and a file that is given up can be closed.
  func describe(_ about: VolumeDescription, slices: Int, columns: Int) throws(FileError) {
    var (lost, thetas): (String?, [Double]) = (nil, [])
    if let metadata = about.metadata {
      do throws(FileError) { thetas = try copyMetadata(from: metadata) } catch {
        // The volume is worth more than the words about it.
        switch error {
        case .cannotOpen(_, let reason), .badData(_, let reason): lost = reason
        default: throw error
        }
      }
    }
    thetas = about.thetas ?? thetas
    try setAttribute("NX_class", "NXroot", of: "/")
    try setAttribute("default", "entry", of: "/")
    try setAttribute("creator", "Slipring \(programVersion)", of: "/")
    if let lost { try setAttribute("input_metadata", "not carried over: \(lost)", of: "/") }
    try createGroup("/entry", class: "NXentry")
    try setAttribute("default", "data", of: "/entry")
    try createText("/entry/definition", "NXtomoproc")
    try createTextIfMissing("/entry/title", about.name)
    try describeInstrument(about)
    try describeProcess(about, thetas: thetas.prefix(about.projections ?? thetas.count).map { $0 * 180 / .pi })
    try describeAxes(about, slices: slices, columns: columns)
  }

  /// What NeXus requires and the scan's file did not have.
  private func describeInstrument(_ about: VolumeDescription) throws(FileError) {
    try createGroup("/entry/instrument", class: "NXinstrument")
    try createGroup("/entry/instrument/source", class: "NXsource")
    for field in ["name", "type"] { try createTextIfMissing("/entry/instrument/source/\(field)", "unknown") }
    try createTextIfMissing("/entry/instrument/source/probe", "x-ray")
    try createGroup("/entry/sample", class: "NXsample")
    try createTextIfMissing("/entry/sample/name", about.name)
  }

  private func describeProcess(_ about: VolumeDescription, thetas degrees: [Double]) throws(FileError) {
    let (process, parameters) = ("/entry/reconstruction", "/entry/reconstruction/parameters")
    // Where an entry that was carried over had one of this name, it goes on under it.
    try createGroup(process, class: "NXprocess")
    try createTextIfMissing("\(process)/program", "Slipring")
    try createTextIfMissing("\(process)/version", programVersion)
    if let date = about.date { try createTextIfMissing("\(process)/date", date) }
    try createGroup(parameters, class: "NXparameters")
    try createTextIfMissing("\(parameters)/raw_file", about.source)
    if let axis = about.rotationAxis, try !has("\(parameters)/rotation_axis") {
      try createNumbers("\(parameters)/rotation_axis", [axis], shape: [], units: "pixel")
    }
    if !degrees.isEmpty, try !has("\(parameters)/rotation_angle") {
      try createNumbers("\(parameters)/rotation_angle", degrees, shape: [degrees.count], units: "degree")
    }
    // A name of NeXus has no hyphen.
    for (name, text) in about.options.sorted(by: { $0.key < $1.key }) {
      try createTextIfMissing("\(parameters)/\(name.replacing("-", with: "_"))", text)
    }
  }

  private func describeAxes(_ about: VolumeDescription, slices: Int, columns: Int) throws(FileError) {
    try createGroup(Self.nexusData, class: "NXdata")
    try setAttribute("signal", "data", of: Self.nexusData)
    try setAttribute("axes", texts: ["z", "y", "x"], of: Self.nexusData)
    for (index, position) in about.positions(slices: slices, columns: columns).enumerated() {
      let axis = "\(Self.nexusData)/\(position.axis)"
      try createNumbers(axis, position.centres, shape: [position.centres.count], units: about.voxel.unit)
      try setAttribute("\(position.axis)_indices", numbers: [Double(index)], of: Self.nexusData)
    }
  }

  /// Makes `dataset`, the volume, the signal of what `describe` has made.
  func setSignal(_ dataset: String, _ about: VolumeDescription) throws(FileError) {
    let voxel = about.voxel
    try createLink("\(Self.nexusData)/data", to: dataset)
    try setAttribute("interpretation", "image", of: dataset)
    // For readers that know neither NeXus nor units.
    if about.voxelSizeMillimetres != nil {
      try setAttribute("element_size_um", numbers: [voxel.size, voxel.size, voxel.size], of: dataset)
    }
    try setAttribute("voxel_size", "\(voxel.size) \(voxel.unit)", of: dataset)
  }

  private static let nexusData = "/entry/data"
}
