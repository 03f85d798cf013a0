import CHDF5
import Foundation
import Glibc
import ScanFiles
import TestSupport
import Testing

/// Scans that ended early, and files that are still being written.
@Suite struct IncompleteScanTests {
  let folder: TestFolder
  let path: String

  init() throws {
    folder = try TestFolder()
    path = folder.file("scan.h5")
  }

  private var strict: ScanSelection {
    var selection = ScanSelection()
    selection.isStrict = true
    return selection
  }

  private func expectIncomplete(
    _ scan: any ScanReader, _ fragments: String..., at location: SourceLocation = #_sourceLocation
  ) {
    let notice = scan.info.notices.first { $0.hasPrefix("the scan is not complete") }
    for fragment in fragments {
      #expect(notice?.contains(fragment) == true, "\(fragment): \(scan.info.notices)", sourceLocation: location)
    }
  }

  /// Five of nine frames came.
  @Test func `An NXtomo with fewer frames than keys and angles gives those that came`() throws {
    let file = try TestHDF5(path)
    try file.addText("/entry/definition", "NXtomo")
    try file.add("/entry/instrument/detector/data", [5, 2, 3])
    try file.add("/entry/instrument/detector/image_key", [9], [2, 1, 0, 0, 0, 0, 0, 1, 2])
    try file.add("/entry/sample/rotation_angle", [9], [0, 0, 0, 36, 72, 108, 144, 0, 0], units: "deg")
    let scan = try openScan(path: path)
    #expect(scan.info.counts == [3, 1, 1, 0] && scan.info.thetas == radians([0, 36, 72]))
    expectIncomplete(scan, "image_key has 9 values for 5 frames", "3 of 5 projections")
    expectFailure(65, "image_key has 9 values for 5 frames", "--strict") {
      _ = try openScan(path: path, selection: strict)
    }
  }

  @Test func `A DXchange with fewer frames than angles gives those that came`() throws {
    try makeDXchange(path, thetas: [0, 30, 60, 90, 120, 150], units: "degrees")
    let scan = try openScan(path: path)
    #expect(scan.info.counts == [4, 0, 0, 0] && scan.info.thetas == radians([0, 30, 60, 90]))
    expectIncomplete(scan, "/exchange/theta has 6 values for 4 frames", "4 of 6 projections")
    expectFailure(65, "/exchange/theta has 6 values", "--strict") { _ = try openScan(path: path, selection: strict) }
  }

