import ScanFiles
import TestSupport
import Testing

/// Flat and dark fields that a DXchange file has in more than one dataset, as files of TOMCAT and of APS 1-ID do.
@Suite struct DXchangeFieldsTests {
  let folder: TestFolder
  let path: String

  init() throws {
    folder = try TestFolder()
    path = folder.file("scan.h5")
  }

  private func add(_ file: TestHDF5, _ name: String, first: Double, frames: Int = 2) throws {
    try file.add("/exchange/\(name)", [frames, 3, 5], (0..<frames * 15).map { first + Double($0) })
  }

  @Test(arguments: [("_pre", "_post"), ("_start", "_end"), ("", "_post")])
  func `Flats before and behind a scan are all its flats, and it is known which are behind`(
    before: String, behind: String
  ) throws {
    try makeDXchange(path) {
      try add($0, "data_white" + before, first: 100)
      try add($0, "data_white" + behind, first: 200, frames: 3)
      try add($0, "data_dark", first: 10, frames: 1)
    }
    let scan = try openScan(path: path)
    #expect(scan.info.counts == [4, 5, 1, 0] && scan.info.flatsBehind == 3)
    #expect(try (0..<5).map { try scan.values(.flat, $0)[0] } == [100, 115, 200, 215, 230])
    #expect(try scan.values(.flat, 4, rows: 1..<2) == [235, 236, 237, 238, 239])
  }

  @Test func `Darks before and behind, and flats at one end alone, are taken`() throws {
    try makeDXchange(path) {
      try add($0, "data_white_post", first: 200)
      try add($0, "data_dark_pre", first: 10)
      try add($0, "data_dark_post", first: 60, frames: 1)
    }
    let scan = try openScan(path: path)
    #expect(scan.info.counts == [4, 2, 3, 0] && scan.info.flatsBehind == 2)
    #expect(try scan.values(.dark, 2)[0] == 60)
  }

  @Test func `Where one dataset has all of them, those of its ends do not count again`() throws {
    try makeDXchange(path) {
      try add($0, "data_white", first: 100, frames: 4)
      try add($0, "data_white_pre", first: 100)
      try add($0, "data_white_post", first: 130)
    }
    let info = try openScan(path: path).info
    #expect(info.flatCount == 4 && info.flatsBehind == nil)
  }

  @Test func `Flats of two types are refused, and those of a file for another scan are taken`() throws {
    let word = try integerType(byteCount: 2, isSigned: false)
    let mixed = folder.file("mixed.h5")
    try makeDXchange(mixed) {
      try add($0, "data_white_pre", first: 100)
      try $0.add("/exchange/data_white_post", [2, 3, 5], type: word.id)
    }
    expectFailure(65, "data_white", "two types", "--flats") { _ = try openScan(path: mixed) }
    let fields = folder.file("fields.h5")
    try makeDXchange(fields) {
      try add($0, "data_white_pre", first: 100)
      try add($0, "data_white_post", first: 200)
    }
    try makeDXchange(path) { _ in }
    let scan = try openScan(path: path).taking(fields: fields)
    #expect(scan.info.flatCount == 4)
    #expect(try scan.values(.flat, 3)[0] == 215)
  }

  @Test func `Sinograms are refused with what they are, with image keys as well`() throws {
    let file = try TestHDF5(path)
    try file.add("/exchange/data", [6, 4, 5])
    try file.add("/exchange/theta", [4], [0, 45, 90, 135])
    expectFailure(65, "6 × 4 × 5", "sinograms (y, theta, x)", "axes exchanged") { _ = try openScan(path: path) }
    let said = folder.file("said.h5")
    let other = try TestHDF5(said)
    try other.add("/exchange/data", [4, 4, 5])
    try other.setText("axes", "y:theta:x", of: "/exchange/data")
    expectFailure(65, "y:theta:x", "sinograms") { _ = try openScan(path: said) }
    let nexus = folder.file("scan.nxs")
    let tomo = try TestHDF5(nexus)
    try tomo.addText("/entry/definition", "NXtomo")
    try tomo.add("/entry/instrument/detector/data", [2, 4, 5])
    try tomo.add("/entry/instrument/detector/image_key", [4], [0, 0, 0, 0])
    try tomo.add("/entry/sample/rotation_angle", [4], [0, 45, 90, 135], units: "deg")
    expectFailure(65, "image_key", "sinograms") { _ = try openScan(path: nexus) }
  }
}
