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

  @Test(arguments: [("Half", true), ("full", false), ("", nil), ("Elsewhere", nil)] as [(String, Bool?)])
  func `the field of view says whether it is a half acquisition`(word: String, isHalf: Bool?) throws {
    try make()
    #expect(try openScan(path: path).info.isHalfAcquisition == nil)
    let file = try TestHDF5(path)
    try file.addText("/entry/definition", "NXtomo")
    try file.add("/entry/instrument/detector/data", [7, 2, 3])
    try file.add("/entry/instrument/detector/image_key", [7], keys)
    try file.add("/entry/sample/rotation_angle", [7], [0, 0, 0, 60, .nan, 120, 0])
    if !word.isEmpty { try file.addText("/entry/instrument/detector/field_of_view", word) }
    #expect(try openScan(path: path).info.isHalfAcquisition == isHalf)
  }

  @Test func `angles are degrees unless their units say radians`() throws {
    try make(angles: [0, 0, 0, 1, 0, 2, 0])
    #expect(try openScan(path: path).info.thetas == radians([0, 1, 2]))
    try make(angles: [0, 0, 0, 1, 0, 2, 0], units: "rad")
    #expect(try openScan(path: path).info.thetas == [0, 1, 2])
  }

  @Test func `angles without units that span half a turn in radians are radians, with a notice`() throws {
    try make(angles: [0, 0, 0, 1.25, 0, 2.5, 0])
    let info = try openScan(path: path).info
    #expect(info.thetas == [0, 1.25, 2.5])
    #expect(info.notices.contains { $0.contains("taken as radians") && $0.contains("--theta-unit") }, "\(info.notices)")
    #expect(try openScan(path: path, thetaUnit: .degrees).info.thetas == radians([0, 1.25, 2.5]))
    // More than a turn is no scan in radians, and a unit that is there is believed, with a notice.
    try make(angles: [0, 0, 0, 3.5, 0, 7, 0])
    #expect(try openScan(path: path).info.thetas == radians([0, 3.5, 7]))
    try make(angles: [0, 0, 0, 1.25, 0, 2.5, 0], units: "degrees")
    let stated = try openScan(path: path).info
    #expect(stated.thetas == radians([0, 1.25, 2.5]))
    #expect(stated.notices.count == 1 && stated.notices[0].contains("--theta-unit radians"), "\(stated.notices)")
  }

  @Test func `the beam monitor brings projections and flats to the same beam, and leaves the dark field`() throws {
    // Keys 2, 1, 0, 0, 3, 0, 1: the pixels of frame n are 6n to 6n + 5, those of the dark field 0 to 5.
    try make()
    try TestHDF5(adding: path).add("/entry/control/data", [7], [0, 100, 50, 200, 1, 0, 300])
    let scan = try openScan(path: path)
    #expect(scan.info.pixel == .float32)
    #expect(scan.info.notices.contains { $0.contains("/entry/control/data") && $0.contains("1 of the frames without") })
    func scaled(_ frame: Int, _ scale: Double) -> [Double] { (0..<6).map { Double($0) + Double(6 * frame) * scale } }
    // The mean of both flats is 200.
    #expect(try scan.values(.flat, 0) == scaled(1, 2))
    #expect(try scan.values(.projection, 0) == scaled(2, 4) && scan.values(.projection, 1) == scaled(3, 1))
    #expect(try scan.values(.projection, 1, rows: 1..<2) == Array(scaled(3, 1)[3...]))
    #expect(try scan.values(.projection, 0, rows: 1..<2) == Array(scaled(2, 4)[3...]))
    // Where there was no beam the frame stays as it is.
    #expect(try scan.values(.projection, 2) == scaled(5, 1) && scan.values(.dark, 0) == scaled(0, 1))
  }

  @Test(arguments: [
    [1, 2, 3], [5, 5, 5, 5, 5, 5, 5], [0, 0, 0, 0, 0, 0, 0], [.nan, .nan, .nan, .nan, .nan, .nan, 1],
  ])
  func `a beam monitor that says nothing, or is not one a frame, changes nothing`(counts: [Double]) throws {
    try make()
    func look() throws -> (ScanInfo, [Double]) {
      let scan = try openScan(path: path)
      return (scan.info, try scan.values(.projection, 1))
    }
    let (plain, values) = try look()
    try TestHDF5(adding: path).add("/entry/control/data", [counts.count], counts)
    let (info, same) = try look()
    #expect(info.pixel == plain.pixel && info.counts == plain.counts && same == values)
    #expect(info.notices.contains { $0.contains("not used") } == (counts != [5, 5, 5, 5, 5, 5, 5]))
  }

  @Test func `a beam monitor that cannot be used is told, and the scan is read without it`() throws {
    let name = "/entry/control/data"
    try make()
    func look() throws -> (PixelType, [Double]) {
      let scan = try openScan(path: path)
      return (scan.info.pixel, try scan.values(.projection, 1))
    }
    let (pixel, plain) = try look()
    func expectUnused(_ words: String, _ selection: ScanSelection = ScanSelection()) throws {
      let scan = try openScan(path: path, selection: selection)
      #expect(scan.info.notices.contains { $0.contains("not used") && $0.contains(words) }, "\(scan.info.notices)")
      #expect(try scan.info.pixel == pixel && scan.values(.projection, 1) == plain)
    }
    try TestHDF5(adding: path).addText(name, "1200 counts")
    try expectUnused("\(name) has the type string")
    try make()
    try TestHDF5(adding: path).addExternalLink(name, to: "/monitor", in: folder.file("missing.h5"))
    try expectUnused("leads nowhere")
    try make()
    try TestHDF5(adding: path).add(name, [7], [0, 100, 50, 200, 1, 0, 300])
    var selection = ScanSelection()
    selection.hasOtherFlats = true
    try expectUnused("flat fields from elsewhere", selection)
  }

  @Test func `without image keys every frame is a projection, with a notice`() throws {
    try make(keyName: "other", angles: [0, 1, 2, 3, 4, 5, 6])
    let info = try openScan(path: path).info
    #expect(info.projectionCount == 7)
    #expect(info.notices.contains { $0.contains("image_key") })
  }

  @Test func `keys and angles have to be one a frame, and known`() throws {
    // Fewer than frames: nobody can say what the others are.
    try make(keys: [0, 0])
    expectFailure(65, "image_key", "2 values", "7 frames") { _ = try openScan(path: path) }
    try make(keys: [0, 0, 0, 0, 0, 0, 9])
    expectFailure(65, "image_key", "9") { _ = try openScan(path: path) }
    try make(keys: [1, 1, 1, 2, 2, 2, 3])
    expectFailure(65, "projection") { _ = try openScan(path: path) }
    try make(angles: [0, 1, 2, 3])
    expectFailure(65, "rotation_angle", "4 values", "7 frames") { _ = try openScan(path: path) }
    // One a projection is enough.
    try make(angles: [0, 1, 2])
    #expect(try openScan(path: path).info.thetas == radians([0, 1, 2]))
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
