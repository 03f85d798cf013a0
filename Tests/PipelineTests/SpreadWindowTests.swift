import Foundation
import Host
import Run
import TestSupport
import Testing

extension Pipeline {
  /// Runs with windows of the newest projection and of others that are spread in angle.
  @Suite struct SpreadWindowTests {
    private static let options = ["--window-spread", "2", "--final-iterations", "0", "--format", "hdf5"]

    private func recon(
      _ runs: KilledRuns, _ name: String, _ options: [String] = [], faults: String? = nil
    ) throws -> Command {
      try Command(
        [
          "recon", runs.scan, "--output-folder", runs.folder.file(name), "--run-folder", runs.run(name),
          "--rotation-axis", "24", "--quiet", "--json",
        ] + Self.options + options, faults: faults)
    }

    @Test func `The volume has the same bits for any workers, threads and memory, and through deaths`() throws {
      let runs = try KilledRuns()
      let reference = try recon(runs, "reference", ["--workers", "1", "--threads", "2"]).end().result()
      #expect(reference.updates == KilledRuns.projections && reference.volumeSHA256 != nil)
      let faults = "distribute=orders-half:30;reconstruct.0=flip-before:9;reconstruct.1=flip-after:40,unreleased:20"
      let others: [(String, [String], String?)] = [
        ("nothing-kept", ["--workers", "2", "--threads", "1", "--window-memory", "0"], nil),
        ("killed", ["--workers", "2", "--threads", "1"], faults),
        ("killed-nothing-kept", ["--workers", "2", "--window-memory", "3", "--order", "sequential"], faults),
        ("in-memory", ["--workers", "1", "--durability", "memory", "--window-memory", "1e-5GiB"], nil),
      ]
      for (name, options, faults) in others {
        let outcome = try recon(runs, name, options, faults: faults).end()
        #expect(outcome.status == .exited(0), "\(name): \(outcome.errors)")
        let result = try outcome.result()
        #expect(result.volumeSHA256 == reference.volumeSHA256, "\(name)")
        if faults?.contains("flip") == true { #expect(result.restarts.values.reduce(0, +) == 4, "\(result.restarts)") }
      }
    }

    @Test func `A run whose power is cut goes on with the same windows`() throws {
      let runs = try KilledRuns()
      let reference = try recon(runs, "reference", ["--workers", "2"]).end().result()
      let options = ["--workers", "2", "--rate", "30", "--lag-max", "0", "--checkpoint-every", "7"]
      try runs.cutPower(recon(runs, "cut", options), "cut", after: 25)
      let outcome = try runs.resume("cut")
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      #expect(try outcome.result().volumeSHA256 == reference.volumeSHA256)
    }

    @Test func `Options of two kinds of windows are refused together`() throws {
      let folder = try TestFolder()
      let outcome = try Command.run(
        "recon", folder.file("none.h5"), "--output-folder", folder.file("out"), "--window-spread", "3",
        "--window-length", "12")
      expectFailure(64, outcome, "--window-spread 3", "--window-length 12", "two kinds of windows")
    }
  }
}
