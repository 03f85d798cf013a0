import CHDF5
import Host
import ScanFiles
import TestSupport
import Testing

@Suite struct DXchangeTests {
  let folder: TestFolder
  let path: String

  init() throws {
    folder = try TestFolder()
    path = folder.file("scan.h5")
  }

  @Test func `any rows of any frame are read`() throws {
    try makeDXchange(path) {
      try $0.add("/exchange/data_white", [2, 3, 5], (0..<30).map { Double(1000 + $0) })
      try $0.add("/exchange/data_dark", [1, 3, 5], (0..<15).map { Double(2000 + $0) })
    }
    let scan = try openScan(path: path)
    #expect(scan.info.format == .dxchange)
    #expect(scan.info.shape == [4, 3, 5])
    #expect(scan.info.counts == [4, 2, 1, 0])
    #expect(scan.info.hasFlats)
    #expect(try scan.values(.projection, 0) == (0..<15).map(Double.init))
    #expect(try scan.values(.projection, 3, rows: 1..<3) == (50..<60).map(Double.init))
    #expect(try scan.values(.projection, 2, rows: 1..<1) == [])
    #expect(try scan.values(.flat, 1, rows: 2..<3) == (1025..<1030).map(Double.init))
    #expect(try scan.values(.dark, 0, rows: 0..<1) == (2000..<2005).map(Double.init))
  }

  @Test func `a single projection is a scan`() throws {
    let file = try TestHDF5(path)
    try file.add("/exchange/data", [1, 1, 1], [7])
    try file.add("/exchange/theta", [1], [0])
    let scan = try openScan(path: path)
    #expect(scan.info.projectionCount == 1)
    #expect(try scan.values(.projection, 0) == [7])
  }

  @Test(arguments: [1, 2, 3, 4, 8], [false, true])
  func `unsigned integers of either byte order keep their width up to 32 bits`(byteCount: Int, isBigEndian: Bool) throws
  {
    let type = try integerType(byteCount: byteCount, isSigned: false, isBigEndian: isBigEndian)
    let largest: Double = byteCount < 4 ? Double(1 << (byteCount * 8)) - 1 : 0xFFFF_0000
    let file = try TestHDF5(path)
    try file.add("/exchange/data", [1, 1, 3], [0, 1, largest], type: type.id)
    try file.add("/exchange/theta", [1], [0])
    let scan = try openScan(path: path)
    let expected: [Int: PixelType] = [1: .uint8, 2: .uint16, 3: .uint32, 4: .uint32, 8: .float32]
    #expect(scan.info.pixel == expected[byteCount])
    #expect(try scan.values(.projection, 0) == [0, 1, largest])
  }

  @Test(arguments: [1, 2, 4, 8], [false, true])
  func `signed integers of either byte order become floats`(byteCount: Int, isBigEndian: Bool) throws {
    let type = try integerType(byteCount: byteCount, isSigned: true, isBigEndian: isBigEndian)
    let file = try TestHDF5(path)
    try file.add("/exchange/data", [1, 1, 3], [-128, 0, 127], type: type.id)
    try file.add("/exchange/theta", [1], [0])
    let scan = try openScan(path: path)
    #expect(scan.info.pixel == .float32)
    #expect(try scan.values(.projection, 0) == [-128, 0, 127])
  }

  @Test(arguments: [false, true]) func `doubles of either byte order become floats`(isBigEndian: Bool) throws {
    let type = try HDF5Handle { H5Tcopy(chdf5_native_double()) }
    _ = try HDF5.call { H5Tset_order(type.id, isBigEndian ? H5T_ORDER_BE : H5T_ORDER_LE) }
    let file = try TestHDF5(path)
    try file.add("/exchange/data", [1, 1, 4], [0.1, -1e30, .infinity, .nan], type: type.id)
    try file.add("/exchange/theta", [1], [0])
    let scan = try openScan(path: path)
    let values = try scan.values(.projection, 0)
    let expected: [Double] = [Double(Float(0.1)), Double(Float(-1e30)), .infinity]
    #expect(scan.info.pixel == .float32)
    #expect(Array(values.prefix(3)) == expected)
    #expect(values[3].isNaN)
  }

