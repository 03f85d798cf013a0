import CHDF5
import ScanFiles
import TestSupport
import Testing

/// Which of a file's scans, detectors and datasets are read.
@Suite struct ScanSelectionTests {
  let folder: TestFolder
  let path: String
  private let keys: [Double] = [2, 1, 0, 0]

  init() throws {
    folder = try TestFolder()
    path = folder.file("scan.nxs")
  }

  /// Four frames of 2 × 3 in an entry, whose pixels begin at `first`.
  private func add(_ file: TestHDF5, _ entry: String, first: Double, detector: String = "detector") throws {
    try file.addText("\(entry)/definition", "NXtomo")
    let group = "\(entry)/instrument/\(detector)"
    try file.add("\(group)/data", [4, 2, 3], (0..<24).map { first + Double($0) })
    try file.add("\(group)/image_key", [4], keys)
    try file.add("\(entry)/sample/rotation_angle", [4], [0, 0, first, first + 90], units: "deg")
  }

  private func first(_ selection: ScanSelection = ScanSelection()) throws -> Double {
    try openScan(path: path, selection: selection).values(.projection, 0)[0]
  }

  private func selection(_ change: (inout ScanSelection) -> Void) -> ScanSelection {
    var selection = ScanSelection()
    change(&selection)
    return selection
  }

  @Test func `Of several entries the default is taken, else the first, and the others are named`() throws {
    let file = try TestHDF5(path)
    try add(file, "/entry0000", first: 0)
    try add(file, "/entry0001", first: 100)
    let notices = try openScan(path: path).info.notices
    #expect(try first() == 12)
    #expect(
      notices.contains {
        $0.contains("entry0000 is taken, the first") && $0.contains("--entry takes another: entry0001")
      })
    try file.setText("default", "entry0001", of: "/")
    #expect(try first() == 112)
    #expect(try openScan(path: path).info.notices.contains { $0.contains("entry0001 is taken, its default") })
    for name in ["entry0000", "/entry0000/"] { #expect(try first(selection { $0.entry = name }) == 12) }
    expectFailure(65, "no scan entry7", "--entry", "entry0001, entry0000") {
      _ = try openScan(path: path, selection: selection { $0.entry = "entry7" })
    }
  }

  @Test func `A default that is above the entry, or an attribute as definition, is understood`() throws {
    let file = try TestHDF5(path)
    try add(file, "/a/tomo", first: 0)
    try add(file, "/b/tomo", first: 100)
    try file.setText("default", "b", of: "/")
    #expect(try first() == 112)
    let other = folder.file("attribute.nxs")
    let plain = try TestHDF5(other)
    try plain.add("/scan/instrument/detector/data", [2, 2, 3])
    try plain.add("/scan/sample/rotation_angle", [2], [0, 90], units: "deg")
    try plain.setText("definition", "NXtomo", of: "/scan")
    #expect(try openScan(path: other).info.projectionCount == 2)
  }

  @Test func `A second exchange group is taken by its name`() throws {
    try makeDXchange(path) {
      try $0.add("/exchange_1/data", [4, 3, 5], (0..<60).map { 500 + Double($0) })
      try $0.add("/exchange_1/theta", [4], [0, 30, 60, 90], type: chdf5_double_le(), units: "degrees")
    }
    #expect(try first() == 0)
    let second = try openScan(path: path, selection: selection { $0.entry = "exchange_1" })
    #expect(try second.values(.projection, 0)[0] == 500 && second.info.thetas == radians([0, 30, 60, 90]))
  }

