import Foundation
import Host
import Run
import ScanFiles
import Simulation
import TestSupport
import Testing
import Tomography

extension Pipeline {
  @Suite struct VolumeTests {
    /// A noisy foam of 21 rows: not a multiple of any lane width.
    private func scan(in folder: TestFolder) throws -> String {
      let path = folder.file("foam.h5")
      let outcome = try Command.run(
        "simulate", path, "--rows", "21", "--columns", "75", "--projections", "40", "--rotation-axis", "35.25",
        "--seed", "7")
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      return path
    }

    @Test func `The volume has the same bits for 1, 2 and 3 workers and any number of threads`() throws {
      let folder = try TestFolder()
      let scan = try scan(in: folder)
      var checksums: [String: String] = [:]
      for (workers, threads) in [(1, 1), (1, 2), (2, 1), (2, 3), (3, 2)] {
        let name = "\(workers) workers, \(threads) threads"
        let outcome = try Command.run(
          "recon", scan, "--algorithm", "sirt", "--output-folder", folder.file("\(workers)-\(threads)"),
          "--rotation-axis", "35.25",
          "--window-length", "8",
          "--window-step", "3", "--window-iter", "2", "--final-iterations", "3", "--final-subsets", "4",
          "--non-negative", "--workers",
          "\(workers)", "--threads", "\(threads)", "--quiet", "--json")
        #expect(outcome.status == .exited(0), "\(outcome.errors)")
        let result = try outcome.result()
        checksums[name] = result.volumeSHA256 ?? "none"
        #expect(result.projections == 40 && result.lost == 0 && result.duplicates == 0)
        #expect(result.outputs.count == 22)
        #expect(try regions(of: result.run).isEmpty)
      }
      #expect(Set(checksums.values).count == 1, "\(checksums)")
    }

    @Test func `A foam comes back from its noisy projections`() throws {
      let folder = try TestFolder()
      let (rows, columns) = (6, 128)
      let scan = folder.file("foam.h5")
      _ = try Command.run(
        "simulate", scan, "--rows", "\(rows)", "--columns", "\(columns)", "--projections", "150", "--photons", "50000")
      for windows in [
        ["--window-step", "1", "--final-iterations", "20"], ["--window-step", "0", "--final-iterations", "60"],
      ] {
        let output = folder.file("out\(windows[1])")
        let outcome = try Command(
          ["recon", scan, "--algorithm", "sirt", "--output-folder", output, "--rotation-axis", "64", "--quiet"]
            + windows
        ).end()
        #expect(outcome.status == .exited(0), "\(outcome.errors)")
        let volume = try VolumeReader(path: output + "/foam_rec.h5")
        let foam = Foam(rows: rows, columns: columns, seed: 1, voidValue: 0)
        for row in 0..<rows {
          var (slice, truth) = (
            [Float](repeating: 0, count: columns * columns), [Float](repeating: 0, count: columns * columns)
          )
          try slice.withUnsafeMutableBufferPointer { try volume.readSlice(row, into: $0) }
          truth.withUnsafeMutableBufferPointer { foam.slice(row: row, columns: columns, supersampling: 4, into: $0) }
          let quality = slice.withUnsafeBufferPointer { slice in
            truth.withUnsafeBufferPointer { psnr(slice, reference: $0, columns: columns, radiusFraction: 0.475) }
          }
          // Noise limits it to about 17.5 dB after 60 iterations; a wrong geometry would stay below 10.
          #expect(quality > 16.5, "row \(row), \(windows): \(quality) dB")
        }
      }
    }

    @Test func `A volume that is forward-projected and reconstructed comes back`() throws {
      let folder = try TestFolder()
      let (rows, columns) = (3, 64)
      let volume = folder.file("volume.h5")
      let writer = try VolumeHDF5Writer(path: volume, slices: rows, columns: columns)
      var slice = [Float](repeating: 0, count: columns * columns)
      for y in 24..<40 { for x in 20..<44 { slice[y * columns + x] = 0.02 } }
      for z in 0..<rows { try slice.withUnsafeBufferPointer { try writer.write(slice: $0, at: z) } }
      try writer.finish()
      let scan = folder.file("scan.h5")
      let simulated = try Command.run(
        "simulate", scan, "--volume", volume, "--line-integrals", "--projections", "90", "--rotation-axis", "30",
        "--quiet")
      #expect(simulated.status == .exited(0), "\(simulated.errors)")
      let outcome = try Command.run(
        "recon", scan, "--algorithm", "sirt", "--output-folder", folder.file("out"), "--rotation-axis", "30",
        "--window-step", "0",
        "--final-iterations", "150",
        "--format", "hdf5")
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      #expect(outcome.errors.contains("no flat fields"))
      let reader = try VolumeReader(path: folder.file("out/scan_rec.h5"))
      var found = slice
      try found.withUnsafeMutableBufferPointer { try reader.readSlice(1, into: $0) }
      let distance = found.withUnsafeBufferPointer { found in
        slice.withUnsafeBufferPointer { relativeL2(found, reference: $0, columns: columns, radiusFraction: 0.45) }
      }
      #expect(distance < 0.12, "relative L2 \(distance)")
    }

