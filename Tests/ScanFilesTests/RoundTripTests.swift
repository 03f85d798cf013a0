import Foundation
import Host
import ScanFiles
import TestSupport
import Testing

@Suite struct RoundTripTests {
  let folder: TestFolder
  let path: String

  init() throws {
    folder = try TestFolder()
    path = folder.file("out.h5")
  }

  private func writer(pixel: PixelType, attributes: [String: String] = [:]) throws -> DXchangeWriter {
    try DXchangeWriter(
      path: path, projectionCount: 3, rows: 2, columns: 4, pixel: pixel, flatCount: 2, darkCount: 1,
      thetasDegrees: [0, 60, 120],
      pixelSizeMillimetres: 0.005, attributes: attributes)
  }

  /// Frame `number` has the values 100 × number, 100 × number + 1, …
  private func frame<Pixel>(_ number: Int, _ make: (Int) -> Pixel) -> [Pixel] {
    (0..<8).map { make(100 * number + $0) }
  }

  private func write<Pixel>(_ writer: DXchangeWriter, _ make: (Int) -> Pixel) throws {
    for index in [2, 0, 1] { try frame(index, make).withUnsafeBytes { try writer.writeProjection(index, $0) } }
    for index in 0..<2 { try frame(3 + index, make).withUnsafeBytes { try writer.writeFlat(index, $0) } }
    try frame(5, make).withUnsafeBytes { try writer.writeDark(0, $0) }
  }

  @Test(arguments: [PixelType.uint16, .float32]) func `a written scan is read back as it was`(pixel: PixelType) throws {
    let writer = try writer(pixel: pixel, attributes: ["description": "transmission"])
    if pixel == .uint16 { try write(writer) { UInt16($0) } } else { try write(writer) { Float($0) } }
    try writer.writeAttribute("seed", "7")
    #expect(try folder.names().allSatisfy { $0.hasPrefix(".") }, "nothing has the name yet")
    try writer.finish()
    #expect(try folder.names() == ["out.h5"])

    let scan = try openScan(path: path)
    #expect(scan.info.pixels == [pixel, pixel, pixel])
    #expect(scan.info.thetas == radians([0, 60, 120]))
    #expect(scan.info.pixelSizeMillimetres == 0.005)
    #expect(scan.info.notices == [])
    let frames =
      try (0..<3).map { try scan.values(.projection, $0) } + (0..<2).map { try scan.values(.flat, $0) } + [
        scan.values(.dark, 0)
      ]
    for number in 0..<6 {
      let expected = frame(number) { Double($0) }
      #expect(frames[number] == expected)
    }
  }

  @Test func `an abandoned or forgotten scan leaves nothing`() throws {
    try writer(pixel: .uint16).abandon()
    #expect(try folder.names() == [])
    do { _ = try writer(pixel: .uint16) }
    #expect(try folder.names() == [])
  }

  @Test func `a written volume is read back slice by slice`() throws {
    let writer = try VolumeHDF5Writer(path: path, slices: 3, columns: 17, attributes: ["units": "1/pixel"])
    for z in [2, 0, 1] {
      try (0..<17 * 17).map { Float(z * 1000 + $0) }.withUnsafeBufferPointer { try writer.write(slice: $0, at: z) }
    }
    let ledger = String(repeating: "lost: none; ", count: 10_000)
    try writer.finish(attributes: ["loss": ledger])

    let reader = try VolumeReader(path: path)
    #expect(reader.datasetName == "/exchange/data")
    #expect(reader.slices == 3 && reader.columns == 17)
    var slice = [Float](repeating: 0, count: 17 * 17)
    for z in 0..<3 {
      try slice.withUnsafeMutableBufferPointer { try reader.readSlice(z, into: $0) }
      let expected = (0..<17 * 17).map { Float(z * 1000 + $0) }
      #expect(slice == expected)
    }
  }

  @Test func `a volume replaces the file that had its name in one step`() throws {
    try writeFileAtomically(path: path, text: "old")
    let writer = try VolumeHDF5Writer(path: path, slices: 1, columns: 1)
    try [Float(1)].withUnsafeBufferPointer { try writer.write(slice: $0, at: 0) }
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "old")
    try writer.finish()
    #expect(try VolumeReader(path: path).slices == 1)
  }

  @Test(arguments: ["/volume", "/data", "/some/where/else"])
  func `a volume is found by a usual name or because it is alone`(name: String)
    throws
  {
    let file = try TestHDF5(path)
    try file.add(name, [2, 3, 3])
    try file.add("/something", [3, 3])
    #expect(try VolumeReader(path: path).datasetName == name)
  }

  @Test func `a file without one volume of square slices is refused`() throws {
    try TestHDF5(path).add("/data", [2, 3, 4])
    expectFailure(65, "/data", "2 × 3 × 4", "square") { _ = try VolumeReader(path: path) }
    try TestHDF5(path).add("/other", [3, 4])
    expectFailure(65, "no volume") { _ = try VolumeReader(path: path) }
    let file = try TestHDF5(path)
    try file.add("/a", [2, 3, 3])
    try file.add("/b/c", [2, 3, 3])
    file.close()
    expectFailure(65, "/a", "/b/c") { _ = try VolumeReader(path: path) }
  }
}
