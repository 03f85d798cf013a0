import Foundation
import Glibc
import Host
import TestSupport
import Testing

@testable import ScanFiles

/// What the file of a volume says beside the voxels.
@Suite struct VolumeNexusTests {
  private let folder: TestFolder

  init() throws { folder = try TestFolder() }

  /// A volume of two slices of 3 × 3.
  @discardableResult
  private func write(_ about: VolumeDescription, compresses: Bool = false, as name: String = "volume.h5") throws
    -> HDF5File
  {
    let writer = try VolumeHDF5Writer(
      path: folder.file(name), slices: 2, columns: 3, attributes: ["units": "1/mm"], about: about,
      compresses: compresses)
    for z in 0..<2 {
      try (0..<9).map { Float(z * 9 + $0) }.withUnsafeBufferPointer { try writer.write(slice: $0, at: z) }
    }
    try writer.finish()
    return try HDF5File(path: folder.file(name))
  }

  private var about: VolumeDescription {
    var about = VolumeDescription()
    (about.name, about.firstSlice, about.voxelSizeMillimetres, about.rotationAxis) = ("foam", 7, 0.005, 31.25)
    (about.source, about.date) = ("/scans/foam.h5", "2026-01-02T03:04:05Z")
    about.options = ["final-iterations": "20", "binning": "1"]
    return about
  }