  @Test func `flats and darks may have types of their own`() throws {
    let byte = try integerType(byteCount: 1, isSigned: false)
    let word = try integerType(byteCount: 2, isSigned: false)
    try makeDXchange(path) {
      try $0.add("/exchange/data_white", [1, 3, 5], type: word.id)
      try $0.add("/exchange/data_dark", [1, 3, 5], type: byte.id)
    }
    let scan = try openScan(path: path)
    #expect(scan.info.pixels == [.float32, .uint16, .uint8])
    #expect(try scan.values(.flat, 0) == scan.values(.dark, 0))
  }

  @Test func `a flat of rank 2 is one frame`() throws {
    try makeDXchange(path) { try $0.add("/exchange/data_white", [3, 5]) }
    let scan = try openScan(path: path)
    #expect(scan.info.flatCount == 1)
    #expect(try scan.values(.flat, 0, rows: 1..<2) == [5, 6, 7, 8, 9])
  }

  @Test func `no frames in data_white are no flats, and darks alone get a notice`() throws {
    try makeDXchange(path) {
      try $0.add("/exchange/data_white", [0, 3, 5])
      try $0.add("/exchange/data_dark", [1, 3, 5])
    }
    let info = try openScan(path: path).info
    #expect(info.counts == [4, 0, 1, 0])
    #expect(!info.hasFlats)
    #expect(info.notices.contains { $0.contains("no flats") })
  }

  @Test func `flats and darks fall back to the acquisition's fields, as frames or one value`() throws {
    try makeDXchange(path) {
      try $0.add("/process/acquisition/flat_fields/flat_field_value", [2, 3, 5])
      try $0.add("/process/acquisition/dark_fields/dark_field_value", [1], [12.5])
    }
    let scan = try openScan(path: path)
    #expect(scan.info.counts == [4, 2, 1, 0])
    #expect(try scan.values(.flat, 1, rows: 0..<1) == [15, 16, 17, 18, 19])
    #expect(try scan.values(.dark, 0, rows: 0..<1) == [12.5, 12.5, 12.5, 12.5, 12.5])
  }

  @Test(arguments: [0.5, 0, 1e-30, 1e30]) func `a pixel size that no pixel has is none`(microns: Double) throws {
    try makeDXchange(path) {
      try $0.add("/measurement/instrument/detection_system/objective/resolution", [1], [microns], units: "um")
    }
    #expect(try openScan(path: path).info.pixelSizeMillimetres == (microns == 0.5 ? 0.0005 : nil))
  }

  @Test func `a flat field of zero is no flat field`() throws {
    try makeDXchange(path) { try $0.add("/process/acquisition/flat_fields/flat_field_value", [], [0]) }
    let info = try openScan(path: path).info
    #expect(!info.hasFlats)
    #expect(info.notices.contains { $0.contains("not used") })
  }

  @Test func `thetas fall back to start, step and count`() throws {
    try makeDXchange(path, thetas: nil) {
      try $0.add("/process/acquisition/rotation/rotation_start", [], [10])
      try $0.add("/process/acquisition/rotation/rotation_step", [1], [0.5])
      try $0.add("/process/acquisition/rotation/num_angles", [], [4])
    }
    let info = try openScan(path: path).info
    #expect(info.thetas == radians([10, 10.5, 11, 11.5]))
    #expect(info.thetaSource == "/process/acquisition/rotation in degrees")
  }

  @Test func `start, step and count have to fit the data`() throws {
    try makeDXchange(path, thetas: nil) {
      for (key, value) in [("rotation_start", 0.0), ("rotation_step", 1), ("num_angles", 3)] {
        try $0.add("/process/acquisition/rotation/\(key)", [], [value])
      }
    }
    expectFailure(65, "num_angles", "3 values", "4 frames") { _ = try openScan(path: path) }
  }

