import Foundation
import Host
import Run
import TestSupport
import Testing

extension Pipeline {
  /// The final iterations of a worker with several blocks of slices.
  @Suite struct SweepTests {
    @Test func `A worker that dies in the final sweep leaves its complete blocks to its successor`() throws {
      let folder = try TestFolder()
      let scan = folder.file("foam.h5")
      let made = try Command.run(
        "simulate", scan, "--rows", "130", "--columns", "48", "--projections", "30", "--photons", "20", "--quiet")
      try #require(made.status == .exited(0), "\(made.errors)")
      func reconstruct(_ name: String, _ faults: String?) throws -> RunResult {
        let outcome = try Command(
          [
            "recon", scan, "--algorithm", "sirt", "--output-folder", folder.file(name), "--run-folder",
            folder.file(name + "-run"),
            "--rotation-axis", "24",
            "--workers", "1", "--window-length", "6",
            "--final-iterations", "3", "--quiet", "--json",
          ], faults: faults
        ).end()
        #expect(outcome.status == .exited(0), "\(outcome.errors)")
        return try outcome.result()
      }
      func clampedPixels(_ name: String) throws -> Int {
        let report = try JSONSerialization.jsonObject(
          with: Data(contentsOf: URL(filePath: folder.file(name + "-run/export.json"))))
        return try #require((report as? [String: Any])?["clampedPixels"] as? Int)
      }
      let reference = try reconstruct("reference", nil)
      #expect(try clampedPixels("reference") > 0)
      // Three blocks: a successor that swept them all again would die a second time.
      for (name, order, deaths) in [
        ("two", "block-swept:2,block-swept:2", 1), ("one", "block-swept:1,block-swept:2", 2),
        ("all", "block-swept:3", 1),
      ] {
        let result = try reconstruct(name, "reconstruct.0=\(order)")
        #expect(result.restarts["reconstruct.0"] == deaths, "\(order)")
        #expect(result.volumeSHA256 == reference.volumeSHA256 && result.updates == reference.updates, "\(order)")
        #expect(try clampedPixels(name) == clampedPixels("reference"), "\(order)")
        #expect(result.lost == 0 && result.duplicates == 0, "\(order)")
      }
    }
  }
}
