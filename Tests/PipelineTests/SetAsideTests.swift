import Foundation
import Host
import Run
import RunModel
import ScanPlan
import TestSupport
import Testing

@testable import ScanFiles

extension Pipeline {
  /// Workers that cannot live anywhere: acquisition and other rows go on without them.
  @Suite struct SetAsideTests {
    private let folder: TestFolder
    private let scan: String
    private static let projections = 600
    private static let columns = 48
    /// More than a run gives a worker in all places together.
    private static let forEver = 60

    /// The scan has more projections than a ring has slots.
    init() throws {
      folder = try TestFolder()
      scan = folder.file("foam.h5")
      let outcome = try Command.run(
        "simulate", scan, "--rows", "4", "--columns", "\(Self.columns)", "--projections", "\(Self.projections)",
        "--quiet")
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
    }

    private func recon(_ name: String, workers: Int, faults: String? = nil, _ more: String...) throws -> Command {
      try Command(
        [
          "recon", scan, "--algorithm", "sirt", "--output-folder", folder.file(name), "--run-folder",
          folder.file(name + "-run"),
          "--rotation-axis", "24", "--workers", "\(workers)", "--window-length", "20", "--window-step", "20",
          "--final-iterations", "2", "--json",
        ] + more, faults: faults)
    }

    private func reference() throws -> RunResult { try recon("reference", workers: 1).end().result() }

    private func lives(_ order: String, _ count: Int) -> String {
      Array(repeating: order, count: count).joined(separator: ",")
    }

    private func status(_ name: String) throws -> RunStatus? {
      try FileManager.default.contents(atPath: folder.file(name + "-run/status.json")).map {
        try JSONDecoder().decode(RunStatus.self, from: $0)
      }
    }

    private func stage(_ stage: String, _ name: String) throws -> RunStatus.Stage? {
      try status(name)?.stages.first { $0.name == stage }
    }

