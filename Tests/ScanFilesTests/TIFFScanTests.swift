import Foundation
import Host
import TestSupport
import Testing

@testable import ScanFiles

/// TIFF files as a scan.
@Suite struct TIFFScanTests {
  let folder: TestFolder

  init() throws { folder = try TestFolder() }

  private func image(_ first: Double) -> [Double] { (0..<6).map { first + Double($0) } }

  private let tiff = TestTIFF(rows: 2, columns: 3)

  /// Twelve images whose first pixel is ten times their number.
  private func makeFolder(_ name: (Int) -> String = { "img_\($0).tif" }) throws {
    for index in 0..<12 { try tiff.write([image(Double(10 * index))], to: folder.file(name(index))) }
  }

  private func firsts(_ scan: any ScanReader) throws -> [Double] {
    try (0..<scan.info.projectionCount).map { try scan.values(.projection, $0)[0] }
  }

  @Test func `A folder and a pattern are the images in the order in which people count`() throws {
    try makeFolder()
    let expected = (0..<12).map { Double(10 * $0) }
    for path in [folder.path, folder.file("img_*.tif"), folder.file("img_?*.ti[f]")] {
      let scan = try openScan(path: path)
      #expect(try firsts(scan) == expected, "\(path)")
      #expect(scan.info.format == .tiff && scan.info.shape == [12, 2, 3] && scan.info.pixel == .uint16)
      #expect(scan.info.thetas == radians(expected.map { $0 * 1.5 }))
      #expect(scan.info.notices.contains { $0.contains("--theta-step") })
    }
    #expect(
      try openScan(path: folder.path, spacing: ThetaSpacing(start: 5, step: 2)).info.thetas[11] == radians([27])[0])
    #expect(
      try ImageFiles.list(folder.file("img_1*.tif")).map { $0.split(separator: "/").last } == [
        "img_1.tif", "img_10.tif", "img_11.tif",
      ])
  }

  @Test func `A number without a file is an image that is missing, and moves no angle`() throws {
    try makeFolder { "img_\(5 * $0 + 3).tif" }
    try FileManager.default.removeItem(atPath: folder.file("img_38.tif"))
    let scan = try openScan(path: folder.path)
    #expect(try firsts(scan) == (0..<12).filter { $0 != 7 }.map { Double(10 * $0) })
    #expect(scan.info.thetas[6] == radians([90])[0] && scan.info.thetas[7] == radians([120])[0])
    #expect(scan.info.notices.contains { $0.contains("1 of the numbers") && $0.contains("11 of 12 images") })
    var strict = ScanSelection()
    strict.isStrict = true
    expectFailure(65, "1 numbers", "--strict") { _ = try openScan(path: folder.path, selection: strict) }
  }

  @Test func `Names count images where one number alone changes in them, in even steps and hardly a gap`() {
    func places(_ names: String...) -> [Int]? { ImageFiles.places(of: names.map { "a7/" + $0 }) }
    #expect(places("p1_3.tif", "p1_4.tif", "p1_5.tif") == [0, 1, 2])
    #expect(places("p1_3.tif", "p2_4.tif", "p3_5.tif") == nil && places("p3.tif", "p4.tif") == nil)
    #expect(places("p3.tif", "p4.tif", "p9.tif") == nil && places("p.tif", "p4.tif", "p5.tif") == nil)
    #expect(places("p1.tif", "p99999999999999999999999.tif", "p2.tif") == nil)
    let names = (0..<30).filter { $0 != 11 && $0 != 12 }.map { "p\($0 * 10).tif" }
    #expect(ImageFiles.places(of: names) == (0..<30).filter { $0 != 11 && $0 != 12 })
  }

  @Test func `Names are in one order, whatever zeros they have`() {
    let names = ["a10", "a2", "b1", "a02", "a", "a2b10", "a2b9", "a99999999999999999999999", "a1_2", "a1_10", "A3"]
    #expect(
      names.sorted(by: isNaturallyBefore) == [
        "A3", "a", "a1_2", "a1_10", "a2", "a2b9", "a2b10", "a02", "a10", "a99999999999999999999999", "b1",
      ])
  }

  @Test(arguments: TestTIFF.Sample.allCases, [false, true])
  func `Every type of sample keeps its values, in either byte order and any rows`(
    sample: TestTIFF.Sample, isBigEndian: Bool
  ) throws {
    var tiff = TestTIFF(rows: 3, columns: 2)
    (tiff.sample, tiff.isBigEndian, tiff.stripRows) = (sample, isBigEndian, 2)
    let values: [Double] =
      switch sample {
      case .uint8: [0, 1, 2, 3, 254, 255]
      case .uint16: [0, 1, 256, 3, 65534, 65535]
      case .uint32: [0, 1, 65536, 3, 4, 4_294_967_295]
      case .int8: [-128, -1, 0, 1, 2, 127]
      case .int16: [-32768, -1, 0, 256, 2, 32767]
      case .int32: [-65536, -1, 0, 256, 2, 1_048_576]
      case .float32, .float64: [-1.5, 0, 0.25, 1e6, 2, -0.0]
      }
    try tiff.write([values], to: folder.file("a.tif"))
    let scan = try openScan(path: folder.file("a.tif"))
    let expected: [TestTIFF.Sample: PixelType] = [.uint8: .uint8, .uint16: .uint16, .uint32: .uint32]
    #expect(scan.info.pixel == expected[sample] ?? .float32)
    #expect(try scan.values(.projection, 0) == values)
    #expect(try scan.values(.projection, 0, rows: 1..<2) == Array(values[2..<4]))
    #expect(try scan.values(.projection, 0, rows: 1..<3) == Array(values[2...]))
  }

  @Test(arguments: TestTIFF.Sample.allCases, [false, true])
  func `An image in tiles is read like one in strips, all of it and some rows`(
    sample: TestTIFF.Sample, isBigEndian: Bool
  ) throws {
    var tiff = TestTIFF(rows: 37, columns: 21)
    (tiff.sample, tiff.isBigEndian, tiff.tile) = (sample, isBigEndian, (16, 16))
    let images = (0..<2).map { number in (0..<37 * 21).map { Double(($0 * 7 + number) % 120) } }
    try tiff.write(images, to: folder.file("a.tif"))
    let scan = try openScan(path: folder.file("a.tif"))
    #expect(scan.info.shape == [2, 37, 21])
    for (number, image) in images.enumerated() {
      #expect(try scan.values(.projection, number) == image)
      for rows in [0..<1, 15..<17, 31..<37, 36..<37] {
        #expect(
          try scan.values(.projection, number, rows: rows)
            == Array(image[rows.lowerBound * 21..<rows.upperBound * 21]), "rows \(rows)")
      }
    }
    // Cut within the last tile.
    let whole = tiff.bytes([images[0]])
    tiff.hasOneDirectory = true
    tiff.description = "ImageJ=1.54f\nimages=2\n"
    try tiff.write(images, to: folder.file("stack.tif"))
    expectFailure(65, "stack.tif", "stack") { _ = try openScan(path: folder.file("stack.tif")) }
    try whole.prefix(whole.count - 200).write(to: folder.url("a.tif"))
    expectFailure(65, "a.tif", "cut short") { _ = try openScan(path: folder.file("a.tif")) }
  }

  @Test(arguments: [false, true]) func `A stack is as many projections as it has images, also with one directory`(
    isBigEndian: Bool
  ) throws {
    let images = (0..<30).map { image(Double(100 * $0)) }
    var tiff = tiff
    tiff.isBigEndian = isBigEndian
    try tiff.write(images, to: folder.file("stack.tif"))
    (tiff.hasOneDirectory, tiff.description, tiff.stripRows) = (true, "ImageJ=1.54f\nimages=30\nslices=30\n", 2)
    try tiff.write(images, to: folder.file("imagej.tif"))
    for name in ["stack.tif", "imagej.tif"] {
      let scan = try openScan(path: folder.file(name))
      #expect(scan.info.projectionCount == 30)
      #expect(
        try scan.values(.projection, 29) == images[29] && scan.values(.projection, 3, rows: 1..<2) == [303, 304, 305])
    }
    // Cut within the pixels that its description promises.
    let whole = try Data(contentsOf: URL(filePath: folder.file("imagej.tif")))
    tiff.description = "ImageJ=1.54f\nimages=100\n"
    try tiff.write(images, to: folder.file("promises.tif"))
    expectFailure(65, "promises.tif", "cut short") {
      _ = try openScan(path: folder.file("promises.tif")).values(.projection, 30)
    }
    #expect(whole.count > 0)
  }

  @Test func `Stacks and single images go together, and flats and darks come from others`() throws {
    try tiff.write([image(0), image(10)], to: folder.file("p_1.tif"))
    try tiff.write([image(20)], to: folder.file("p_2.tif"))
    try tiff.write([image(500), image(600)], to: folder.file("flat_1.tif"))
    var dark = tiff
    dark.sample = .uint8
    try dark.write([image(1)], to: folder.file("dark.tif"))
    let scan = try openScan(path: folder.file("p_*.tif"))
      .taking(flats: folder.file("flat_*.tif"), darks: folder.file("dark.tif"))
    #expect(try firsts(scan) == [0, 10, 20])
    #expect(scan.info.counts == [3, 2, 1, 0] && scan.info.pixels == [.uint16, .uint16, .uint8])
    #expect(try scan.values(.flat, 1)[0] == 600 && scan.values(.dark, 0)[5] == 6)
    expectFailure(66, "several kinds", "p_*.tif (2)", "--flats") { _ = try openScan(path: folder.path) }
  }

  @Test func `A file of another shape or type is named, with what the others are`() throws {
    try makeFolder()
    try TestTIFF(rows: 3, columns: 3).write([Array(repeating: 0, count: 9)], to: folder.file("img_7.tif"))
    expectFailure(65, "img_7.tif", "3 × 3", "img_0.tif", "2 × 3") { _ = try openScan(path: folder.path) }
    var other = tiff
    other.sample = .int16
    try other.write([image(0)], to: folder.file("img_7.tif"))
    expectFailure(65, "img_7.tif", "int16", "uint16") { _ = try openScan(path: folder.path) }
    try Data("no image".utf8).write(to: folder.url("img_7.tif"))
    #expect(try openScan(path: folder.path).info.projectionCount == 11)
    try FileManager.default.removeItem(atPath: folder.file("img_7.tif"))
    try FileManager.default.createSymbolicLink(atPath: folder.file("img_7.tif"), withDestinationPath: "nowhere.tif")
    expectFailure(66, "img_7.tif", "No such file") { _ = try openScan(path: folder.path) }
  }

  @Test func `A file that is cut short is left out with its angle, and refused where nothing may be missing`() throws {
    try makeFolder()
    let whole = tiff.bytes([image(70)])
    for length in [0, 5, 12, whole.count - 20] {
      try whole.prefix(length).write(to: folder.url("img_7.tif"))
      let scan = try openScan(path: folder.path)
      #expect(try firsts(scan) == (0..<12).filter { $0 != 7 }.map { Double(10 * $0) }, "\(length)")
      #expect(scan.info.thetas[7] == radians([120])[0])
      #expect(
        scan.info.notices.contains {
          $0.contains("not complete") && $0.contains("img_7.tif") && $0.contains("11 of 12")
        })
      var strict = ScanSelection()
      strict.isStrict = true
      expectFailure(65, "img_7.tif", "cut short") { _ = try openScan(path: folder.path, selection: strict) }
    }
    expectFailure(65, "img_7.tif", "cut short") { _ = try openScan(path: folder.file("img_7.tif")) }
  }

  @Test func `What is no image is no input`() throws {
    expectFailure(66, "without TIFF files", "folder") { _ = try openScan(path: folder.path) }
    expectFailure(66, "none.tif", "No such file") { _ = try openScan(path: folder.file("none.tif")) }
    expectFailure(66, "no file matches", "none_*.tif") { _ = try openScan(path: folder.file("none_*.tif")) }
    try Data().write(to: folder.url("a.txt"))
    expectFailure(66, "a.txt", "*.tif") { _ = try openScan(path: folder.file("a.*")) }
    try makeFolder()
    var selection = ScanSelection()
    selection.dataPath = "/data"
    expectFailure(65, "--data-path", "TIFF") { _ = try openScan(path: folder.path, selection: selection) }
  }

  @Test func `A scan is named after what does not change in the names`() throws {
    try makeFolder()
    let paths = ["img_*.tif", "*.tif", "a/b_[0-9]*.tif", "stack.tif"].map { ImageFiles.name(of: folder.file($0)) }
    #expect(paths == ["img", folder.path.split(separator: "/").last.map(String.init), "b", "stack"])
    #expect(ImageFiles.name(of: folder.path) == folder.path.split(separator: "/").last.map(String.init))
  }
}

extension TestFolder {
  fileprivate func url(_ name: String) -> URL { URL(filePath: file(name)) }
}
