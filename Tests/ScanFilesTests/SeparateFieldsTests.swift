import ScanFiles
import TestSupport
import Testing

/// Flat and dark fields in other files than the projections.
@Suite struct SeparateFieldsTests {
  let folder: TestFolder
  let path: String
  let other: String

  init() throws {
    folder = try TestFolder()
    path = folder.file("scan.h5")
    other = folder.file("fields.h5")
    try makeDXchange(path)
  }

  private func values(_ first: Double, _ frames: Int) -> [Double] { (0..<15 * frames).map { first + Double($0) } }

  @Test func `A dataset of any file is all flats, and darks are those of the scan`() throws {
    try makeDXchange(path) { try $0.add("/exchange/data_dark", [1, 3, 5], values(1000, 1)) }
    try TestHDF5(other).add("/raw/flat", [2, 3, 5], values(5000, 2))
    let scan = try openScan(path: path).taking(flats: "\(other)::/raw/flat")
    #expect(scan.info.counts == [4, 2, 1, 0])
    #expect(try scan.values(.flat, 1, rows: 1..<2) == [5020, 5021, 5022, 5023, 5024])
    #expect(try scan.values(.dark, 0)[0] == 1000 && scan.values(.projection, 3)[0] == 45)
    #expect(scan.info.notices.contains { $0.contains("2 flat fields are taken from \(other)::/raw/flat") })
    expectFailure(65, "/raw/none", "fields.h5") {
      _ = try openScan(path: path).taking(flats: "\(other)::/raw/none")
    }
    expectFailure(65, "fields.h5::/raw/flat", "--flats") { _ = try openScan(path: path).taking(flats: other) }
  }

  @Test func `A scan file gives its flats, or all of its frames where it does not tell them apart`() throws {
    let file = try TestHDF5(other)
    try file.addText("/entry/definition", "NXtomo")
    try file.add("/entry/instrument/detector/data", [3, 3, 5], values(100, 3))
    var scan = try openScan(path: path).taking(flats: other)
    #expect(scan.info.flatCount == 3)
    try file.add("/entry/instrument/detector/image_key", [3], [2, 1, 0])
    scan = try openScan(path: path).taking(flats: other, darks: other)
    #expect(scan.info.counts == [4, 1, 1, 0])
    #expect(try scan.values(.flat, 0)[0] == 115 && scan.values(.dark, 0)[0] == 100)
    #expect(try openScan(path: path).taking(fields: other).info.counts == [4, 1, 1, 0])
  }

  @Test func `Fields replace the scan's own, with a notice; a scan's projections are never its fields`() throws {
    try makeDXchange(path) { try $0.add("/exchange/data_white", [1, 3, 5], values(7, 1)) }
    try makeDXchange(other) { try $0.add("/exchange/data_white", [2, 3, 5], values(9, 2)) }
    let scan = try openScan(path: path).taking(fields: other)
    #expect(scan.info.counts == [4, 2, 0, 0])
    #expect(try scan.values(.flat, 0)[0] == 9)
    #expect(scan.info.notices.contains { $0.contains("the scan's own 1 are not used") })
    expectFailure(65, "no dark fields", "--darks") { _ = try openScan(path: path).taking(darks: other) }
    let plain = folder.file("plain.h5")
    try makeDXchange(plain)
    expectFailure(65, "neither flat nor dark fields", "--fields") { _ = try openScan(path: path).taking(fields: plain) }
  }

  @Test func `Fields of another shape are refused with both`() throws {
    try TestHDF5(other).add("/flat", [2, 3, 4])
    expectFailure(65, "fields.h5", "3 × 4", "3 × 5") { _ = try openScan(path: path).taking(flats: "\(other)::/flat") }
    try TestHDF5(other).add("/flat", [15])
    expectFailure(65, "/flat", "15") { _ = try openScan(path: path).taking(flats: "\(other)::/flat") }
  }
}