    private func expectWhole(
      _ outcome: Command.Outcome, like reference: RunResult, at location: SourceLocation = #_sourceLocation
    ) throws {
      #expect(outcome.status == .exited(0), "\(outcome.errors)", sourceLocation: location)
      let result = try outcome.result()
      #expect(
        result.volumeSHA256 == reference.volumeSHA256 && result.updates == reference.updates, sourceLocation: location)
      #expect(
        result.projections == Self.projections && result.lost == 0 && result.duplicates == 0
          && result.missingRows.isEmpty, sourceLocation: location)
    }

    @Test(arguments: ["durable", "memory"])
    func `A worker that dies at every start stops nothing, and its rows are made after the scan`(durability: String)
      throws
    {
      let reference = try reference()
      // A worker that is alone has nowhere else to go. It dies before it gives anything back, and twice after the scan.
      // A ring in memory holds the whole scan, which takes longer than eleven deaths only where it is slow.
      let faults = "reconstruct.0=\(lives("unreleased:1", 13))"
      let command =
        durability == "memory"
        ? try recon("out", workers: 1, faults: faults, "--durability", "memory", "--rate", "60")
        : try recon("out", workers: 1, faults: faults)
      let outcome = try command.end()
      try expectWhole(outcome, like: reference)
      let log = try String(contentsOfFile: folder.file("out-run/log/supervisor.jsonl"), encoding: .utf8)
      let places = ["set reconstruct.0 aside", "ended acquire", "trying reconstruct.0 once more", "ended export"].map {
        log.range(of: $0)?.lowerBound
      }
      #expect(!places.contains(nil) && places.compactMap { $0 } == places.compactMap { $0 }.sorted(), "\(log)")
      #expect(try outcome.result().restarts["reconstruct.0"] == 13)
      #expect(outcome.errors.contains("rows 0 to 3 are set aside"), "\(outcome.errors)")
      #expect(outcome.errors.contains("reconstructing rows 0 to 3, which were set aside"), "\(outcome.errors)")
      let stage = try #require(try stage("reconstruct.0", "out"))
      #expect(stage.state == "ended" && stage.standing == nil)
    }

    @Test func `A worker that met an error of the machine is tried once more, and others have its cores meanwhile`()
      throws
    {
      let reference = try reference()
      let outcome = try recon(
        "out", workers: 2, faults: "reconstruct.1=flip-before:3:fail", "--rate", "300", "--lag-max", "0"
      ).end()
      try expectWhole(outcome, like: reference)
      #expect(
        outcome.errors.contains("stage reconstruct.1 ended with status 74: rows 2 to 3 are set aside"),
        "\(outcome.errors)")
      let plan = try JSONDecoder().decode(
        RunPlan.self, from: Data(contentsOf: URL(filePath: folder.file("out-run/plan.json"))))
      guard plan.placement.workers[0].cores != plan.placement.workers[1].cores else { return }
      for worker in 0..<2 {
        let log = try String(contentsOfFile: folder.file("out-run/log/reconstruct.\(worker).jsonl"), encoding: .utf8)
        #expect(log.contains("on more cores"), "\(log)")
      }
    }

    @Test func `Scores of the workers that are well end a scan without the one that is set aside`() throws {
      let wide = folder.file("wide.h5")
      let simulated = try Command.run(
        "simulate", wide, "--rows", "4", "--columns", "64", "--projections", "400", "--quiet")
      try #require(simulated.status == .exited(0), "\(simulated.errors)")
      let outcome = try Command(
        [
          "recon", wide, "--algorithm", "sirt", "--output-folder", folder.file("early"), "--rotation-axis", "32",
          "--workers", "2",
          "--window-length", "20", "--window-step", "2", "--final-iterations", "2", "--rate", "100", "--lag-max", "0",
          "--order", "bit-reversal", "--stop-ssim", "0.3", "--stop-after", "100", "--json",
        ], faults: "reconstruct.1=flip-before:1:fail"
      ).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result()
      #expect(result.projections < 300 && result.lost == 0 && result.missingRows.isEmpty, "\(result)")
      #expect(result.stoppedBy.hasPrefix("finalized by control: MS-SSIM"), "\(result.stoppedBy)")
    }

    @Test func `Rows that nothing can make are named, all others are exported, and a resume makes them`() throws {
      let reference = try reference()
      // In the middle of the scan, so that there is a volume that is not exported.
      let outcome = try recon(
        "out", workers: 2, faults: "reconstruct.1=flip-before:9,\(lives("flip-before:1:fail", Self.forEver))",
        "--denoise", "median", "--retain", "none"
      ).end()
      expectFailure(
        70, Command.Outcome(status: outcome.status, output: "", errors: lastLine(outcome.errors)),
        "rows 2 to 3 are missing", "ended with status 74", "not denoised", "slipring resume")
      let result = try outcome.result()
      #expect(result.missingRows == [RowRange(2..<4, firstSlice: 0)])
      #expect(result.projections == Self.projections && result.lost == 0 && result.denoisedSHA256 == nil)
      let found = try #require(try status("out"))
      #expect(found.phase == .failed && found.missingRows == result.missingRows)
      #expect(found.stages.first { $0.name == "reconstruct.1" }?.state == "missing")
      #expect(try regions(of: found.run).isEmpty)
      try expectMissing([2, 3], in: "out")
      let table = try Command.run("status", folder.file("out-run"), "--once")
      #expect(table.output.contains("missing in the volume: rows 2 to 3"), "\(table.output)")
      let resumed = try Command(["resume", folder.file("out-run"), "--json"]).end()
      try expectWhole(resumed, like: reference)
      #expect(try resumed.result().denoisedSHA256 != nil)
    }

    @Test func `A worker that dies for ever is tried everywhere, and then done without`() throws {
      _ = try reference()
      let faults = "reconstruct.0=\(lives("unreleased:1", Self.forEver))"
      let outcome = try recon("out", workers: 2, faults: faults, "--rate", "300", "--lag-max", "0").end()
      #expect(outcome.status == .exited(70), "\(outcome.errors)")
      let result = try outcome.result()
      #expect(result.missingRows == [RowRange(0..<2, firstSlice: 0)] && result.lost == 0)
      #expect(result.restarts["reconstruct.0"] == 32 && result.restarts["reconstruct.1"] == 0)
      try expectMissing([0, 1], in: "out")
    }

    private func lastLine(_ text: String) -> String { text.split(separator: "\n").last.map { $0 + "\n" } ?? "" }

    /// Expects no number in these slices, the reference's in all others, and that the file says so.
    private func expectMissing(_ missing: [Int], in name: String) throws {
      let (found, whole) = try (volume(name), volume("reference"))
      for index in found.indices {
        let isMissing = missing.contains(index)
        #expect(isMissing ? found[index].allSatisfy(\.isNaN) : found[index] == whole[index], "\(index)")
      }
      let file = try HDF5File(path: folder.file("\(name)/foam_rec.h5"))
      let rows = RowRange(missing[0]..<missing[0] + missing.count, firstSlice: 0)
      #expect(try file.text(ofAttribute: "missing_rows", of: DXchange.data) == "\(rows)")
    }

    private func volume(_ name: String) throws -> [[Float]] {
      let reader = try VolumeReader(path: folder.file("\(name)/foam_rec.h5"))
      return try (0..<reader.slices).map { index in
        try [Float](unsafeUninitializedCapacity: reader.columns * reader.columns) { buffer, count in
          try reader.readSlice(index, into: buffer)
          count = reader.columns * reader.columns
        }
      }
    }
  }
}
