import Foundation
import Glibc
import Host
import Run
import ScanFiles
import TestSupport
import Testing

extension Pipeline {
  /// What an output says of itself.
  @Suite struct OutputReadersTests {
    private static let (rows, columns, projections) = (6, 64, 60)
    private let folder: TestFolder
    private let scan: String

    init() throws {
      folder = try TestFolder()
      scan = folder.file("foam.h5")
      let raw = folder.file("raw.h5")
      let outcome = try Command.run(
        "simulate", raw, "--rows", "\(Self.rows)", "--columns", "\(Self.columns)", "--projections",
        "\(Self.projections)", "--rotation-axis", "31", "--line-integrals", "--quiet")
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
      try addPixelSize(to: raw)
    }

    /// The same scan with pixels of 5 µm.
    private func addPixelSize(to raw: String) throws {
      let reader = try openScan(path: raw)
      let info = reader.info
      let writer = try DXchangeWriter(
        path: scan, projectionCount: info.projectionCount, rows: info.rows, columns: info.columns, pixel: .float32,
        flatCount: 0, darkCount: 0, thetasDegrees: info.thetas.map { $0 * 180 / .pi }, pixelSizeMillimetres: 0.005)
      let image = UnsafeMutableRawBufferPointer.allocate(byteCount: info.rows * info.columns * 4, alignment: 64)
      defer { image.deallocate() }
      for index in 0..<info.projectionCount {
        try reader.readProjection(index, rows: 0..<info.rows, into: image)
        try writer.writeProjection(index, UnsafeRawBufferPointer(image))
      }
      try writer.finish()
    }

    private func recon(_ name: String, _ options: [String]) throws -> RunResult {
      let outcome = try Command(
        [
          "recon", scan, "--output-folder", folder.file(name), "--algorithm", "sirt", "--window-step", "0",
          "--final-iterations", "2", "--binning", "1", "--json", "--quiet",
        ] + options
      ).end()
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
      return try outcome.result()
    }

    @Test func `The axis that an output names is the one that makes it again, whatever the binning`() throws {
      let found = try recon("found", ["--format", "hdf5"])
      #expect(abs(found.rotationAxis - 31) < 1)
      let again = try recon("again", ["--format", "hdf5", "--rotation-axis", "\(found.rotationAxis)"])
      #expect(again.volumeSHA256 == found.volumeSHA256 && again.rotationAxis == found.rotationAxis)
      let yaml = try String(contentsOfFile: folder.file("found/scan.yaml"), encoding: .utf8)
      #expect(yaml.contains("rotation-axis: \(found.rotationAxis)"), "\(yaml)")
    }
  }
}
