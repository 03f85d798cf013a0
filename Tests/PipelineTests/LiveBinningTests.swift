import Foundation
import Host
import Run
import TestSupport
import Testing

extension Pipeline {
  /// Updates of binned projections while the scan runs: the final iterations know nothing of them.
  @Suite struct LiveBinningTests {
    private let folder: TestFolder
    /// Neither rows nor columns fill the pixels that are binned.
    private static let (rows, columns, projections) = (7, 45, 48)

    init() throws { folder = try TestFolder() }

    private func foam() throws -> String {
      try folder.simulate(rows: Self.rows, columns: Self.columns, projections: Self.projections)
    }

    private func recon(_ scan: String, _ name: String, _ options: [String], faults: String? = nil) throws -> RunResult {
      let outcome = try Command(
        [
          "recon", scan, "--output-folder", folder.file(name), "--run-folder", folder.file(name + "-run"),
          "--rotation-axis", "22.3", "--format", "hdf5", "--quiet", "--json",
        ] + options, faults: faults
      ).end()
      #expect(outcome.status == .exited(0), "\(name): \(outcome.errors)")
      return try outcome.result()
    }

    /// What every update left of the data, those while the scan ran and those after it: the bits of all volumes.
    private func residuals(_ name: String) throws -> (live: [Double], final: [Double]) {
      let report =
        try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: folder.file(name + "-run/export.json"))))
        as? [String: Any]
      return (
        try #require(report?["windowResiduals"] as? [Double]), try #require(report?["finalResiduals"] as? [Double])
      )
    }

    @Test(arguments: [1, 2]) func `Deaths change no bit of the live volume and none of the final one`(
      binning: Int
    ) throws {
      let scan = try foam(), windows = ["--window-spread", "2", "--workers", "2", "--threads", "1"]
      let whole = try recon(scan, "whole", windows)
      let options = windows + ["--live-binning", "\(binning)"]
      let binned = try recon(scan, "binned", options)
      let killed = try recon(
        scan, "killed", options,
        faults: "distribute=orders-half:20;reconstruct.0=flip-before:9,block-swept:1;"
          + "reconstruct.1=flip-after:30,unreleased:20"
      )
      #expect(killed.restarts.values.reduce(0, +) == 5, "\(killed.restarts)")
      #expect(whole.volumeSHA256 != nil && binned.volumeSHA256 == whole.volumeSHA256)
      #expect(killed.volumeSHA256 == whole.volumeSHA256)
      let (first, second) = (try residuals("binned"), try residuals("killed"))
      #expect(first.live == second.live && first.final == second.final)
      #expect(first.live.count == Self.projections)
      #expect(try first.live != residuals("whole").live)
      #expect(killed.memory.values.allSatisfy { $0.peakBytes ?? 0 <= $0.estimateBytes }, "\(killed.memory)")
    }

    @Test func `Any number of workers makes the same of both volumes`() throws {
      let scan = try foam()
      let options = ["--window-spread", "2", "--live-binning", "1", "--threads", "1"]
      let all = try (1...4).map { workers in
        let memory = workers == 3 ? "0" : "9"
        let result = try recon(
          scan, "\(workers)", options + ["--window-memory", memory, "--workers", "\(workers)"])
        return (result.volumeSHA256, try residuals("\(workers)").live)
      }
      for (volume, live) in all {
        #expect(volume == all[0].0)
        // Those of workers are added up.
        #expect(zip(live, all[0].1).allSatisfy { abs($0 - $1) < 1e-9 * $1 } && live.count == Self.projections)
      }
    }

    @Test(arguments: [
      ["--algorithm", "sirt"], ["--algorithm", "mlem"], ["--algorithm", "sirt", "--initial", "fbp"],
      ["--final", "auto", "--tv-dimensions", "3"], ["--algorithm", "fbp", "--stripe-removal", "vo"],
      ["--axis-tilt", "1", "--final", "sirt"],
    ])
    func `The final iterations begin with nothing, as those of a run without updates`(method: [String]) throws {
      let scan = try foam(), options = method + ["--workers", "2"]
      let alone = try recon(scan, "alone", options + ["--window-step", "0"])
      let binned = try recon(scan, "binned", options + ["--window-length", "6", "--live-binning", "2"])
      #expect(alone.volumeSHA256 != nil && binned.volumeSHA256 == alone.volumeSHA256)
      #expect(try residuals("binned").live.count >= Self.projections)
    }

    @Test func `A run whose power is cut goes on with the live volume that was saved`() throws {
      let runs = try KilledRuns(), options = ["--live-binning", "1"]
      let reference = try runs.recon("reference", options).end().result()
      try runs.cutPower(runs.recon("cut", options + ["--rate", "15", "--lag-max", "0"]), "cut", after: 20)
      let outcome = try runs.resume("cut")
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      #expect(try outcome.result().volumeSHA256 == reference.volumeSHA256 && reference.volumeSHA256 != nil)
      #expect(try runs.residuals("cut") == runs.residuals("reference"))
    }

    /// Any machine keeps up with the one rate, and none with the other, for which 11 of 45 columns are left.
    @Test(arguments: [("0.01", 0, "and 0.01 are expected"), ("1e9", 2, "it goes no further")])
    func `auto takes the least binning with which updates keep up, and the plan has it`(
      rate: String, binning: Int, words: String
    ) throws {
      let scan = try foam(), options = ["--window-spread", "2", "--expect-rate", rate, "--live-binning"]
      let found = try recon(scan, "found", options + ["auto"])
      let given = try recon(scan, "given", options + ["\(binning)"])
      #expect(found.volumeSHA256 == given.volumeSHA256 && found.volumeSHA256 != nil)
      #expect(try residuals("found").live == residuals("given").live)
      let plan = try String(contentsOfFile: folder.file("found-run/plan.json"), encoding: .utf8)
      let values = plan.matches(of: /"live-binning" *: *"?([a-z0-9]+)"?/).map { String($0.1) }
      #expect(values == ["\(binning)"])
      let file = folder.file("scan.yaml")
      try """
      input: \(scan)
      output-folder: \(folder.file("out"))
      rotation-axis: 22.3
      window-spread: 2
      expect-rate: \(rate)
      live-binning: auto
      """.write(toFile: file, atomically: true, encoding: .utf8)
      let check = try Command.run("check", file)
      #expect(check.status == .exited(0), "\(check.errors)")
      let said = check.output + check.errors
      #expect(said.contains("--live-binning auto is \(binning) here") && said.contains(words), "\(said)")
    }

    /// The rotation axis is near an edge of the detector.
    @Test func `A live volume that was saved is exported in the size and the unit of the final one`() throws {
      let wide = WideScan(rows: 3), scan = folder.file("wide.h5")
      try wide.write(scan)
      func command(_ name: String, _ options: [String]) throws -> Command {
        try Command(
          [
            "recon", scan, "--output-folder", folder.file(name), "--run-folder", folder.file(name + "-run"),
            "--rotation-axis", "12", "--window-spread", "2", "--format", "hdf5", "--json", "--order", "bit-reversal",
          ] + options)
      }
      let whole = try command("whole", []).end().result()
      let binned = try command("binned", ["--live-binning", "1"]).end().result()
      #expect(binned.fieldOfView == "half" && binned.volumeSHA256 == whole.volumeSHA256)
      let run = folder.file("cut-run")
      let live = ["--live-binning", "1", "--rate", "60", "--lag-max", "0", "--checkpoint-every", "1"]
      let cut = try command("cut", live)
      try wait("180 updates") {
        let data = FileManager.default.contents(atPath: run + "/status.json")
        return try data.map { try JSONDecoder().decode(RunStatus.self, from: $0).updates >= 180 } ?? false
      }
      try cut.process.signal(SIGKILL)
      _ = try cut.end()
      try RunFolder(path: run).removeRegions(timeout: .seconds(10))
      let exported = try Command.run("export", run, "--format", "hdf5", "--output-folder", folder.file("saved"))
      #expect(exported.status == .exited(0), "\(exported.errors)")
      for row in 0..<wide.rows {
        let distance = try wide.distance(folder.file("saved/wide_rec.h5"), row: row)
        #expect(distance < 0.12, "row \(row): \(distance)")
      }
    }

    @Test func `What reads the live volume reads it in the shape of the final one`() throws {
      let scan = try folder.simulate(rows: 6, columns: 64, projections: 48)
      func run(_ name: String, _ options: [String]) throws -> RunResult {
        try recon(
          scan, name,
          ["--window-spread", "2", "--rate", "40", "--stage", "denoise,method=median segment,reads=denoise"]
            + ["--stop-ssim", "0.999999"] + options)
      }
      let (whole, binned) = (try run("whole", []), try run("binned", ["--live-binning", "1"]))
      #expect(binned.volumeSHA256 == whole.volumeSHA256)
      let stages = try #require(binned.programs)
      #expect(stages.map(\.state) == [.ended, .ended], "\(stages)")
      #expect(stages.map(\.sha256) == whole.programs?.map(\.sha256))
    }

    @Test(arguments: [
      (64, ["--live-binning", "4"], "--live-binning 4"), (64, ["--final-iterations", "0"], "makes no other"),
      (65, ["--live-binning", "3"], "leaves 5 of 45 columns"),
      (65, ["--live-binning", "2", "--latency-max", "1", "--when-slow", "coarse"], "leaves 5 of 45 columns"),
    ])
    func `What makes no sense is refused in a line`(code: Int32, options: [String], words: String) throws {
      let scan = try foam(), defaults = options[0] == "--live-binning" ? [] : ["--live-binning", "1"]
      let outcome = try Command(
        ["recon", scan, "--output-folder", folder.file("out"), "--window-spread", "2", "--rotation-axis", "22"]
          + defaults + options
      ).end()
      expectFailure(code, outcome, words)
    }
  }
}
