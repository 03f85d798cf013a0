import Foundation
import Host
import Run
import RunModel
import Stages
import TestSupport
import Testing

extension Pipeline {
  /// Updates that do not keep up with a source that does not wait, and what `--when-slow` does about it.
  @Suite struct WhenSlowTests {
    private let folder: TestFolder
    private static let columns = 64

    init() throws { folder = try TestFolder() }

    private func simulate(_ projections: Int) throws -> String {
      try folder.simulate(rows: 4, columns: Self.columns, projections: projections)
    }

    /// Updates of many iterations, which take long for few data.
    private func command(
      _ scan: String, _ name: String, _ options: [String]
    ) throws -> Command {
      try Command(
        [
          "recon", scan, "--output-folder", folder.file(name), "--run-folder", folder.file(name + "-run"),
          "--rotation-axis", "32", "--window-length", "24", "--window-iter", "30", "--format", "hdf5",
          "--json", "--quiet",
        ] + options)
    }

    private func updates(_ name: String) throws -> [[UpdateEvent]] {
      try RunHistory(RunFolder(path: folder.file(name + "-run"))).updates.map { $0.map(\.event) }
    }

    @Test func `A source three times too fast is shown within latency-max, and the final volume is that of all`() throws
    {
      let scan = try simulate(900)
      let still = try command(scan, "still", ["--threads", "1"]).end().result()
      let durations = try updates("still")[0].filter { $0.phase == .window }.map { Double($0.duration) / 1e9 }
      let sustained = Double(durations.count) / durations.reduce(0, +)
      let outcome = try command(
        scan, "fast",
        ["--threads", "1", "--rate", "\(3 * sustained)", "--latency-max", "2", "--when-slow", "widen,decimate:4"]
      ).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result(), pace = try #require(result.pace)
      #expect(pace.latencyP99 <= 2 && pace.latencyP50 > 0, "\(pace)")
      #expect(pace.wasSlow && pace.levels.map(\.level) == ["full", "widen", "decimate:4"], "\(pace)")
      #expect(abs(pace.levels.reduce(0) { $0 + $1.share } - 1) < 1e-9)
      #expect(result.projections == 900 && result.lost == 0 && result.volumeSHA256 == still.volumeSHA256)
      #expect(still.pace.map { !$0.wasSlow } == true)
    }
  }
}