  @Test func `A detector of any name is found, and of two the one with image keys`() throws {
    let file = try TestHDF5(path)
    try add(file, "/entry", first: 0, detector: "pco")
    expectFailure(65, "instrument/detector/data") { _ = try openScan(path: path) }
    try file.setText("NX_class", "NXdetector", of: "/entry/instrument/pco")
    #expect(try first() == 12)
    try file.add("/entry/instrument/eiger/data", [9, 4, 4])
    try file.setText("NX_class", "NXdetector", of: "/entry/instrument/eiger")
    #expect(try first() == 12)
    #expect(
      try openScan(path: path).info.notices.contains {
        $0.contains("/entry/instrument/eiger") && $0.contains("--data-path")
      })
  }

  @Test func `A file of no known layout is read from the paths that are named`() throws {
    let file = try TestHDF5(path)
    // As DIAD writes them: frames, keys and angles in three groups.
    try file.add("/entry/imaging/data", [4, 2, 3])
    try file.add("/entry/instrument/imaging/image_key", [4], keys)
    try file.add("/entry/imaging_sum/gts_theta_value", [4], [0, 0, 10, 20], units: "deg")
    expectFailure(65, "NXtomo", "--data-path", "/entry/imaging/data") { _ = try openScan(path: path) }
    let scan = try openScan(
      path: path,
      selection: selection {
        $0.dataPath = "/entry/imaging/data"
        $0.imageKeyPath = "entry/instrument/imaging/image_key"
        $0.thetaPath = "/entry/imaging_sum/gts_theta_value"
      })
    #expect(scan.info.counts == [2, 1, 1, 0] && scan.info.thetas == radians([10, 20]))
    #expect(try scan.values(.projection, 0)[0] == 12 && scan.values(.flat, 0)[0] == 6)
    // Without keys and angles: all frames, over half a turn.
    let plain = try openScan(path: path, selection: selection { $0.dataPath = "/entry/imaging/data" })
    #expect(plain.info.counts == [4, 0, 0, 0] && plain.info.thetas == radians([0, 45, 90, 135]))
    #expect(
      plain.info.notices.contains { $0.contains("image keys") }
        && plain.info.notices.contains { $0.contains("--theta-step") })
    expectFailure(65, "no dataset /entry/none") {
      _ = try openScan(path: path, selection: selection { $0.dataPath = "/entry/none" })
    }
    expectFailure(65, "--data-path") {
      _ = try openScan(path: path, selection: selection { $0.thetaPath = "/entry/imaging_sum/gts_theta_value" })
    }
  }

  @Test func `Paths replace single datasets of a layout`() throws {
    let file = try TestHDF5(path)
    try add(file, "/entry", first: 0)
    try file.add("/other/data", [4, 2, 3], (0..<24).map { 200 + Double($0) })
    try file.add("/other/angles", [2], [3, 4], units: "deg")
    let scan = try openScan(
      path: path,
      selection: selection {
        $0.dataPath = "/other/data"
        $0.thetaPath = "/other/angles"
      })
    // One angle a projection is as good as one a frame.
    #expect(try scan.values(.projection, 0)[0] == 212 && scan.info.thetas == radians([3, 4]))
    #expect(scan.info.counts == [2, 1, 1, 0])
  }

  @Test func `Savu's files have their angles in the data group, and frames behind an external link`() throws {
    let frames = folder.file("pco1-1.hdf")
    try TestHDF5(frames).add("/entry/instrument/detector/data", [4, 2, 3])
    let file = try TestHDF5(path)
    try file.addExternalLink("/entry1/tomo_entry/data/data", to: "/entry/instrument/detector/data", in: "pco1-1.hdf")
    try file.add("/entry1/tomo_entry/instrument/detector/image_key", [4], keys)
    try file.add("/entry1/tomo_entry/data/rotation_angle", [4], [0, 0, 0, 90], units: "deg")
    let scan = try openScan(path: path)
    #expect(scan.info.counts == [2, 1, 1, 0] && scan.info.thetas == radians([0, 90]))
    #expect(try scan.values(.projection, 1)[0] == 18)
  }

  @Test func `What a person could name in a file of no known layout is in the refusal`() throws {
    let file = try TestHDF5(path)
    try file.addText("/entry/definition", "NXtomo")
    try file.add("/entry/imaging/data", [4, 2, 3])
    try file.add("/entry/instrument/imaging/image_key", [4], keys)
    try file.add("/entry/imaging_sum/gts_theta_value", [4], [0, 0, 0, 90])
    try file.add("/entry/imaging_sum/current", [4])
    expectFailure(
      65, "an NXtomo without /entry/instrument/detector/data",
      "--data-path /entry/imaging/data --image-key-path /entry/instrument/imaging/image_key "
        + "--theta-path /entry/imaging_sum/gts_theta_value"
    ) { _ = try openScan(path: path) }
    let bliss = folder.file("bliss.h5")
    let other = try TestHDF5(bliss)
    try other.add("/1.1/measurement/pcolinux", [2, 2, 3])
    try other.add("/2.1/measurement/pcolinux", [9, 2, 3])
    try other.add("/2.1/measurement/hrsrot", [9])
    expectFailure(
      65, "perhaps /2.1/measurement/pcolinux or /1.1/measurement/pcolinux --theta-path /2.1/measurement/hrsrot",
      "nxtomomill h52nx"
    ) { _ = try openScan(path: bliss) }
  }
}
