import Foundation
import Host
import Run
import ScanFiles
import Simulation
import TestSupport
import Testing
import Tomography

extension Pipeline {
  @Suite struct AlgorithmTests {
    private static let runs: [[String]] = [
      ["--algorithm", "mlem"], ["--algorithm", "osem", "--final-subsets", "5"],
      ["--algorithm", "pml-quad", "--reg", "5"],
      ["--algorithm", "pml-hybrid", "--reg", "5,0.005"], ["--algorithm", "fbp", "--filter", "shepp-logan"],
      ["--algorithm", "mlem", "--initial", "fbp"], ["--algorithm", "sirt", "--initial", "fbp", "--filter", "hann"],
      ["--algorithm", "sirt", "--window-subsets", "2"], ["--algorithm", "sirt"], [],
      ["--algorithm", "osem", "--final", "auto"],
      ["--final", "cgls"], ["--final", "mlem"], ["--algorithm", "mlem", "--final", "sirt"],
    ]

    /// A noisy foam of 6 rows.
    private func scan(in folder: TestFolder) throws -> String {
      let path = folder.file("foam.h5")
      let outcome = try Command.run(
        "simulate", path, "--rows", "6", "--columns", "75", "--projections", "60", "--rotation-axis", "38", "--seed",
        "3", "--quiet")
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
      return path
    }

    /// One of the two runs loses a worker before its first volume is complete and another in its sweep.
    @Test(arguments: runs)
    func `Every method makes the same good volume for any number of workers and threads and through deaths`(
      options: [String]
    ) throws {
      let folder = try TestFolder()
      let scan = try scan(in: folder)
      var checksums: Set<String> = []
      let isOnePass = options.contains("shepp-logan")
      for (workers, threads, faults) in [
        ("1", "2", nil), ("2", "1", "reconstruct.0=flip-before:1;reconstruct.1=block-swept:1"),
      ] {
        let outcome = try Command(
          [
            "recon", scan, "--output-folder", folder.file(workers), "--rotation-axis", "38", "--window-length", "12",
            "--window-step", "4", "--workers", workers, "--threads", threads, "--format", "hdf5", "--json",
            "--quiet",
          ] + (isOnePass ? [] : ["--final-iterations", "8"]) + options, faults: faults
        ).end()
        #expect(outcome.status == .exited(0), "\(outcome.errors)")
        let result = try outcome.result()
        checksums.insert(result.volumeSHA256 ?? "none")
        #expect(result.updates == 60 / 4 + 12 / 4 - 1 + (isOnePass ? 1 : 8) && result.lost == 0)
        #expect(result.restarts.values.reduce(0, +) == (faults == nil ? 0 : 2))
      }
      #expect(checksums.count == 1, "\(checksums)")
      let quality = try quality(folder.file("1/foam_rec.h5"))
      // Another method than the windows' begins anew, and eight iterations are few.
      let isAnew = options.contains("--final") && !options.contains("auto")
      #expect(quality > (isAnew ? 9.5 : 13.5), "\(quality) dB")
    }

    private func quality(_ path: String) throws -> Double {
      let volume = try VolumeReader(path: path), columns = volume.columns
      let foam = Foam(rows: 6, columns: columns, seed: 3, voidValue: 0)
      var (slice, truth) = (
        [Float](repeating: 0, count: columns * columns), [Float](repeating: 0, count: columns * columns)
      )
      try slice.withUnsafeMutableBufferPointer { try volume.readSlice(2, into: $0) }
      truth.withUnsafeMutableBufferPointer { foam.slice(row: 2, columns: columns, supersampling: 4, into: $0) }
      return slice.withUnsafeBufferPointer { slice in
        truth.withUnsafeBufferPointer { psnr(slice, reference: $0, columns: columns, radiusFraction: 0.475) }
      }
    }

    @Test func `Line integrals below zero are counted where a method cannot use them`() throws {
      let folder = try TestFolder()
      let scan = try scan(in: folder)
      for (algorithm, isCounted) in [("mlem", true), ("sirt", false)] {
        let outcome = try Command.run(
          "recon", scan, "--output-folder", folder.file(algorithm), "--rotation-axis", "38", "--algorithm", algorithm,
          "--window-step", "8",
          "--final-iterations", "1", "--format", "hdf5")
        #expect(outcome.status == .exited(0), "\(outcome.errors)")
        #expect(
          outcome.errors.contains("line integrals below zero were taken for zero") == isCounted, "\(outcome.errors)")
      }
    }

    // cgls makes no windows of a file and sums squares in double precision: to it this is a scan like others.
    @Test(arguments: ["auto", "sirt", "mlem", "pml-quad", "pml-hybrid", "fbp"])
    func `A residual that is not finite ends the run`(algorithm: String) throws {
      let folder = try TestFolder()
      let path = folder.file("huge.h5")
      let writer = try DXchangeWriter(
        path: path, projectionCount: 8, rows: 1, columns: 16, pixel: .float32, flatCount: 0, darkCount: 0,
        thetasDegrees: (0..<8).map { Double($0) * 22.5 })
      // Finite, and their squares are not.
      for index in 0..<8 {
        try [Float](repeating: 1e25, count: 16).withUnsafeBytes { try writer.writeProjection(index, $0) }
      }
      try writer.finish()
      let outcome = try Command.run(
        "recon", path, "--output-folder", folder.file("out"), "--rotation-axis", "8", "--algorithm", algorithm,
        "--quiet")
      expectFailure(65, outcome, "diverged", "is not finite")
      #expect(!FileManager.default.fileExists(atPath: folder.file("out/huge_rec.h5")))
    }
  }
}
