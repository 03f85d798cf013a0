import Detectors
import Foundation
import Glibc
import Host
import Run
import ScanFiles
import TestSupport
import Testing

extension Pipeline {
  /// TIFF files that appear in a folder.
  @Suite struct FolderTests {
    private let folder: TestFolder
    private let scan: String
    private let watched: String
    private static let (rows, columns, projections) = (4, 48, 30)

    init() throws {
      folder = try TestFolder()
      scan = folder.file("foam.h5")
      watched = folder.file("tiffs")
      try FileManager.default.createDirectory(atPath: watched, withIntermediateDirectories: false)
      let outcome = try Command.run(
        "simulate", scan, "--rows", "\(Self.rows)", "--columns", "\(Self.columns)", "--projections",
        "\(Self.projections)",
        "--line-integrals", "--quiet")
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
    }

    private func recon(_ input: String, _ name: String, _ options: [String] = []) throws -> Command {
      try Command(
        [
          "recon", input, "--algorithm", "sirt", "--output-folder", folder.file(name), "--run-folder",
          folder.file(name + "-run"),
          "--rotation-axis", "24",
          "--window-length", "6", "--final-iterations", "2", "--lag-max", "0", "--minus-log", "no", "--quiet", "--json",
        ] + options)
    }

    private var live: [String] {
      ["--shape", "\(Self.rows),\(Self.columns)", "--projections", "\(Self.projections)", "--pixel", "float32"]
    }

    /// Writes one projection as a TIFF.
    private func write(_ index: Int, _ reader: any ScanReader, to path: String) throws {
      let image = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.rows * Self.columns * 4, alignment: 64)
      defer { image.deallocate() }
      try reader.readProjection(index, rows: 0..<Self.rows, into: image)
      try writeTIFF(
        path: path, columns: Self.columns, rows: Self.rows,
        values: UnsafeBufferPointer(image.assumingMemoryBound(to: Float.self)),
        description: "projection \(index)")
    }

    @Test func `Files that appear one by one, some of them slowly, give the volume that the scan file gives`() throws {
      let reference = try recon(scan, "reference").end().result()
      let reader = try openScan(path: scan)
      let command = try recon("watch:\(watched)", "live", live + ["--first-frame", "1"])
      try "no image".write(toFile: watched + "/readme.txt", atomically: true, encoding: .utf8)
      for index in 0..<Self.projections {
        let path = "\(watched)/projection_\(100 + index - 99).tif".replacingOccurrences(
          of: "_", with: index < 9 ? "_0" : "_")
        if index % 10 != 4 {
          try write(index, reader, to: path)
          continue
        }
        // In two pieces, with a pause in which the file is settled and cut short.
        try write(index, reader, to: folder.file("whole.tif"))
        let bytes = try Data(contentsOf: URL(filePath: folder.file("whole.tif")))
        try bytes.prefix(300).write(to: URL(filePath: path))
        usleep(400_000)
        let file = try FileHandle(forUpdating: URL(filePath: path))
        try file.seekToEnd()
        try file.write(contentsOf: bytes.dropFirst(300))
        try file.close()
      }
      let outcome = try command.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result()
      #expect(result.volumeSHA256 == reference.volumeSHA256 && result.lost == 0 && result.duplicates == 0)
    }

    @Test func `A file of another shape is lost and named, and a missing number too`() throws {
      let reader = try openScan(path: scan)
      for index in 0..<Self.projections where index != 7 {
        try write(index, reader, to: "\(watched)/p\(1000 + index).tiff")
      }
      try [Float](repeating: 1, count: 9).withUnsafeBufferPointer {
        try writeTIFF(path: watched + "/p1003.tiff", columns: 3, rows: 3, values: $0, description: "another")
      }
      let outcome = try recon("watch:\(watched)", "live", live + ["--first-frame", "1000"]).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let losses = try JSONDecoder().decode(
        LossReport.self, from: Data(contentsOf: URL(filePath: folder.file("live-run/losses.json"))))
      #expect(losses.gaps == [[1003, 1003], [1007, 1007]] && losses.malformed == ["wrong-shape": 1])
      #expect(try outcome.result().projections == Self.projections - 2)
    }

    @Test func `Names without zeros are taken as people count, and one cut file ends nothing before the others came`()
      throws
    {
      let reader = try openScan(path: scan)
      let cut = "\(watched)/p_9.tif"
      for index in 0..<Self.projections { try write(index, reader, to: "\(watched)/p_\(index).tif") }
      try Data(contentsOf: URL(filePath: cut)).prefix(400).write(to: URL(filePath: cut))
      // Shorter than the cut file is waited for.
      let outcome = try recon("watch:\(watched)", "live", live + ["--source-timeout", "1"]).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let losses = try JSONDecoder().decode(
        LossReport.self, from: Data(contentsOf: URL(filePath: folder.file("live-run/losses.json"))))
      #expect(try outcome.result().projections == Self.projections - 1)
      #expect(losses.gaps == [[9, 9]], "\(losses)")
      try copyScan(
        scan, to: folder.file("others.h5"), projections: (0..<Self.projections).filter { $0 != 9 },
        degrees: 180 / Double(Self.projections))
      let others = try recon(folder.file("others.h5"), "others").end().result()
      #expect(try outcome.result().volumeSHA256 == others.volumeSHA256)
    }

    @Test func `A folder that is not there is no input`() throws {
      expectFailure(66, try recon("watch:\(folder.file("none"))", "out", live).end(), "none", "folder")
      expectFailure(64, try recon("watch:", "out", live).end(), "no folder")
    }
  }
}
