import ScanFiles
import TestSupport
import Testing

/// Frames that the file says are mirrored.
@Suite struct DetectorFlipTests {
  let folder: TestFolder
  let path: String

  init() throws {
    folder = try TestFolder()
    path = folder.file("scan.nx")
  }

  /// Two projections, a flat and a dark of 2 × 3 whose pixels count on.
  private func make(_ more: (TestHDF5, String) throws -> Void) throws -> any ScanReader {
    let file = try TestHDF5(path)
    try file.addText("/entry/definition", "NXtomo")
    let word = try integerType(byteCount: 2, isSigned: false)
    try file.add("/entry/instrument/detector/data", [4, 2, 3], type: word.id)
    try file.add("/entry/instrument/detector/image_key", [4], [2, 1, 0, 0])
    try file.add("/entry/sample/rotation_angle", [4], [0, 0, 0, 90], units: "deg")
    try more(file, "/entry/instrument/detector")
    file.close()
    return try openScan(path: path)
  }

  private static let plain: [Double] = [12, 13, 14, 15, 16, 17]
  private static let leftRight: [Double] = [14, 13, 12, 17, 16, 15]
  private static let upDown: [Double] = [15, 16, 17, 12, 13, 14]
  private static let both: [Double] = [17, 16, 15, 14, 13, 12]

  @Test(arguments: [(0.0, 0.0, plain), (1, 0, leftRight), (0, 1, upDown), (1, 1, both)])
  func `Flags of nxtomo mirror frames back`(x: Double, y: Double, expected: [Double]) throws {
    let byte = try integerType(byteCount: 1, isSigned: false)
    let scan = try make {
      try $0.add("\($1)/x_flipped", [], [x], type: byte.id)
      try $0.add("\($1)/y_flipped", [], [y], type: byte.id)
    }
    #expect(try scan.values(.projection, 0) == expected)
    #expect(scan.info.notices.contains { $0.contains("mirrored") } == (x + y > 0))
    #expect(try scan.values(.projection, 0, rows: 1..<2) == Array(expected[3...]))
    #expect(try scan.values(.flat, 0) == expected.map { $0 - 6 } && scan.values(.dark, 0) == expected.map { $0 - 12 })
  }

  /// Half turns about an axis, as nxtomo 3.1 writes them and as it did before version 3.
  @Test(arguments: [
    (true, [0.0, 1, 0], leftRight), (true, [1, 0, 0], upDown), (true, [0, 0, 1], both),
    (false, [0, 0, 1], leftRight), (false, [0, 1, 0], upDown), (false, [1, 0, 0], both),
  ])
  func `Half turns of the detector mirror frames, by the laboratory's axes`(
    isMcStas: Bool, axis: [Double], expected: [Double]
  ) throws {
    let scan = try make { file, detector in
      if isMcStas { try file.setText("NeXus_Coordinate_System", "McStas", of: "/entry") }
      let group = "\(detector)/transformations"
      for (name, degrees, vector) in [("rx", 180.0, axis), ("other", 90, axis), ("none", 0, axis)] {
        try file.add("\(group)/\(name)", [], [degrees], units: "deg")
        try file.setText("transformation_type", "rotation", of: "\(group)/\(name)")
        try file.setNumbers("vector", vector, of: "\(group)/\(name)")
      }
      try file.add("\(group)/gravity", [], [9.8])
      try file.setText("transformation_type", "gravity", of: "\(group)/gravity")
      try file.setNumbers("vector", [0, 0, -1], of: "\(group)/gravity")
      try file.setText("NX_class", "NX_transformations", of: group)
    }
    #expect(try scan.values(.projection, 0) == expected)
  }

  @Test(arguments: [
    (FrameFlips.file, leftRight), (.none, plain), (.leftRight, leftRight), (.upDown, upDown), (.both, both),
  ])
  func `Whoever knows better than the file says how frames are mirrored, of fields from elsewhere too`(
    asked: FrameFlips, expected: [Double]
  ) throws {
    let byte = try integerType(byteCount: 1, isSigned: false)
    _ = try make { try $0.add("\($1)/x_flipped", [], [1], type: byte.id) }
    var selection = ScanSelection()
    selection.flips = asked
    // The file's fields are its own and say the same of the detector.
    for scan in [
      try openScan(path: path, selection: selection),
      try openScan(path: path, selection: selection).taking(fields: path),
    ] {
      #expect(try scan.values(.projection, 0) == expected)
      #expect(try scan.values(.projection, 0, rows: 1..<2) == Array(expected[3...]))
      #expect(try scan.values(.flat, 0) == expected.map { $0 - 6 } && scan.values(.dark, 0) == expected.map { $0 - 12 })
      let told = scan.info.notices.filter { $0.contains("mirrored") }
      #expect(told.count == 1 && told[0].contains("asked for") == (asked != .file), "\(told)")
    }
    // A file that says nothing of it.
    let images = TestTIFF(rows: 2, columns: 3)
    try images.write([Self.plain], to: folder.file("a.tif"))
    #expect(
      try openScan(path: folder.file("a.tif"), selection: selection).values(.projection, 0)
        == (asked == .file ? Self.plain : expected))
  }

  @Test func `Fields from elsewhere that say nothing are mirrored as the scan's frames are`() throws {
    let byte = try integerType(byteCount: 1, isSigned: false)
    let fields = folder.file("flats.h5")
    try TestHDF5(fields).add("/flat", [1, 2, 3], [1, 2, 3, 4, 5, 6])
    let scan = try make { try $0.add("\($1)/x_flipped", [], [1], type: byte.id) }.taking(flats: "\(fields)::/flat")
    #expect(try scan.values(.flat, 0) == [3, 2, 1, 6, 5, 4])
  }
}
