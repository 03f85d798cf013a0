import Foundation
import Glibc
import Host
import Run
import RunModel
import ScanFiles
import Stages
import TestSupport
import Testing
import Tomography

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
      _ scan: String, _ name: String, _ options: [String], iterations: Int = 30, faults: String? = nil
    ) throws -> Command {
      try Command(
        [
          "recon", scan, "--output-folder", folder.file(name), "--run-folder", folder.file(name + "-run"),
          "--rotation-axis", "32", "--window-length", "24", "--window-iter", "\(iterations)", "--format", "hdf5",
          "--json", "--quiet",
        ] + options, faults: faults)
    }

    private func updates(_ name: String) throws -> [[UpdateEvent]] {
      try RunHistory(RunFolder(path: folder.file(name + "-run"))).updates.map { $0.map(\.event) }
    }

    @Test func `A source three times too fast is shown within latency-max, and the final volume is that of all`() throws
    {
      let scan = try simulate(900)
      var latencies: [Double] = []
      for attempt in 0..<Self.attempts where latencies.allSatisfy({ $0 > Self.latencyMax }) {
        latencies.append(try latencyOfFastSource(scan, "\(attempt)"))
      }
      #expect(latencies.contains { $0 <= Self.latencyMax }, "\(latencies) s")
    }

    private static let latencyMax = 2.0
    /// Three times as fast as sustained is a source only while the machine is as busy as it was when that was measured.
    private static let attempts = 3

    /// The latency of 99 % of the projections of a source three times too fast. Whatever it is, nothing is lost.
    private func latencyOfFastSource(_ scan: String, _ name: String) throws -> Double {
      let still = try command(scan, "still" + name, ["--threads", "1"]).end().result()
      let durations = try updates("still" + name)[0].filter { $0.phase == .window }.map { Double($0.duration) / 1e9 }
      let sustained = Double(durations.count) / durations.reduce(0, +)
      let outcome = try command(
        scan, "fast" + name,
        [
          "--threads", "1", "--rate", "\(3 * sustained)", "--latency-max", "\(Self.latencyMax)", "--when-slow",
          "widen,decimate:4",
        ]
      ).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result(), pace = try #require(result.pace)
      #expect(pace.latencyP50 > 0 && pace.wasSlow, "\(pace)")
      #expect(pace.levels.map(\.level) == ["full", "widen", "decimate:4"], "\(pace)")
      #expect(abs(pace.levels.reduce(0) { $0 + $1.share } - 1) < 1e-9)
      #expect(result.projections == 900 && result.lost == 0 && result.volumeSHA256 == still.volumeSHA256)
      #expect(still.pace.map { !$0.wasSlow } == true)
      return pace.latencyP99
    }

    @Test(arguments: ["decimate:2,widen,decimate:8", "coarse,decimate:4"])
    func `Twenty deaths change no decision that was made, and a replay makes the same live volumes`(
      ladder: String
    ) throws {
      let scan = try simulate(500), seed: UInt64 = 17
      let reference = try command(scan, "reference", ["--window-step", "0"], iterations: 1).end().result()
      var random = SplitMix64(seed: seed)
      func lives(_ count: Int, _ points: [String], _ range: ClosedRange<Int>) -> String {
        (0..<count).map { "\(points[$0 % points.count]):\(Int.random(in: range, using: &random))" }
          .joined(separator: ",")
      }
      let worker = ["flip-before", "flip-after", "unreleased"]
      let faults =
        "distribute=\(lives(6, ["orders-half", "unreleased"], 15...40));reconstruct.0=\(lives(7, worker, 2...6));"
        + "reconstruct.1=\(lives(7, worker, 2...6))"
      let run = try command(
        scan, "killed",
        [
          "--workers", "2", "--threads", "1", "--rate", "150", "--lag-max", "6", "--latency-max", "2",
          "--when-slow", ladder, "--checkpoint-every", "0",
        ], faults: faults)
      let path = folder.file("killed-run"), status = path + "/status.json"
      try wait("twenty deaths and fifty updates of each worker", within: 60) {
        guard let data = FileManager.default.contents(atPath: status),
          try JSONDecoder().decode(RunStatus.self, from: data).stages.reduce(0, { $0 + $1.restarts }) >= 20
        else { return false }
        return try updates("killed").allSatisfy { $0.count > 50 }
      }
      // Nothing of the volumes is left but what the orders make again.
      try run.process.signal(SIGKILL)
      #expect(try run.end().status == .killed(signal: SIGKILL))
      try RunFolder(path: path).removeRegions(timeout: .seconds(10))
      let before = try updates("killed")
      for worker in 0...1 { try FileManager.default.removeItem(atPath: "\(path)/journal/updates.\(worker)") }
      let outcome = try Command(["resume", path, "--quiet", "--json"]).end()
      #expect(outcome.status == .exited(0), "seed \(seed): \(outcome.errors)")
      let result = try outcome.result(), after = try updates("killed")
      #expect(result.volumeSHA256 == reference.volumeSHA256 && result.projections == 500 && result.lost == 0)
      for worker in 0...1 {
        let (first, again) = (before[worker], after[worker])
        #expect(first.count > 50 && again.count > first.count, "\(first.count) of \(again.count) updates")
        for (update, replayed) in zip(first, again) {
          #expect(
            update.index == replayed.index && update.projections == replayed.projections
              && update.residualSquared == replayed.residualSquared, "seed \(seed), worker \(worker)")
        }
      }
      // Both workers hear of the same levels. A death may take the word of one update's.
      var levels: [Int: Set<Int>] = [:]
      for update in after.joined() where update.phase == .window {
        if let level = update.timing?.level { levels[update.index, default: []].insert(level) }
      }
      #expect(levels.values.allSatisfy { $0.count == 1 }, "seed \(seed): \(levels)")
      #expect(Set(levels.values.joined()).count > 1, "no level but \(levels)")
      for (index, update) in before[0].enumerated() {
        if let level = update.timing?.level, let known = levels[index] { #expect(known == [level]) }
      }
    }

    /// Of odd edges, with half acquisition, binned as well, of windows of any kind, with what reads the volume.
    @Test(arguments: [
      ["--algorithm", "sirt", "--final-iterations", "2", "--stage", "segment"],
      ["--algorithm", "mlem", "--final-iterations", "1", "--end-row", "3", "--workers", "2"],
      ["--live-binning", "1", "--final", "fbp", "--stop-ssim", "0.5", "--stop-after", "60"],
      ["--axis-tilt", "2", "--workers", "2", "--final", "fbp"],
      ["--window-length", "1", "--field-of-view", "half", "--rotation-axis", "12.3", "--final", "fbp"],
    ])
    func `Updates on a coarse grid go with everything, and come from it again`(options: [String]) throws {
      // Slices that the detector saw one half of.
      let isHalf = options.contains("half")
      let scan =
        isHalf
        ? try folder.simulate(
          rows: 5, columns: 45, projections: 300, "--range", "360", "--rotation-axis", "12.3") : try simulate(300)
      let outcome = try command(
        scan, "coarse",
        ["--rate", "2000", "--latency-max", "0.01", "--when-slow", "coarse", "--threads", "1"] + options
      ).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result(), pace = try #require(result.pace)
      #expect(pace.levels.map(\.level) == ["full", "coarse"] && pace.levels[1].share > 0, "\(pace)")
      #expect(result.projections == 300 && result.lost == 0)
      let made = try updates("coarse").joined().filter { $0.phase == .window }
      #expect(made.contains(where: \.isCoarse) && made.allSatisfy { $0.residualSquared.isFinite })
    }

    @Test func `Methods of factors lose no voxel at the rim to a coarse grid`() throws {
      let scan = try simulate(120)
      let outcome = try command(
        scan, "rim",
        [
          "--rate", "2000", "--latency-max", "0.01", "--when-slow", "coarse", "--threads", "1", "--algorithm", "mlem",
          "--final-iterations", "5", "--disk-mask", "yes",
        ], iterations: 2
      ).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      #expect(try updates("rim").joined().contains(where: \.isCoarse))
      let volume = try VolumeReader(path: folder.file("rim") + "/foam_rec.h5")
      var slice = [Float](repeating: 0, count: Self.columns * Self.columns)
      try slice.withUnsafeMutableBufferPointer { try volume.readSlice(1, into: $0) }
      let mask = DiskMask(columns: Self.columns, isDisk: true)
      for row in 0..<Self.columns {
        for column in mask.columns(row: row) { #expect(slice[row * Self.columns + column] > 0, "\(row), \(column)") }
      }
    }
  }
}