  @Test func `A volume is the default data of an entry that follows NXtomoproc`() throws {
    let file = try write(about)
    #expect(try file.text(ofAttribute: "default", of: "/") == "entry")
    #expect(try file.text(ofAttribute: "creator", of: "/") == "Slipring \(programVersion)")
    #expect(try file.text(ofAttribute: "default", of: "/entry") == "data")
    #expect(try file.text(ofAttribute: "signal", of: "/entry/data") == "data")
    for (group, name) in [
      ("/entry", "NXentry"), ("/entry/data", "NXdata"), ("/entry/sample", "NXsample"),
      ("/entry/instrument", "NXinstrument"), ("/entry/instrument/source", "NXsource"),
      ("/entry/reconstruction", "NXprocess"), ("/entry/reconstruction/parameters", "NXparameters"),
    ] { #expect(try file.text(ofAttribute: "NX_class", of: group) == name, "\(group)") }
    for (dataset, text) in [
      ("definition", "NXtomoproc"), ("title", "foam"), ("sample/name", "foam"), ("instrument/source/probe", "x-ray"),
      ("reconstruction/program", "Slipring"), ("reconstruction/version", programVersion),
      ("reconstruction/date", "2026-01-02T03:04:05Z"), ("reconstruction/parameters/raw_file", "/scans/foam.h5"),
      ("reconstruction/parameters/final_iterations", "20"), ("reconstruction/parameters/binning", "1"),
    ] { #expect(try file.text(ofDataset: "/entry/\(dataset)") == text, "\(dataset)") }
    #expect(try file.numbers("/entry/reconstruction/parameters/rotation_axis") == [31.25])
    #expect(try file.numbers("/entry/data/data") == (0..<18).map(Double.init))
    #expect(try file.numbers("/entry/data/z") == [35, 40])
    #expect(try file.numbers("/entry/data/x") == [-5, 0, 5] && file.numbers("/entry/data/y") == [-5, 0, 5])
    #expect(try file.text(ofAttribute: "units", of: "/entry/data/z") == "um")
    #expect(try file.text(ofAttribute: "voxel_size", of: "/exchange/data") == "5.0 um")
  }

  @Test func `Where nobody knows how large a voxel is, positions are in pixels`() throws {
    var about = about
    about.voxelSizeMillimetres = nil
    let file = try write(about)
    #expect(try file.numbers("/entry/data/z") == [7, 8] && file.numbers("/entry/data/y") == [-1, 0, 1])
    #expect(try file.text(ofAttribute: "units", of: "/entry/data/x") == "pixel")
  }

  @Test func `Equal volumes make equal files whenever they are written, compressed or not`() throws {
    try makeScan()
    var about = about
    about.metadata = folder.file("metadata.h5")
    #expect(try ScanMetadata.write(of: folder.file("scan.h5"), thetas: [0, 1], to: folder.file("metadata.h5")) == 0)
    for compresses in [false, true] { try write(about, compresses: compresses, as: "first\(compresses)") }
    // libhdf5's times are in seconds.
    usleep(1_100_000)
    for compresses in [false, true] {
      try write(about, compresses: compresses, as: "second\(compresses)")
      let files = ["first", "second"].map { FileManager.default.contents(atPath: folder.file("\($0)\(compresses)")) }
      #expect(files[0] != nil && files[0] == files[1])
      #expect(try HDF5File(path: folder.file("second\(compresses)")).numbers("/exchange/data")[17] == 17)
    }
  }

  /// A DXchange scan that says something of its measurement.
  private func makeScan() throws {
    try makeDXchange(folder.file("scan.h5")) { file in
      try file.addText("/measurement/sample/name", "Tooth")
      try file.add("/measurement/instrument/monochromator/energy", [1], [27.5], units: "keV")
      try file.addText("/measurement/instrument/source/name", "APS")
      try file.addText("/process/acquisition/start_date", "2026-01-01T10:00:00")
      try file.add("/measurement/large", [1 << 19], [Double](repeating: 1, count: 1 << 19))
      try file.addExternalLink("/measurement/elsewhere", to: "/data", in: "other.h5")
    }
  }

  @Test func `What a DXchange file says of its measurement is carried over, its images and links are not`() throws {
    try makeScan()
    let metadata = folder.file("metadata.h5")
    #expect(try ScanMetadata.write(of: folder.file("scan.h5"), thetas: [0, .pi / 4, .pi / 2], to: metadata) == 0)
    var about = about
    (about.metadata, about.projections) = (metadata, 2)
    let file = try write(about)
    for (dataset, text) in [
      ("/measurement/sample/name", "Tooth"), ("/entry/sample/name", "Tooth"), ("/entry/title", "Tooth"),
      ("/entry/instrument/source/name", "APS"), ("/entry/start_time", "2026-01-01T10:00:00"),
      ("/process/acquisition/start_date", "2026-01-01T10:00:00"),
    ] { #expect(try file.text(ofDataset: dataset) == text, "\(dataset)") }
    #expect(try file.numbers("/entry/instrument/monochromator/energy") == [27.5])
    #expect(try file.text(ofAttribute: "units", of: "/entry/instrument/monochromator/energy") == "keV")
    #expect(try file.text(ofAttribute: "NX_class", of: "/entry/instrument/monochromator") == "NXmonochromator")
    #expect(try file.links(in: "/measurement") == ["instrument", "sample"])
    #expect(try file.links(in: "/") == ["entry", "exchange", "measurement", "process"])
    // Of the thetas, those of the projections that came.
    #expect(try file.numbers("/entry/reconstruction/parameters/rotation_angle") == [0, 45])
    #expect(try file.numbers("/exchange/data").count == 18)
  }

  @Test func `What an NXtomo file says is carried over into the entry`() throws {
    let scan = folder.file("scan.nx"), metadata = folder.file("metadata.h5")
    let nexus = try TestHDF5(scan)
    try nexus.addText("/scan1/definition", "NXtomo")
    try nexus.addText("/scan1/title", "a foam")
    try nexus.addText("/scan1/start_time", "2026-01-01T10:00:00")
    try nexus.addText("/scan1/sample/name", "Foam 3")
    try nexus.add("/scan1/sample/rotation_angle", [2], [0, 90], units: "degree")
    try nexus.add("/scan1/instrument/source/energy", [], [3], units: "GeV")
    try nexus.add("/scan1/instrument/detector/data", [2, 3, 5])
    try nexus.add("/scan1/instrument/detector/image_key", [2], [0, 0])
    try nexus.add("/scan1/data/z", [2])
    nexus.close()
    #expect(try ScanMetadata.write(of: scan, thetas: [], to: metadata) == 0)
    var about = about
    about.metadata = metadata
    let file = try write(about)
    #expect(try file.text(ofDataset: "/entry/definition") == "NXtomoproc")
    #expect(try file.text(ofDataset: "/entry/title") == "a foam")
    #expect(try file.text(ofDataset: "/entry/start_time") == "2026-01-01T10:00:00")
    #expect(try file.text(ofDataset: "/entry/sample/name") == "Foam 3")
    #expect(try file.numbers("/entry/sample/rotation_angle") == [0, 90])
    #expect(try file.numbers("/entry/instrument/source/energy") == [3])
    #expect(try file.numbers("/entry/data/z") == [35, 40])
  }

  @Test func `What people say of a measurement takes the place of what the file says, or stands alone`() throws {
    try makeScan()
    let words = ScanMetadata.Words(sample: "A molar, ½ wet", energy: 30)
    for (number, scan) in [folder.file("scan.h5"), nil].enumerated() {
      let metadata = folder.file("metadata\(number).h5")
      #expect(try ScanMetadata.write(of: scan, thetas: [], words, to: metadata) == 0)
      var about = about
      about.metadata = metadata
      let file = try write(about, as: "volume\(number)")
      #expect(try file.text(ofDataset: "/entry/sample/name") == "A molar, ½ wet")
      #expect(try file.numbers("/entry/instrument/monochromator/energy") == [30])
      #expect(try file.text(ofAttribute: "NX_class", of: "/entry/sample") == "NXsample")
      // The file's own words stay where they were.
      if scan != nil { #expect(try file.text(ofDataset: "/measurement/sample/name") == "Tooth") }
    }
  }

  @Test func `Without what the input said the volume is written all the same, and says so`() throws {
    var about = about
    about.metadata = folder.file("gone.h5")
    let file = try write(about)
    #expect(try file.text(ofAttribute: "input_metadata", of: "/")?.hasPrefix("not carried over: ") == true)
    #expect(try file.text(ofDataset: "/entry/title") == "foam")
  }
}
