import Foundation
import Glibc
import Host
import Run
import ScanFiles
import Simulation
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
        "simulate", scan, "--rows", "\(Self.rows)", "--columns", "\(Self.columns)", "--projections", "90", "--photons",
        "1000", "--quiet")
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
    }

    private func reconstruct(_ name: String, _ options: [String], faults: String? = nil) throws -> RunResult {
      let outcome = try Command(
        [
          "recon", scan, "--algorithm", "sirt", "--output-folder", folder.file(name), "--rotation-axis", "64",
          "--window-step", "0", "--quiet",
          "--json",
        ] + options,
        faults: faults, variables: ["PYTHONPATH": Senders.root.appending(path: "Python/src").path]
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
        truth.withUnsafeBufferPointer {
          Tomography.psnr(slice, reference: $0, columns: Self.columns, radiusFraction: 0.475)
        }
      }
    }

    @Test(arguments: ["tv", "nlm", "median"])
    func `A noisy foam gains at least 3 dB, and the undenoised volume is kept`(method: String)
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
        #expect(
          result.denoisedSHA256 == reference.denoisedSHA256 && result.volumeSHA256 == reference.volumeSHA256, "\(name)")
        if faults != nil { #expect((result.restarts["denoise"] ?? 0) > 0) }
      }
    }

    @Test func `A machine that dies while the volume is denoised loses nothing`() throws {
      let options = ["--final-iterations", "3", "--denoise", "tv", "--workers", "2"]
      let reference = try reconstruct("reference", options)
      let run = folder.file("killed-run")
      let command = try Command(
        [
          "recon", scan, "--algorithm", "sirt", "--output-folder", folder.file("killed"), "--run-folder", run,
          "--rotation-axis", "64",
          "--window-step", "0",
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

    /// The folder of the C header.
    private static let interfaces = Senders.root.appending(path: "Tools/interfaces").path

    private func expectEqual(_ found: [Float], _ expected: [Float], at location: SourceLocation = #_sourceLocation) {
      let distance = zip(found, expected).reduce(0) { max($0, abs($1.0 - $1.1)) }
      #expect(distance <= 1e-6 * expected.reduce(0) { max($0, abs($1)) }, sourceLocation: location)
    }

    @Test(.enabled(if: works("/usr/bin/env", "python3", "-c", "import numpy"), "needs python3 with numpy"))
    func `A program in Python denoises through views of the shared memory, also when its stage is killed`() throws {
      let program = "program:" + Senders.root.appending(path: "Python/examples/denoise_box.py").path
      let options = ["--final-iterations", "2", "--workers", "2", "--denoise", program]
      let reference = try reconstruct("python", options)
      let (before, after) = (
        try slices(folder.file("python/foam_rec.h5")), try slices(folder.file("python/foam_denoised.h5"))
      )
      let size = Self.columns
      for row in [0, Self.rows - 1] {
        let mean = (0..<size * size).map { index in
          let near = [-1, 0, 1].flatMap { y in
            [-1, 0, 1].map { x in
              before[row][min(max(index / size + y, 0), size - 1) * size + min(max(index % size + x, 0), size - 1)]
            }
          }
          return near.reduce(0, +) / 9
        }
        expectEqual(after[row], mean)
      }
      let killed = try reconstruct("killed", options, faults: "reconstruct.0=block-swept:1;denoise=time:300,time:500")
      #expect(killed.denoisedSHA256 == reference.denoisedSHA256 && killed.volumeSHA256 == reference.volumeSHA256)
    }

    @Test(.enabled(if: access("/usr/bin/cc", X_OK) == 0, "needs a C compiler"))
    func `A program in C denoises through the header`() throws {
      let source = folder.file("double.c")
      try """
      #include <stdio.h>
      #include <stdlib.h>
      #include "slipring.h"

      int main(void) {
        char name[256];
        snprintf(name, sizeof name, "%sdenoised-volume", getenv("SLIPRING_RUN"));
        struct slipring_denoised *denoised = slipring_attach_denoised(name);
        if (!denoised || !(denoised->noise > 0)) return 1;
        uint32_t z = 0;
        for (int worker = 0; z < denoised->slices; worker++) {
          snprintf(name, sizeof name, "%svolume.%d", getenv("SLIPRING_RUN"), worker);
          const struct slipring_volume *volume = slipring_attach_volume(name);
          if (!volume) return 2;
          unsigned slot;
          if (slipring_newest(volume, &slot) == 0) return 3;
          for (uint32_t row = 0; row < volume->rows; row++, z++) {
            size_t down, right;
            const float *voxel = slipring_slice(volume, row, slot, &down, &right);
            float *target = slipring_denoised_slice(denoised, z);
            for (size_t y = 0; y < volume->columns; y++)
              for (size_t x = 0; x < volume->columns; x++) *target++ = 2 * voxel[y * down + x * right];
          }
        }
        slipring_mark_complete(denoised, z);
        return 0;
      }
      """.write(toFile: source, atomically: true, encoding: .utf8)
      let program = folder.file("double")
      try #require(
        works(
          "/usr/bin/cc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-I", Self.interfaces, "-o", program,
          source),
        "the header compiles without warnings")
      _ = try reconstruct("c", ["--final-iterations", "2", "--workers", "2", "--denoise", "program:" + program])
      let (before, after) = (try slices(folder.file("c/foam_rec.h5")), try slices(folder.file("c/foam_denoised.h5")))
      for row in 0..<Self.rows { #expect(after[row] == before[row].map { 2 * $0 }, "row \(row)") }
    }

    @Test func `A program that fails, or does not do its work, ends the run with its name`() throws {
      for (program, words) in [("/bin/false", "exited with 1"), ("/bin/true", "0 of 7 slices")] {
        let outcome = try Command(
          [
            "recon", scan, "--algorithm", "sirt", "--output-folder", folder.file("failed" + words), "--rotation-axis",
            "64", "--window-step",
            "0",
            "--final-iterations", "1", "--denoise", "program:" + program,
          ]
        ).end()
        #expect(outcome.status == .exited(69) && outcome.errors.contains(words), "\(outcome.errors)")
      }
      expectFailure(
        66,
        try Command.run(
          "recon", scan, "--algorithm", "sirt", "--output-folder", folder.file("none"), "--denoise",
          "program:/none/there"),
        "program:/none/there")
    }

    @Test func `A method that there is not, or a strength out of range, is refused`() throws {
      for value in ["bm3d", "tv:0", "median:3", "nlm:x", "program:"] {
        let outcome = try Command.run(
          "recon", scan, "--algorithm", "sirt", "--output-folder", folder.file("out"), "--denoise", value)
        #expect(outcome.status == .exited(64) && outcome.errors.contains(value), "\(outcome.errors)")
      }
    }
  }
}
