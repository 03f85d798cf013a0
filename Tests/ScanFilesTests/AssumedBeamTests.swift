import CHDF5
import Host
import ScanFiles
import TestSupport
import Testing

/// Flat fields that nobody measured.
@Suite struct AssumedBeamTests {
  private let folder: TestFolder
  private let path: String

  init() throws {
    folder = try TestFolder()
    path = folder.file("scan.h5")
  }

  @Test func `a beam that is said is one flat field, and nothing else changes`() throws {
    try makeDXchange(path)
    let plain = try openScan(path: path), scan = try plain.assuming(.value(20_000))
    #expect(scan.info.flatCount == 1 && scan.info.flatPixel == .float32 && scan.info.hasFlats)
    #expect(try scan.values(.flat, 0) == [Double](repeating: 20_000, count: 15))
    #expect(try scan.values(.projection, 3) == plain.values(.projection, 3))
    #expect(scan.info.notices.contains { $0.contains("no flat fields") && $0.contains("20000") })
  }

  @Test func `the border's beam is that of each row, and one projection without beam does not change it`() throws {
    let file = try TestHDF5(path)
    // Five projections of 2 × 8: two columns at each side see the beam, 100 and 200.
    let rows = [[100.0, 102, 7, 8, 9, 7, 98, 100], [200, 200, 7, 8, 9, 7, 200, 200]]
    let frames = (0..<5).map { $0 == 2 ? [Double](repeating: 0, count: 16) : rows[0] + rows[1] }
    try file.add("/exchange/data", [5, 2, 8], frames.flatMap { $0 })
    try file.add("/exchange/theta", [5], [0, 36, 72, 108, 144], type: chdf5_double_le(), units: "degrees")
    file.close()
    let scan = try openScan(path: path).assuming(.border)
    #expect(try scan.values(.flat, 0) == [Double](repeating: 100, count: 8) + [Double](repeating: 200, count: 8))
    #expect(try scan.values(.flat, 0, rows: 1..<2) == [Double](repeating: 200, count: 8))
  }

  @Test func `a scan that has flats, or no beam at its border, is refused`() throws {
    try makeDXchange(path) { try $0.add("/exchange/data_white", [1, 3, 5]) }
    expectFailure(65, "has flat fields", "--i0") { _ = try openScan(path: path).assuming(.value(1)) }
    let dark = folder.file("dark.h5")
    try TestHDF5(dark).add("/exchange/data", [4, 3, 5], [Double](repeating: 0, count: 60))
    expectFailure(65, "border", "--i0") { _ = try openScan(path: dark).assuming(.border) }
  }

  @Test func `a file without thetas has them as was said, or over half a turn with a notice`() throws {
    try makeDXchange(path, thetas: nil)
    let half = try openScan(path: path).info
    #expect(half.thetas == radians([0, 45, 90, 135]))
    #expect(half.notices.contains { $0.contains("no thetas") && $0.contains("--theta-step") }, "\(half.notices)")
    let said = try openScan(path: path, spacing: ThetaSpacing(start: -88.2, step: -6)).info
    #expect(said.thetas == radians([-88.2, -94.2, -100.2, -106.2]))
    try makeDXchange(path)
    expectFailure(65, "it has thetas", "/exchange/theta") {
      _ = try openScan(path: path, spacing: ThetaSpacing(step: 1))
    }
  }
}
