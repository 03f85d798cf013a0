import Foundation
import Host
import Run
import ScanFiles
import TestSupport
import Testing

extension Pipeline {
  /// What an output says of itself, and what programs of others read of it.
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

    private func recon(_ name: String, _ options: [String], faults: String? = nil) throws -> RunResult {
      let outcome = try Command(
        [
          "recon", scan, "--output-folder", folder.file(name), "--algorithm", "sirt", "--window-step", "0",
          "--final-iterations", "2", "--binning", "1", "--json", "--quiet",
        ] + options, faults: faults
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

    /// Every file below a folder, by its path.
    private func files(in name: String) throws -> [String: Data] {
      let names = try FileManager.default.subpathsOfDirectory(atPath: folder.file(name))
      return Dictionary(
        uniqueKeysWithValues: names.compactMap { path in
          FileManager.default.contents(atPath: folder.file("\(name)/\(path)")).map { (path, $0) }
        })
    }

    @Test func `An export that is killed again and again leaves the same resolutions`() throws {
      let options = ["--rotation-axis", "31", "--format", "zarr", "--retain", "none"]
      let whole = try recon("whole", options)
      let killed = try recon(
        "killed", options, faults: "export=export-half:1,rename-before:2,rename-before:4,rename-after:5,export-after:1")
      #expect(killed.restarts["export"] == 5 && killed.volumeSHA256 == whole.volumeSHA256)
      #expect(killed.outputs == [folder.file("killed/foam_rec.zarr")])
      let chunks = ["whole", "killed"].map { name in
        (try? files(in: "\(name)/foam_rec.zarr"))?.filter { $0.key != "zarr.json" } ?? [:]
      }
      #expect(chunks[0].count == 2 && chunks[0] == chunks[1])
      #expect(try folder.names(in: "killed") == ["foam_rec.zarr", "outputs.json", "scan.yaml"])
      // The next one makes room for itself.
      let outcome = try Command([
        "recon", scan, "--output-folder", folder.file("killed"), "--rotation-axis", "31", "--format", "tiff",
        "--overwrite", "--quiet",
      ]).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      #expect(try !folder.names(in: "killed").contains("foam_rec.zarr"))
    }

    /// What the script of Tests/Readers says.
    private func read(_ name: String) throws -> [String: Any] {
      let script = Senders.root.appending(path: "Tests/Readers/read_outputs.py").path
      let outcome = try Command(
        [script, folder.file(name), "foam"], executable: #require(Senders.readers)
      ).end()
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
      return try #require(JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
    }

    @Test(.enabled(if: Senders.readers != nil, "Python with h5py, silx, tifffile and ome-zarr cannot be installed"))
    func `Programs of others read volume, positions, resolutions and where all of it comes from`() throws {
      let result = try recon(
        "out",
        ["--rotation-axis", "31", "--format", "all", "--start-row", "2", "--run-folder", folder.file("run")])
      let found = try read("out")
      // The result's checksum is that of the values that anybody reads.
      #expect(result.volumeSHA256 != nil && found["sha256"] as? String == result.volumeSHA256)
      #expect(found["signal"] as? Bool == true && found["axes"] as? [String] == ["z", "y", "x"])
      #expect(found["units"] as? [String] == ["um", "um", "um"] && found["interpretation"] as? String == "image")
      #expect(found["z"] as? [Double] == [10, 20] && (found["x"] as? [Double])?.first == -155)
      #expect(found["rotation_axis"] as? String == "31.0" && found["definition"] as? String == "NXtomoproc")
      #expect(found["thetas"] as? Int == Self.projections && found["title"] as? String == "foam")
      let parameters = Set(found["parameters"] as? [String] ?? [])
      #expect(parameters.isSuperset(of: ["raw_file", "binning", "final_iterations", "algorithm"]))
      #expect(found["software"] as? String == "Slipring \(programVersion)")
      #expect((found["resolution"] as? [Double])?.allSatisfy { abs($0 - 1000) < 0.01 } == true)
      #expect(found["resolutionunit"] as? Int == 3)
      #expect(found["imagej"] as? NSDictionary == ["unit": "cm", "spacing": 0.001])
      let zarr = try #require(found["zarr"] as? [String: Any])
      #expect(zarr["format"] as? Int == 3 && zarr["shapes"] as? [[Int]] == [[2, 32, 32]])
      #expect((zarr["axes"] as? [NSDictionary])?.first == ["name": "z", "type": "space", "unit": "micrometer"])

      let outcome = try Command([
        "export", folder.file("run"), "--format", "all", "--bits", "16", "--range", "P1,P99", "--zarr-version", "0.4",
        "--compress", "--output-folder", folder.file("again"),
      ]).end()
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
      let again = try read("again")
      #expect(again["sha256"] as? String == found["sha256"] as? String && again["compression"] as? String == "gzip")
      #expect(again["bits"] as? Int == 16 && (again["description"] as? String)?.contains("; range: ") == true)
      #expect((again["description"] as? String)?.contains("0 outside the inscribed disk") == true)
      #expect((again["zarr"] as? [String: Any])?["format"] as? Int == 2)
    }

    @Test(
      .enabled(if: Senders.napari != nil, "SLIPRING_TEST_NAPARI is not set, or napari-ome-zarr cannot be installed"),
      arguments: [
        "0.5", "0.4",
      ]) func `napari's reader opens the volume with its axes, units and scale`(version: String) throws
    {
      _ = try recon("out", ["--rotation-axis", "31", "--format", "all", "--zarr-version", version])
      let script = Senders.root.appending(path: "Tests/Readers/read_napari.py").path
      let outcome = try Command(
        [script, folder.file("out/foam_rec.zarr"), folder.file("out/foam_rec.h5")],
        executable: #require(Senders.napari)
      ).end()
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
      let found = try #require(JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? NSDictionary)
      #expect(
        found == [
          "kind": "image", "shapes": [[3, 32, 32]], "axes": ["z", "y", "x"],
          "units": ["micrometer", "micrometer", "micrometer"], "scale": [10.0, 10.0, 10.0],
        ], "\(found)")
    }
  }
}
