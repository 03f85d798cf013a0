import Foundation
import Glibc
import Host
import Scan
import ScanFiles
import TestSupport
import Testing
import Tomography

extension Pipeline {
  /// The denoised volume beside the reconstructed one.
  @Suite struct DenoiseTests {
    private static let (rows, columns) = (7, 128)
    private let folder: TestFolder
    private let scan: String

    init() throws {
      folder = try TestFolder()
      scan = folder.file("foam.h5")
      let outcome = try Command.run(
        "simulate", scan, "--rows", "\(Self.rows)", "--columns", "\(Self.columns)", "--projections", "90", "--photons", "1000", "--quiet")
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
    }

    private func reconstruct(_ name: String, _ options: [String], faults: String? = nil) throws -> RunResult {
      let outcome = try Command(
        ["recon", scan, "--output-folder", folder.file(name), "--rotation-axis", "64", "--window-step", "0", "--quiet", "--json"] + options,
        faults: faults
      ).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result()
      #expect(try regions(of: result.run).isEmpty)
      return result
    }

    private func slices(_ path: String) throws -> [[Float]] {
      let volume = try VolumeReader(path: path)
      return try (0..<Self.rows).map { row in
        var slice = [Float](repeating: 0, count: Self.columns * Self.columns)
        try slice.withUnsafeMutableBufferPointer { try volume.readSlice(row, into: $0) }
        return slice
      }
    }

    private func quality(_ slice: [Float], row: Int) -> Double {
      var truth = [Float](repeating: 0, count: slice.count)
      truth.withUnsafeMutableBufferPointer {
        Foam(rows: Self.rows, columns: Self.columns, seed: 1, voidValue: 0).slice(
          row: row, columns: Self.columns, supersampling: 4, into: $0)
      }
      return psnr(slice, truth)
    }

    private func psnr(_ slice: [Float], _ truth: [Float]) -> Double {
      slice.withUnsafeBufferPointer { slice in
        truth.withUnsafeBufferPointer { Tomography.psnr(slice, reference: $0, columns: Self.columns, radiusFraction: 0.475) }
      }
    }

    @Test(arguments: ["tv", "nlm", "median"]) func `A noisy foam gains at least 3 dB, and the undenoised volume is kept`(method: String)
      throws
    {
      let plain = try reconstruct("plain", ["--algorithm", "fbp"])
      let result = try reconstruct(method, ["--algorithm", "fbp", "--denoise", method])
      #expect(result.volumeSHA256 == plain.volumeSHA256 && result.denoisedSHA256 != nil && plain.denoisedSHA256 == nil)
      #expect(result.outputs.count == 2 * (Self.rows + 1))
      let path = folder.file(method)
      let (before, after) = (try slices(path + "/foam_rec.h5"), try slices(path + "/foam_denoised.h5"))
      for row in 0..<Self.rows {
        let (noisy, denoised) = (quality(before[row], row: row), quality(after[row], row: row))
        #expect(denoised >= noisy + 3, "\(method), row \(row): \(noisy) → \(denoised) dB")
        #expect(FileManager.default.fileExists(atPath: path + "/denoised_0000\(row).tiff"))
      }
      let dump = try Data(contentsOf: URL(filePath: path + "/foam_denoised.h5"))
      #expect(dump.range(of: Data("denoised by ".utf8)) != nil)
    }

    @Test func `The denoised volume has the same bits for any workers and threads, and whoever is killed`() throws {
      let options = ["--final-iterations", "3", "--denoise", "nlm"]
      let reference = try reconstruct("reference", options + ["--workers", "1", "--threads", "1"])
      for (name, more, faults) in [
        ("workers", ["--workers", "3", "--threads", "2"], nil),
        (
          "killed", ["--workers", "2", "--threads", "1"],
          "denoise=slices-denoised:1,time:1;reconstruct.1=block-swept:1;export=export-half:9"
        ),
        ("memory", ["--workers", "2", "--durability", "memory"], "denoise=slices-denoised:2"),
        ("checked", ["--retain", "none"], nil),
      ] as [(String, [String], String?)] {
        let result = try reconstruct(name, options + more, faults: faults)
        #expect(result.denoisedSHA256 == reference.denoisedSHA256 && result.volumeSHA256 == reference.volumeSHA256, "\(name)")
        if faults != nil { #expect((result.restarts["denoise"] ?? 0) > 0) }
      }
    }

    @Test func `A machine that dies while the volume is denoised loses nothing`() throws {
      let options = ["--final-iterations", "3", "--denoise", "tv", "--workers", "2"]
      let reference = try reconstruct("reference", options)
      let run = folder.file("killed-run")
      let command = try Command(
        [
          "recon", scan, "--output-folder", folder.file("killed"), "--run-folder", run, "--rotation-axis", "64", "--window-step", "0",
          "--quiet",
        ]
          + options, faults: "denoise=slices-denoised:1:stop,slices-denoised:1:stop")
      try wait("the stage stopped behind its first slices, and was started again") {
        let data = FileManager.default.contents(atPath: run + "/status.json")
        let status = try data.map { try JSONDecoder().decode(RunStatus.self, from: $0) }
        return status?.stages.contains { $0.name == "denoise" && $0.hangs > 0 } ?? false
      }
      try command.process.signal(SIGKILL)
      #expect(try command.end().status == .killed(signal: SIGKILL))
      try RunFolder(path: run).removeRegions(timeout: .seconds(10))
      let resumed = try Command(["resume", run, "--quiet", "--json"]).end()
      #expect(resumed.status == .exited(0), "\(resumed.errors)")
      #expect(try resumed.result().denoisedSHA256 == reference.denoisedSHA256)
    }

    @Test func `A method that there is not, or a strength out of range, is refused`() throws {
      for value in ["bm3d", "tv:0", "median:3", "nlm:x"] {
        let outcome = try Command.run("recon", scan, "--output-folder", folder.file("out"), "--denoise", value)
        #expect(outcome.status == .exited(64) && outcome.errors.contains(value), "\(outcome.errors)")
      }
    }
  }
}
