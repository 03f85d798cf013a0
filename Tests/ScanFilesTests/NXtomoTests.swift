import Host
import ScanFiles
import TestSupport
import Testing

@Suite struct NXtomoTests {
  let folder: TestFolder
  let path: String
  private let keys: [Double] = [2, 1, 0, 0, 3, 0, 1]

  init() throws {
    folder = try TestFolder()
    path = folder.file("scan.nx")
  }

  /// Seven frames of 2 × 3, of which three are projections.
  private func make(
    entry: String = "/entry", keyName: String = "image_key", keys: [Double]? = nil, angles: [Double]? = nil,
    units: String? = nil,
    data: (TestHDF5, String) throws -> Void = { try $0.add($1, [7, 2, 3]) }
  ) throws {
    let file = try TestHDF5(path)
    try file.addText("\(entry)/definition", "NXtomo")
    try data(file, "\(entry)/instrument/detector/data")
    let (keys, angles) = (keys ?? self.keys, angles ?? [0, 0, 0, 60, .nan, 120, 0])
    try file.add("\(entry)/instrument/detector/\(keyName)", [keys.count], keys)
    try file.add("\(entry)/sample/rotation_angle", [angles.count], angles, units: units)
  }

  @Test(arguments: ["/entry", "/entry0000", "/entry1/tomo_entry"])
  func `image keys sort frames into projections, flats, darks and invalid ones`(entry: String) throws {
    try make(entry: entry)
    let scan = try openScan(path: path)
    #expect(scan.info.format == .nxtomo)
    #expect(scan.info.counts == [3, 2, 1, 1])
    #expect(scan.info.thetas == radians([0, 60, 120]))
    #expect(try scan.values(.projection, 2) == (30..<36).map(Double.init))
    #expect(try scan.values(.flat, 1) == (36..<42).map(Double.init))
    #expect(try scan.values(.dark, 0, rows: 1..<2) == [3, 4, 5])
  }

  @Test func `image_key_control stands in for image_key, and its alignment frames are left out`() throws {
    try make(keyName: "image_key_control", keys: [2, 1, 0, 0, -1, 0, 1])
    let info = try openScan(path: path).info
    #expect(info.counts == [3, 2, 1, 1])
  }

  @Test func `angles are degrees unless their units say radians`() throws {
    try make(angles: [0, 0, 0, 1, 0, 2, 0])
    #expect(try openScan(path: path).info.thetas == radians([0, 1, 2]))
    try make(angles: [0, 0, 0, 1, 0, 2, 0], units: "rad")
    #expect(try openScan(path: path).info.thetas == [0, 1, 2])
  }

  @Test func `without image keys every frame is a projection, with a notice`() throws {
    try make(keyName: "other", angles: [0, 1, 2, 3, 4, 5, 6])
    let info = try openScan(path: path).info
    #expect(info.projectionCount == 7)
    #expect(info.notices.contains { $0.contains("image_key") })
  }

  @Test func `keys and angles have to be one a frame, and known`() throws {
    try make(keys: [0, 0])
    expectFailure(65, "image_key", "2 values", "7 frames") { _ = try openScan(path: path) }
    try make(keys: [0, 0, 0, 0, 0, 0, 9])
    expectFailure(65, "image_key", "9") { _ = try openScan(path: path) }
    try make(keys: [1, 1, 1, 2, 2, 2, 3])
    expectFailure(65, "projection") { _ = try openScan(path: path) }
    try make(angles: [0, 1, 2])
    expectFailure(65, "rotation_angle", "3 values", "7 frames") { _ = try openScan(path: path) }
    try make(angles: [0, 1, 2, .nan, 4, 5, 6])
    expectFailure(65, "rotation_angle", "nan") { _ = try openScan(path: path) }
  }

  @Test func `an external link is followed`() throws {
    let raw = folder.file("raw.h5")
    try TestHDF5(raw).add("/frames", [7, 2, 3])
    try make { try $0.addExternalLink($1, to: "/frames", in: "raw.h5") }
    #expect(try openScan(path: path).values(.projection, 0) == (12..<18).map(Double.init))
  }

  @Test func `a broken external link is an error that names the file`() throws {
    try make { try $0.addExternalLink($1, to: "/frames", in: "gone.h5") }
    expectFailure(65, "/entry/instrument/detector/data", "gone.h5") { _ = try openScan(path: path) }
    try TestHDF5(folder.file("gone.h5")).add("/other", [1])
    expectFailure(65, "/entry/instrument/detector/data", "frames") { _ = try openScan(path: path) }
  }

  @Test func `a broken link beside the entry does no harm`() throws {
    try make()
    try TestHDF5(adding: path).addExternalLink("/another", to: "/entry", in: "gone.h5")
    #expect(try openScan(path: path).info.projectionCount == 3)
  }

  @Test func `a broken link to the entry is an error that names the file`() throws {
    try TestHDF5(path).addExternalLink("/entry", to: "/entry", in: "gone.h5")
    expectFailure(65, "/entry", "gone.h5") { _ = try openScan(path: path) }
  }

  @Test func `a virtual dataset is read from its sources`() throws {
    let type = try integerType(byteCount: 2, isSigned: false)
    for name in ["a.h5", "b.h5"] { try TestHDF5(folder.file(name)).add("/frames", [4, 2, 3], type: type.id) }
    try make(keys: [0, 0, 0, 0, 1, 1, 0, 2], angles: [0, 1, 2, 3, 4, 5, 6, 7]) {
      try $0.addVirtual($1, frames: [4, 2, 3], from: ["a.h5", "b.h5"], dataset: "/frames", type: type.id)
    }
    let scan = try openScan(path: path)
    #expect(scan.info.pixel == .uint16)
    #expect(try scan.values(.projection, 4) == (12..<18).map(Double.init))
    #expect(try scan.values(.dark, 0) == (18..<24).map(Double.init))
  }

  @Test func `a virtual dataset with a missing or damaged source is an error that names the file`() throws {
    let type = try integerType(byteCount: 2, isSigned: false)
    try TestHDF5(folder.file("a.h5")).add("/frames", [4, 2, 3], type: type.id)
    try make {
      try $0.addVirtual($1, frames: [4, 2, 3], from: ["a.h5", "b.h5"], dataset: "/frames", type: type.id)
    }
    expectFailure(65, "detector/data", "b.h5", "missing") { _ = try openScan(path: path) }
    try writeFileAtomically(path: folder.file("b.h5"), text: "no HDF5")
    expectFailure(65, "b.h5", "not an HDF5 file") { _ = try openScan(path: path) }
    try TestHDF5(folder.file("b.h5")).add("/other", [1])
    expectFailure(65, "b.h5", "/frames") { _ = try openScan(path: path) }
  }

  @Test func `the pixel size is taken where it has a unit`() throws {
    try make()
    try TestHDF5(adding: path).add("/entry/instrument/detector/x_pixel_size", [], [1.1], units: "um")
    let size = try #require(try openScan(path: path).info.pixelSizeMillimetres)
    #expect(abs(size - 0.0011) < 1e-6)
  }
}