    @Test func `Rows can be cropped, chosen by height and binned`() throws {
      let folder = try TestFolder()
      let scan = try scan(in: folder)
      let whole = folder.file("whole")
      let common = ["--rotation-axis", "35.25", "--window-step", "0", "--final-iterations", "2", "--quiet"]
      #expect(
        try Command(["recon", scan, "--algorithm", "sirt", "--output-folder", whole] + common).end().status
          == .exited(0))
      let cropped = folder.file("cropped")
      #expect(
        try Command(
          ["recon", scan, "--algorithm", "sirt", "--output-folder", cropped, "--start-row", "5", "--end-row", "9"]
            + common
        ).end()
          .status == .exited(0))
      for row in 5..<9 {
        let name = "/recon_0000\(row).tiff"
        #expect(
          FileManager.default.contents(atPath: whole + name) == FileManager.default.contents(atPath: cropped + name),
          "row \(row)")
      }
      let single = folder.file("single")
      #expect(
        try Command(["recon", scan, "--algorithm", "sirt", "--output-folder", single, "--nsino", "0.5"] + common).end()
          .status == .exited(0))
      #expect(try FileManager.default.contentsOfDirectory(atPath: single).contains("recon_00010.tiff"))
      let binned = folder.file("binned")
      #expect(
        try Command(
          ["recon", scan, "--algorithm", "sirt", "--output-folder", binned, "--binning", "1", "--bits", "16"] + common
        ).end().status
          == .exited(0))
      let volume = try VolumeReader(path: binned + "/foam_rec.h5")
      #expect(volume.slices == 10 && volume.columns == 37)
    }

    @Test func `A run folder that is not kept takes nothing along that the run did not write`() throws {
      let folder = try TestFolder()
      let scan = try scan(in: folder)
      let kept = folder.file("kept")
      try FileManager.default.createDirectory(atPath: kept + "/log", withIntermediateDirectories: true)
      for name in ["/notes.txt", "/log/beam.log"] { try Data("notes".utf8).write(to: URL(filePath: kept + name)) }
      let outcome = try Command.run(
        "recon", scan, "--output-folder", kept, "--run-folder", kept, "--rotation-axis", "35.25", "--end-row", "1",
        "--final-iterations",
        "1",
        "--retain", "none", "--quiet")
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let names = try FileManager.default.contentsOfDirectory(atPath: kept).sorted()
      #expect(names == ["foam_rec.h5", "log", "notes.txt", "outputs.json", "recon_00000.tiff", "scan.yaml"])
      #expect(try FileManager.default.contentsOfDirectory(atPath: kept + "/log") == ["beam.log"])
    }

    @Test func `The configuration and the command line lie beside the output`() throws {
      let folder = try TestFolder()
      let scan = try scan(in: folder)
      let outcome = try Command.run(
        "recon", scan, "--output-folder", folder.file("out"), "--run-folder", folder.file("run"), "--rotation-axis",
        "35.25",
        "--final-iterations", "1", "--quiet")
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let yaml = try String(contentsOfFile: folder.file("out/scan.yaml"), encoding: .utf8)
      #expect(yaml.contains("--rotation-axis 35.25") && yaml.contains("final-iterations: 1"))
      let status = try JSONDecoder().decode(
        RunStatus.self, from: Data(contentsOf: URL(filePath: folder.file("run/status.json"))))
      #expect(status.phase == .finished && status.acquired == 40 && !status.stages.contains(where: \.isRunning))
      #expect(
        status.updates == status.updatesExpected && status.reconstructed == 40
          && status.stages.allSatisfy { $0.lag == 0 })
      let shown = try Command.run("status", folder.file("run"))
      #expect(
        shown.status == .exited(0) && shown.output.contains("projections 40/40")
          && shown.output.contains("reconstruct.0"))
      expectFailure(66, try Command.run("status", folder.path), "not the folder of a run")
      let again = try Command.run(
        "recon", scan, "--output-folder", folder.file("out"), "--run-folder", folder.file("run"), "--rotation-axis",
        "35.25")
      expectFailure(73, again, "holds another run")
      let gone = try Command.run(
        "recon", scan, "--output-folder", folder.file("other"), "--run-folder", folder.file("gone"), "--rotation-axis",
        "35.25",
        "--retain", "none", "--quiet")
      #expect(gone.status == .exited(0) && !FileManager.default.fileExists(atPath: folder.file("gone")))
    }
  }
}
