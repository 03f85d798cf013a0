import Foundation
import Host
import TestSupport
import Testing

@testable import ScanFiles

/// Files that are followed while they are written.
@Suite struct GrowingFramesTests {
  let folder: TestFolder
  let path: String

  init() throws {
    folder = try TestFolder()
    path = folder.file("scan.nxs")
  }

  /// What a reader sees of a file whose writer has it open for SWMR: this process has it open already, so a copy.
  private func look(
    keys: [Double]?, angles: [Double], chunk: [Int]?, selection: ScanSelection = ScanSelection(),
    thetaUnit: ThetaUnit = .automatic, _ more: (TestHDF5) throws -> Void = { _ in }
  ) throws -> GrowingFrames {
    let file = try TestHDF5(path, latest: true)
    let detector = "/entry/instrument/detector"
    try file.addText("/entry/definition", "NXtomo")
    if let chunk {
      try file.addChunked("\(detector)/data", [6, 2, 3], chunk: chunk)
    } else {
      try file.add("\(detector)/data", [6, 2, 3])
    }
    if let keys { try file.add("\(detector)/image_key", [keys.count], keys, chunk: [min(4, keys.count)]) }
    try file.add("/entry/sample/rotation_angle", [angles.count], angles, chunk: [4])
    try more(file)
    try file.flush()
    try file.startSWMR()
    let copy = folder.file("copy.nxs")
    try? FileManager.default.removeItem(atPath: copy)
    try FileManager.default.copyItem(atPath: path, toPath: copy)
    file.close()
    return try #require(try GrowingFrames(path: copy, selection: selection, thetaUnit: thetaUnit))
  }

  @Test func `A file says how many frames of each kind will come, where it has keys for all of them`() throws {
    let angles: [Double] = [0, 0, 0, 45, 90, 135]
    let frames = try look(keys: [2, 1, 0, 0, 0, 0], angles: angles, chunk: [1, 2, 3])
    #expect(frames.isGrowing && frames.count == 0 && frames.shape == (2, 3) && frames.pixel == .float32)
    #expect(try frames.planned() == .init(projections: 4, flats: 1, darks: 1))
    // Keys that are not all there yet say nothing of the rest.
    let short = try look(keys: [2, 1, 0], angles: angles, chunk: [1, 2, 3])
    #expect(try short.planned() == .init(projections: nil, flats: 1, darks: 1))
    #expect(
      try look(keys: nil, angles: angles, chunk: [1, 2, 3]).planned() == .init(projections: 6, flats: 0, darks: 0))
  }

  @Test func `Frames that may still be written are waited for, whatever room they have`() throws {
    for (chunk, words) in [(nil, "not stored in chunks"), ([2, 2, 3], "2 frames a chunk")] as [([Int]?, String)] {
      let frames = try look(keys: nil, angles: [0, 1, 2, 3, 4, 5], chunk: chunk)
      #expect(frames.count == 0 && frames.notices.contains { $0.contains(words) }, "\(frames.notices)")
    }
    // Of a file that its writer has closed, all are there.
    try TestHDF5(adding: path).close()
    let closed = folder.file("closed.h5")
    try makeDXchange(closed)
    let frames = try #require(try GrowingFrames(path: closed, selection: ScanSelection()))
    #expect(!frames.isGrowing && frames.count == 4)
    #expect(try frames.planned() == .init(projections: 4, flats: 0, darks: 0))
  }

  @Test func `Angles have the unit that somebody says, else the file, and else degrees with a notice`() throws {
    func unit(_ wanted: ThetaUnit, _ units: String?) throws -> (Bool, Bool) {
      let frames = try look(keys: nil, angles: [0, 1, 2, 3, 4, 5], chunk: [1, 2, 3], thetaUnit: wanted) {
        if let units { try $0.setUnits(units, of: "/entry/sample/rotation_angle") }
      }
      return (frames.usesRadians, frames.notices.contains { $0.contains("no unit") })
    }
    #expect(try unit(.automatic, nil) == (false, true) && unit(.radians, nil) == (true, false))
    #expect(try unit(.automatic, "rad") == (true, false) && unit(.degrees, "rad") == (false, false))
  }

  @Test func `What is mirrored is mirrored back, and what is not used is told`() throws {
    let byte = try integerType(byteCount: 1, isSigned: false)
    _ = try look(keys: nil, angles: [0, 1, 2, 3, 4, 5], chunk: nil) {
      try $0.add("/entry/instrument/detector/x_flipped", [], [1], type: byte.id)
      try $0.add("/entry/control/data", [6])
    }
    // Closed, so that its frames can be read.
    func first(_ flips: FrameFlips) throws -> (values: [Float], notices: [String]) {
      var selection = ScanSelection()
      selection.flips = flips
      let frames = try #require(try GrowingFrames(path: path, selection: selection))
      var pixels = [Float](repeating: 0, count: 6)
      try pixels.withUnsafeMutableBytes { try frames.read(0, into: $0) }
      return (pixels, frames.notices)
    }
    let (values, notices) = try first(.file)
    #expect(values == [2, 1, 0, 5, 4, 3])
    #expect(notices.contains { $0.contains("mirrored left-right") })
    #expect(notices.contains { $0.contains("/entry/control/data") && $0.contains("not used") })
    #expect(try first(.none).values == [0, 1, 2, 3, 4, 5])
  }
}
