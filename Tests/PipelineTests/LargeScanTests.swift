import Foundation
import Host
import Run
import TestSupport
import Testing

extension Pipeline {
  /// What must not grow with the number of projections, seen in scans of tiny frames. `Tools/large-scan` says how many
  /// in the environment.
  @Suite struct LargeScanTests {
    private let folder: TestFolder
    private static let flats = 4
    private static let few = 2_000
    private static let many =
      ProcessInfo.processInfo.environment["SLIPRING_LARGE_SCAN"].flatMap { Int($0) } ?? 20_000

    init() throws { folder = try TestFolder() }

    /// What one run took.
    private struct Figures {
      var volumeSHA256: String
      /// Of each stage that was killed near the end: what its successor had read when it did its first new work.
      /// `Tools/chaos --long 40000` measures the time until then.
      var restarts: [String: Int] = [:]
      /// Of each stage.
      var peakBytes: [String: Int] = [:]
    }

    private func simulate(_ projections: Int) throws -> String {
      let scan = folder.file("scan-\(projections).h5")
      let made = try Command(
        [
          "simulate", scan, "--phantom", "shepp-logan", "--rows", "4", "--columns", "64", "--projections",
          "\(projections)", "--flats", "\(Self.flats)", "--darks", "2", "--quiet",
        ]
      ).end(within: .seconds(600))
      try #require(made.status == .exited(0), "\(made.errors)")
      return scan
    }

    private func records(_ run: String, _ stage: String) throws -> [[String: String]] {
      try String(contentsOfFile: "\(run)/log/\(stage).jsonl", encoding: .utf8).split(separator: "\n").map {
        try JSONDecoder().decode([String: String].self, from: Data($0.utf8))
      }
    }

    /// Reconstructs a scan with an update every 20 projections, in processes that may have 64 files open each. Each of
    /// `killed` is killed once at its fault point.
    private func run(_ scan: String, _ name: String, killed: [String: String]) throws -> Figures {
      let run = folder.file(name + "-run")
      let arguments = [
        "recon", scan, "--algorithm", "sirt", "--output-folder", folder.file(name), "--run-folder", run,
        "--rotation-axis", "32", "--workers",
        "1", "--window-length", "24", "--window-step", "20", "--final-iterations", "1", "--format", "hdf5", "--quiet",
        "--json",
      ]
      let script = "ulimit -n 64 && exec \"$0\" \"$@\""
      let outcome = try Command(
        ["-c", script, Command.executable] + arguments, executable: "/bin/sh",
        faults: killed.isEmpty ? nil : killed.map { "\($0)=\($1)" }.joined(separator: ";")
      ).end(within: .seconds(600))
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result()
      #expect(result.lost == 0 && result.duplicates == 0)
      #expect(result.restarts.filter { $0.value > 0 } == killed.mapValues { _ in 1 })
      var figures = Figures(volumeSHA256: result.volumeSHA256 ?? "")
      for death in try records(run, "supervisor") where death["status"]?.contains("killed") == true {
        let stage = String(try #require(death["message"]).dropFirst("ended ".count))
        let time = try #require(death["nanoseconds"].flatMap(UInt64.init))
        let works = try records(run, stage).filter { $0["message"] == "first work" }
        let first = try #require(works.last), at = try #require(first["nanoseconds"].flatMap(UInt64.init))
        try #require(at > time, "\(stage) did nothing after its death")
        let bytesRead: Int = try #require(first["bytesRead"].flatMap(Int.init))
        figures.restarts[stage] = bytesRead
      }
      for usage in try RunFolder(path: run).stageUsages() { figures.peakBytes[usage.stage] = usage.peakBytes }
      return figures
    }

    @Test func `Restarts, memory and open files are the same however many projections there are`() throws {
      var found: [Int: Figures] = [:]
      for projections in [Self.few, Self.many] {
        let scan = try simulate(projections)
        let images = projections + Self.flats + 2, updates = projections / 20
        let reference = try run(scan, "whole-\(projections)", killed: [:])
        // All near the end, when nearly everything lies behind them.
        let killed = try run(
          scan, "killed-\(projections)",
          killed: [
            "acquire": "committed:\(images - 400)", "distribute": "unreleased:\(images - 300)",
            "reconstruct.0": "flip-after:\(updates - 8)",
          ])
        #expect(killed.volumeSHA256 == reference.volumeSHA256)
        #expect(Set(killed.restarts.keys) == ["acquire", "distribute", "reconstruct.0"])
        found[projections] = killed
      }
      let (small, large) = (try #require(found[Self.few]), try #require(found[Self.many]))
      for (stage, bytesRead) in large.restarts {
        let before = try #require(small.restarts[stage])
        #expect(bytesRead < before + 2 << 20, "\(stage): \(before) and \(bytesRead)")
        #expect(bytesRead < 8 << 20, "\(stage): \(bytesRead)")
      }
      for (stage, peak) in large.peakBytes {
        // The worker has the sinogram of all projections in the final iterations, which is planned for.
        guard stage != "reconstruct.0" else { continue }
        let before = try #require(small.peakBytes[stage])
        #expect(peak < before + 24 << 20, "\(stage): \(before) and \(peak) B")
      }
    }
  }
}
