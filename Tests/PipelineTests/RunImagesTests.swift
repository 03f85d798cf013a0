import Foundation
import Host
import Run
import TestSupport
import Testing

extension Pipeline {
  /// What somebody who looks sees of a run's projections.
  @Suite struct RunImagesTests {
    private let folder: TestFolder
    private let scan: String
    private let rows = 7, columns = 48, projections = 60
    private let darks = 2, flats = 3

    init() throws {
      folder = try TestFolder()
      scan = folder.file("foam.h5")
      let outcome = try Command.run(
        "simulate", scan, "--rows", "\(rows)", "--columns", "\(columns)", "--projections", "\(projections)", "--darks",
        "\(darks)", "--flats", "\(flats)", "--quiet")
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
    }

    private func run(_ options: String...) throws -> RunImages {
      let outcome = try Command(
        [
          "recon", scan, "--output-folder", folder.file("out"), "--run-folder", folder.file("run"), "--algorithm",
          "sirt", "--final-iterations", "1", "--window-length", "6", "--rotation-axis", "24", "--quiet",
        ] + options
      ).end()
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
      return try RunImages(folder: RunFolder(path: folder.file("run")))
    }

    /// Images of the scan in the file's order: darks, flats, projections.
    private func images() throws -> [[Float]] {
      try Senders.writeRaw(scan, to: folder.file("raw"), fields: true)
      let bytes = try Data(contentsOf: URL(filePath: folder.file("raw")))
      let pixels = bytes.withUnsafeBytes { bytes in
        (0..<bytes.count / 2).map { Float(bytes.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self)) }
      }
      let size = rows * columns
      return (0..<pixels.count / size).map { Array(pixels[$0 * size..<($0 + 1) * size]) }
    }

    private func mean(_ images: ArraySlice<[Float]>) -> [Float] {
      images[images.startIndex].indices.map { pixel in
        Float(images.reduce(0) { $0 + Double($1[pixel]) } / Double(images.count))
      }
    }

    @Test func `The newest projection, its correction and sinograms are those of the file`() throws {
      let images = try run(), file = try self.images()
      let dark = mean(file[..<darks]), flat = mean(file[darks..<darks + flats])
      let scanned = Array(file[(darks + flats)...])
      #expect(scanned.count == projections)
      func corrected(_ image: [Float]) -> [Float] {
        image.indices.map { -logf((image[$0] - dark[$0]) / (flat[$0] - dark[$0])) }
      }
      let description = images.describe()
      #expect(description.rows == rows && description.columns == columns && description.step == 1)
      #expect(description.newest == UInt64(projections - 1))
      let soon = ContinuousClock.now + .seconds(30)
      let raw = try #require(images.projection(.raw, until: soon))
      #expect(raw.columns == columns && raw.rows == rows && raw.values == scanned[projections - 1])
      let line = try #require(images.projection(.corrected, until: soon))
      for (value, expected) in zip(line.values, corrected(scanned[projections - 1])) where expected.isFinite {
        #expect(abs(value - expected) < 1e-5)
      }
      for row in [0, 3, rows - 1] {
        let sinogram = try #require(images.sinogram(.raw, row: row, until: soon))
        #expect(sinogram.isComplete && sinogram.rows == projections && sinogram.columns == columns)
        #expect(sinogram.values == scanned.flatMap { $0[row * columns..<(row + 1) * columns] })
        let lines = try #require(images.sinogram(.corrected, row: row, until: soon))
        let expected = scanned.flatMap { corrected($0)[row * columns..<(row + 1) * columns] }
        #expect(zip(lines.values, expected).allSatisfy { abs($0 - $1) < 1e-5 || !$1.isFinite })
      }
    }

    @Test func `What takes longer than a turn comes with the next ones, and nothing twice`() throws {
      let images = try run()
      var counts: [Int] = []
      for _ in 0..<200 {
        guard let sinogram = images.sinogram(.raw, row: 2, until: .now) else { continue }
        counts.append(sinogram.rows)
        if sinogram.isComplete { break }
      }
      #expect(counts.last == projections && zip(counts, counts.dropFirst()).allSatisfy { $0 <= $1 })
    }

    @Test func `With filters, what is corrected is what the filters made`() throws {
      let images = try run("--zingers", "0.5"), soon = ContinuousClock.now + .seconds(30)
      let raw = try #require(images.projection(.raw, until: soon))
      let corrected = try #require(images.projection(.corrected, until: soon))
      #expect(raw.values.max() ?? 0 > 1000)
      #expect(corrected.values.allSatisfy { $0.isNaN || abs($0) < 20 })
      #expect(images.sinogram(.corrected, row: 1, until: soon)?.rows == projections)
    }

    @Test func `A projection that is damaged on disk is left out`() throws {
      let images = try run(), soon = ContinuousClock.now + .seconds(30)
      let journal = folder.file("run/journal/projections.0")
      let segment = try #require(try FileManager.default.contentsOfDirectory(atPath: journal).sorted().first)
      let file = try FileHandle(forUpdating: URL(filePath: "\(journal)/\(segment)"))
      // A byte of a record in the middle: of its header, or of its pixels.
      let size = try file.seekToEnd()
      try file.seek(toOffset: size / 2 / 4096 * 4096 + 40)
      let byte = try #require(try file.read(upToCount: 1)?.first)
      try file.seek(toOffset: size / 2 / 4096 * 4096 + 40)
      try file.write(contentsOf: Data([byte ^ 0xFF]))
      try file.close()
      let sinogram = try #require(images.sinogram(.raw, row: 2, until: soon))
      #expect(sinogram.rows == projections - 1)
    }
  }
}