  @Test func `the units attribute decides what thetas are`() throws {
    for (units, isDegrees) in [("degrees", true), ("Deg", true), ("radians", false), (" rad ", false)] {
      for thetas in [[0, 1, 2, 3], [0, 100, 200, 300.0]] {
        try makeDXchange(path, thetas: thetas, units: units)
        let expected = isDegrees ? radians(thetas) : thetas
        #expect(try openScan(path: path).info.thetas == expected, "\(units)")
      }
    }
  }

  @Test func `without units, thetas within a full turn of radians are radians`() throws {
    for (last, isRadians) in [
      (3.1415926, true), (-2 * .pi, true), (Double(Float(2 * Double.pi)), true), (6.3, false), (-180, false),
    ] {
      try makeDXchange(path, thetas: [0, 1, 2, last])
      let info = try openScan(path: path).info
      let expected = isRadians ? last : last * .pi / 180
      #expect(info.thetas[3] == expected)
      #expect(info.notices.contains { $0.contains("no unit") && $0.contains(isRadians ? "radians" : "degrees") })
    }
  }

  @Test(
    arguments: [
      (180.0, "radians", "--theta-unit degrees"), (360, "rad", "--theta-unit degrees"),
      (.pi, "degrees", "--theta-unit radians"), (170, "radians", nil), (3, "deg", nil), (180, "deg", nil),
      (.pi, "radians", nil),
    ] as [(Double, String, String?)])
  func `A unit that is hardly meant is taken, with a notice`(span: Double, unit: String, option: String?) throws {
    try makeDXchange(path, thetas: (0..<4).map { Double($0) * span / 4 }, units: unit)
    let info = try openScan(path: path).info
    let factor = unit.hasPrefix("rad") ? 1 : Double.pi / 180
    #expect(abs(info.thetas[3] - 0.75 * span * factor) < 1e-12)
    #expect(info.notices.filter { $0.contains("/exchange/theta says") }.count == (option == nil ? 0 : 1))
    if let option { #expect(info.notices.contains { $0.contains(option) }, "\(info.notices)") }
  }

  @Test func `the user's unit beats the file's, and says so`() throws {
    try makeDXchange(path, thetas: [0, 1, 2, 3], units: "radians")
    let info = try openScan(path: path, thetaUnit: .degrees).info
    #expect(info.thetas[1] == .pi / 180)
    #expect(info.notices.contains { $0.contains("says radians") })
  }

  @Test func `an unknown unit is an error that names the option, and the option mends it`() throws {
    try makeDXchange(path, units: "gradians")
    expectFailure(65, "gradians", "--theta-unit") { _ = try openScan(path: path) }
    #expect(try openScan(path: path, thetaUnit: .degrees).info.thetas[1] == .pi / 4)
  }

  @Test func `chunks across projections are read right, and too large ones get a notice`() throws {
    let type = try integerType(byteCount: 2, isSigned: false)
    let file = try TestHDF5(path)
    let values = (0..<7 * 40 * 50).map { Double($0 % 60_000) }
    try file.add("/exchange/data", [7, 40, 50], values, type: type.id, chunk: [3, 16, 32], deflate: true)
    try file.add("/exchange/theta", [7])
    let scan = try openScan(path: path)
    for index in 0..<7 {
      let expected = Array(values[index * 2000..<(index + 1) * 2000])
      #expect(try scan.values(.projection, index) == expected)
    }
    #expect(!scan.info.notices.contains { $0.contains("chunks") })

    let wide = folder.file("wide.h5")
    let wideFile = try TestHDF5(wide)
    try wideFile.addChunked("/exchange/data", [1000, 4096, 4096], chunk: [1000, 64, 64])
    try wideFile.add("/exchange/theta", [1000])
    #expect(try openScan(path: wide).info.notices.contains { $0.contains("chunks") && $0.contains("h5repack") })

    let large = folder.file("large.h5")
    let largeFile = try TestHDF5(large)
    try largeFile.addChunked("/exchange/data", [2, 16_384, 16_384], chunk: [1, 64, 64])
    try largeFile.add("/exchange/theta", [2])
    #expect(!(try openScan(path: large).info.notices.contains { $0.contains("chunks") }))
  }
}
