import Foundation
import Glibc
import Host
import Run
import ScanPlan
import Simulation
import TestSupport
import Testing

extension Pipeline {
  /// Works of Slipring's own beside the stages: denoise, segment and analyse.
  @Suite struct LiveStageTests {
    private let folder: TestFolder
    private let scan: String
    private static let chain = "denoise,method=median segment,reads=denoise analyse,reads=segment"

    init() throws {
      folder = try TestFolder()
      scan = try folder.simulate(rows: 6, columns: 48, projections: 60)
    }

    private func recon(_ name: String, _ more: [String], rate: Int = 60) throws -> Command {
      try Command(
        [
          "recon", scan, "--output-folder", folder.file(name), "--run-folder", folder.file(name + "-run"),
          "--rotation-axis", "24", "--window-step", "4", "--rate", "\(rate)", "--json",
        ] + more)
    }

    private struct Analysis: Decodable {
      let porosity: Double
      let porosityOfSlices: [Double]
      let sizes: [Int]
      let poreVoxels: Int
      let histogram: Histogram?
      struct Histogram: Decodable { let counts: [Int] }
    }

    private func analysis(_ name: String) throws -> Analysis {
      try JSONDecoder().decode(
        Analysis.self, from: Data(contentsOf: URL(filePath: folder.file(name + "/analysis.json"))))
    }

    @Test func `A chain that is killed again and again makes the same of the finished volume`() throws {
      let outcome = try recon("whole", ["--stage", Self.chain]).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result(), whole = try #require(result.programs)
      #expect(whole.map(\.state) == [.ended, .ended, .ended], "\(whole)")
      #expect(try regions(of: result.run).isEmpty)
      let found = try analysis("whole")
      #expect(found.porosity == whole[2].figures["porosity"] && found.porosityOfSlices.count == 6)
      #expect(found.sizes.reduce(0, +) == found.poreVoxels && Double(found.sizes.count) == whole[2].figures["pores"])
      #expect(found.histogram?.counts.reduce(0, +) ?? 0 > 0 && whole[1].figures["threshold"] ?? 0 > 0)
      for name in ["foam_denoise.h5", "foam_segment.h5", "foam_analysis.h5", "foam_rec.h5"] {
        #expect(access(folder.file("whole/" + name), F_OK) == 0, "\(name)")
      }
      // The method is that of --denoise.
      let plain = try recon("plain", ["--denoise", "median"], rate: 60).end().result()
      #expect(plain.denoisedSHA256 == whole[0].sha256 && plain.volumeSHA256 == result.volumeSHA256)

      let command = try recon("killed", ["--stage", Self.chain], rate: 15)
      let seed = UInt64.random(in: 0 ... .max)
      var (random, killed) = (SplitMix64(seed: seed), Set<Int32>())
      let status = folder.file("killed-run/status.json")
      try wait("the stages are killed, seed \(seed)") {
        guard let data = FileManager.default.contents(atPath: status),
          let programs = try? JSONDecoder().decode(RunStatus.self, from: data).programs,
          let pid = programs[Int(3 * random.unit())].pid, killed.insert(pid).inserted
        else { return false }
        kill(pid, SIGKILL)
        return killed.count == 5
      }
      let again = try command.end()
      #expect(again.status == .exited(0), "\(again.errors)")
      let programs = try #require(try again.result().programs)
      #expect(programs.map(\.state) == [.ended, .ended, .ended], "seed \(seed): \(programs)")
      #expect(programs.map(\.sha256) == whole.map(\.sha256), "seed \(seed)")
      let once = try analysis("killed")
      #expect(once.sizes == found.sizes && once.porosityOfSlices == found.porosityOfSlices, "seed \(seed)")
    }

    @Test func `The porosity of a foam is known at three fifths of its scan`() throws {
      let (rows, columns, projections) = (12, 128, 200), path = folder.file("wide.h5")
      try #require(
        try Command.run(
          "simulate", path, "--rows", "\(rows)", "--columns", "\(columns)", "--projections", "\(projections)",
          "--order", "interleaved:5", "--quiet"
        ).status == .exited(0))
      let command = try Command(
        [
          "recon", path, "--output-folder", folder.file("porosity"), "--run-folder", folder.file("porosity-run"),
          "--rotation-axis", "\(columns / 2)", "--rate", "25", "--json", "--stage", "denoise analyse,reads=denoise",
        ])
      let status = folder.file("porosity-run/status.json")
      var (before, live): (Double?, Double?)
      try wait("the porosity at three fifths", within: 60) {
        guard let data = FileManager.default.contents(atPath: status),
          let run = try? JSONDecoder().decode(RunStatus.self, from: data), let figures = run.programs?.last?.figures,
          run.reconstructed >= projections * 3 / 5, let generation = figures["generation"]
        else { return false }
        // The first one of a volume of so many projections.
        if let before, generation > before { live = figures["porosity"] }
        before = before ?? generation
        return live != nil
      }
      let outcome = try command.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let truth = Self.porosity(Foam(rows: rows, columns: columns, seed: 1, voidValue: 0), rows: rows, columns: columns)
      let final = try #require(try outcome.result().programs?.last?.figures["porosity"])
      #expect(
        abs(try #require(live) - truth) < 0.0075 && abs(final - truth) < 0.005, "\(live ?? 0), \(final), \(truth)")
    }

    /// The part of the pores inside the disks that are analysed.
    private static func porosity(_ foam: Foam, rows: Int, columns: Int) -> Double {
      var (sum, count, solid) = (0.0, 0.0, 0.0)
      for row in 0..<rows {
        var slice = [Float](repeating: 0, count: columns * columns)
        slice.withUnsafeMutableBufferPointer { foam.slice(row: row, columns: columns, supersampling: 8, into: $0) }
        for (voxel, value) in slice.enumerated() {
          let (x, y) = (Double(voxel % columns) + 0.5, Double(voxel / columns) + 0.5), half = Double(columns) / 2
          guard (x - half) * (x - half) + (y - half) * (y - half) <= 0.85 * 0.85 * half * half else { continue }
          sum += Double(value)
          count += 1
          solid = max(solid, Double(value))
        }
      }
      // Voids are empty.
      return 1 - sum / count / solid
    }

    @Test func `What they write has its room on disk in what a check says`() throws {
      let file = folder.file("scan.yaml")
      try "input: \(scan)\noutput-folder: \(folder.file("none"))\nformat: hdf5\nstage: \(Self.chain)\n"
        .write(toFile: file, atomically: true, encoding: .utf8)
      let outcome = try Command.run("check", file, "--json")
      struct Report: Decodable { let estimate: RunEstimate }
      let estimate = try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8)).estimate
      // The volume and the denoised one in float, and a byte for each label.
      #expect(estimate.output.bytes == 6 * 48 * 48 * (4 + 4 + 1))
    }

    @Test func `A work that reads what it cannot is refused, with the line of the file`() throws {
      for (stages, words) in [
        ("segment analyse,reads=analyse", "is itself"), ("segment denoise,reads=segment", "writes labels"),
        ("analyse segment,reads=analyse", "writes nothing"), ("segment,reads=denoise denoise", "comes after it"),
      ] {
        let file = folder.file("scan.yaml")
        try "input: \(scan)\noutput-folder: \(folder.file("none"))\nstage: \(stages)\n"
          .write(toFile: file, atomically: true, encoding: .utf8)
        let outcome = try Command.run("check", file)
        #expect(outcome.status == .exited(78) && (outcome.output + outcome.errors).contains(words), "\(outcome)")
        #expect((outcome.output + outcome.errors).contains(":3:"), "\(outcome)")
      }
    }
  }
}