  @Test func `Frames that were never written, or not all of them, are left out, whatever the library gives for them`()
    throws
  {
    let file = try TestHDF5(path)
    // Of six frames the second has no chunk, the fourth only the upper one of its two.
    try file.addPartly(
      "/exchange/data", [6, 4, 5], chunk: [1, 2, 5], fill: 65_535,
      boxes: [([0, 0, 0], [1, 4, 5]), ([2, 0, 0], [1, 4, 5]), ([3, 0, 0], [1, 2, 5]), ([4, 0, 0], [2, 4, 5])])
    try file.add("/exchange/theta", [6], [0, 30, 60, 90, 120, 150], units: "degrees")
    file.close()
    let scan = try openScan(path: path)
    #expect(scan.info.projectionCount == 4 && scan.info.thetas == radians([0, 60, 120, 150]))
    for projection in 0..<4 { #expect(try scan.values(.projection, projection).allSatisfy { $0 == 1 }) }
    expectIncomplete(scan, "2 of the 6 frames of /exchange/data were never written", ": 1, 3;", "4 of 6 projections")
    expectFailure(65, "never written", "--strict") { _ = try openScan(path: path, selection: strict) }
    // Nobody knows more of a dataset to which nothing was written than that it is empty.
    let other = folder.file("empty.h5"), empty = try TestHDF5(other)
    try empty.addPartly("/exchange/data", [6, 4, 5], chunk: [1, 2, 5], fill: 0, boxes: [])
    try empty.add("/exchange/theta", [6], [0, 30, 60, 90, 120, 150], units: "degrees")
    empty.close()
    #expect(try openScan(path: other).info.projectionCount == 6)
  }

  @Test func `Angles in even steps are those of the whole scan, not of what came`() throws {
    let file = try TestHDF5(path)
    try file.add("/data", [3, 2, 3])
    try file.add("/keys", [5], [1, 0, 0, 0, 0])
    var selection = ScanSelection()
    (selection.dataPath, selection.imageKeyPath) = ("/data", "/keys")
    let scan = try openScan(path: path, selection: selection)
    #expect(scan.info.thetas == radians([0, 45]))
  }

  /// Sources with 4 and 2 of 4 frames each.
  private func makeVirtual() throws {
    let type = try integerType(byteCount: 2, isSigned: false)
    try TestHDF5(folder.file("a.h5")).add("/frames", [4, 2, 3], type: type.id)
    try TestHDF5(folder.file("b.h5")).add("/frames", [2, 2, 3], (0..<12).map { 50 + Double($0) }, type: type.id)
    let file = try TestHDF5(path)
    try file.addText("/entry/definition", "NXtomo")
    try file.addVirtual(
      "/entry/instrument/detector/data", frames: [4, 2, 3], from: ["a.h5", "b.h5"], dataset: "/frames", type: type.id)
    try file.add("/entry/instrument/detector/image_key", [8], [2, 1, 0, 0, 0, 0, 0, 0])
    try file.add("/entry/sample/rotation_angle", [8], [0, 0, 0, 30, 60, 90, 120, 150], units: "deg")
  }

  @Test func `Frames that a source of a virtual dataset does not have are left out, and the source is named`() throws {
    try makeVirtual()
    let scan = try openScan(path: path)
    #expect(scan.info.counts == [4, 1, 1, 0] && scan.info.thetas == radians([0, 30, 60, 90]))
    #expect(try scan.values(.projection, 3) == (56..<62).map(Double.init))
    expectIncomplete(scan, folder.file("b.h5"), "2 of the 4 frames", "4 of 6 projections")
    expectFailure(65, "b.h5", "2 of the 4 frames", "--strict") { _ = try openScan(path: path, selection: strict) }
  }

  /// Four frames of six, in a file that is not closed.
  private func makeUnclosed(latest: Bool) throws -> TestHDF5 {
    let file = try TestHDF5(path, latest: latest)
    try file.add("/exchange/data", [4, 3, 5], chunk: [1, 3, 5])
    try file.add("/exchange/theta", [6], [0, 30, 60, 90, 120, 150], type: chdf5_double_le(), units: "degrees")
    try file.flush()
    return file
  }

  private func expectFourFrames(_ path: String) throws {
    let scan = try openScan(path: path)
    #expect(scan.info.projectionCount == 4 && scan.info.isGrowing)
    #expect(try scan.values(.projection, 3)[14] == 59)
    expectIncomplete(scan, "still being written", "4 of 6 projections")
    expectFailure(65, "--strict") { _ = try openScan(path: path, selection: strict) }
  }

  @Test func `A file that is open for SWMR gives what is there`() throws {
    let file = try makeUnclosed(latest: true)
    try file.startSWMR()
    // A copy has the writer's marks; the file itself is open in this process already.
    let copy = folder.file("copy.h5")
    try FileManager.default.copyItem(atPath: path, toPath: copy)
    file.close()
    try expectFourFrames(copy)
  }

  @Test func `A file that another program has locked gives what is on disk`() throws {
    try makeUnclosed(latest: false).close()
    let descriptor = open(path, O_RDWR | O_CLOEXEC)
    defer { close(descriptor) }
    try #require(flock(descriptor, LOCK_EX | LOCK_NB) == 0)
    try expectFourFrames(path)
  }

  @Test func `A file whose writer died names the remedy`() throws {
    let file = try TestHDF5(path, latest: true)
    try file.add("/exchange/data", [4, 3, 5])
    try file.flush()
    let copy = folder.file("copy.h5")
    try FileManager.default.copyItem(atPath: path, toPath: copy)
    file.close()
    expectFailure(65, copy, "h5clear", "SWMR") { _ = try openScan(path: copy) }
  }

  @Test func `What grew since it was opened first is cut to what there was`() throws {
    try makeDXchange(path)
    let counts = ImageCounts(try openScan(path: path).info)
    let file = try TestHDF5(path)
    try file.add("/exchange/data", [6, 3, 5])
    try file.add("/exchange/theta", [6], [0, 45, 90, 135, 7, 8], type: chdf5_double_le())
    file.close()
    do {
      let scan = try openScan(path: path, thetaUnit: .degrees).limited(to: counts)
      #expect(scan.info.counts == [4, 0, 0, 0] && scan.info.thetas == radians([0, 45, 90, 135]))
    }
    try makeDXchange(path, thetas: [0, 1, 2, 3])
    let larger = ImageCounts(try openScan(path: path).info)
    try TestHDF5(path).add("/exchange/data", [2, 3, 5])
    expectFailure(65, "fewer images") { _ = try openScan(path: path).limited(to: larger) }
  }
}
