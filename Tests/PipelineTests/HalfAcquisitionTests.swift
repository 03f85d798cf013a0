import Foundation
import Glibc
import Host
import Run
import ScanPlan
import TestSupport
import Testing

@testable import ScanFiles

extension Pipeline {
  /// A turn around an axis near an edge of the detector: what it misses at one angle it measures half a turn later.
  @Suite struct HalfAcquisitionTests {
    private static let wide = 104
    private let folder: TestFolder
    private let scan: String

    init() throws {
      folder = try TestFolder()
      scan = folder.file("wide.h5")
    }

    private func recon(_ name: String, _ options: [String], faults: String? = nil) throws -> Command {
      try Command(
        ["recon", scan, "--output-folder", folder.file(name), "--format", "hdf5", "--json"] + options, faults: faults)
    }

    private func run(_ name: String, _ options: [String], faults: String? = nil) throws -> RunResult {
      let outcome = try recon(name, options, faults: faults).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      return try outcome.result()
    }

    private func volume(_ name: String) -> String { folder.file("\(name)/wide_rec.h5") }

    /// One of the two runs loses a worker before its first volume is complete and another in its final iterations.
    @Test(arguments: [
      (["--algorithm", "sirt"], 0.06), (["--algorithm", "fbp", "--window-step", "12"], 0.045), ([], 0.02),
      (["--final", "cgls", "--window-step", "12"], 0.06), (["--algorithm", "mlem"], 0.07),
      (["--algorithm", "pml-hybrid", "--reg", "5,0.005"], 0.05),
      // Updates while the scan runs alone.
      (["--window-recent", "1", "--window-spread", "2", "--final-iterations", "0"], 0.07),
      (["--window-recent", "1", "--window-spread", "2", "--final-iterations", "0", "--order", "interleaved:5"], 0.045),
    ])
    func `Every method makes slices as wide as twice the detector's reach, through deaths and by any workers`(
      options: [String], limit: Double
    ) throws {
      let wide = WideScan()
      try wide.write(scan)
      var checksums: Set<String> = []
      for (workers, faults) in [("1", nil), ("2", "reconstruct.0=flip-before:1;reconstruct.1=block-swept:1")] {
        let result = try run(
          workers, options + ["--rotation-axis", "12", "--workers", workers, "--threads", "1"], faults: faults)
        #expect(result.fieldOfView == "half" && result.columns == Self.wide && result.lost == 0)
        #expect(result.memory.values.allSatisfy { $0.peakBytes ?? 0 <= $0.estimateBytes }, "\(result.memory)")
        checksums.insert(result.volumeSHA256 ?? "none")
      }
      #expect(checksums.count == 1, "\(checksums)")
      for row in 0..<wide.rows {
        let distance = try wide.distance(volume("2"), row: row)
        #expect(distance < limit, "\(options), row \(row): \(distance)")
      }
    }

    @Test(arguments: [12.0, 52.4]) func `An axis near either edge is found, and told with what is made of it`(
      axis: Double
    ) throws {
      let wide = WideScan(rows: 1, axis: axis)
      try wide.write(scan)
      let outcome = try recon("out", ["--algorithm", "fbp", "--window-step", "0"]).end()
      #expect(
        outcome.errors.contains("half acquisition around an axis near an edge of the detector"), "\(outcome.errors)")
      let result = try outcome.result(), columns = result.columns
      #expect(result.fieldOfView == "half" && abs(result.rotationAxis - axis) < 0.2)
      #expect(columns == 2 * Int(max(result.rotationAxis, 64 - result.rotationAxis).rounded(.up)))
      #expect(try wide.distance(volume("out")) < 0.06)
      let file = try HDF5File(path: volume("out"))
      #expect(
        try file.text(ofAttribute: "field_of_view", of: DXchange.data)?.hasPrefix("half: slices of \(columns)") == true)
      #expect(try file.text(ofDataset: "/entry/reconstruction/parameters/field_of_view") == "half")
      // Voxels lie around the axis, whose place among them is not that on the detector.
      let x = try file.numbers("/entry/data/x")
      #expect(x.count == columns && x[0] == -x[columns - 1] && abs(x[0]) == 0.5 * Double(columns - 1))
      #expect(try file.numbers("/entry/reconstruction/parameters/rotation_axis") == [result.rotationAxis])
      let yaml = try String(contentsOfFile: folder.file("out/scan.yaml"), encoding: .utf8)
      #expect(yaml.contains("field-of-view: half\n"), "\(yaml)")
    }

    @Test func `Slices are as wide as the detector where that is asked for, or half a turn was measured`() throws {
      try WideScan(rows: 1).write(scan)
      let options = ["--rotation-axis", "12", "--algorithm", "fbp", "--window-step", "0", "--quiet"]
      let full = try run("full", options + ["--field-of-view", "full"])
      #expect(full.fieldOfView == "full" && full.columns == 64)
      try WideScan(rows: 1, range: 180).write(scan)
      #expect(try run("auto", options).columns == 64)
      expectFailure(65, try recon("half", options + ["--field-of-view", "half"]).end(), "half a turn later", "181°")
    }

    @Test func `What a check says of it is what the run has`() throws {
      try WideScan(rows: 3).write(scan)
      let yaml = folder.file("scan.yaml")
      try "input: \(scan)\noutput-folder: \(folder.file("out"))\nrotation-axis: 12\nformat: hdf5\n".write(
        toFile: yaml, atomically: true, encoding: .utf8)
      let outcome = try Command.run("check", yaml, "--json")
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      struct Report: Decodable { let estimate: RunEstimate }
      let estimate = try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8)).estimate
      #expect(estimate.columns == 64 && estimate.sliceColumns == Self.wide)
      #expect(estimate.output.bytes == 3 * Self.wide * Self.wide * 4)
      #expect(estimate.notices.contains { $0.contains("half acquisition") })
    }

    @Test func `The machine dies, and what resume makes has the same bits`() throws {
      try WideScan().write(scan)
      let options = [
        "--rotation-axis", "12", "--algorithm", "sirt", "--window-length", "12", "--final-iterations", "3",
        "--checkpoint-every", "7", "--workers", "2", "--quiet",
      ]
      let reference = try run("reference", options)
      let killed = folder.file("killed-run")
      let command = try recon("killed", options + ["--rate", "200", "--lag-max", "0", "--run-folder", killed])
      try waitForImages(60, of: killed)
      try command.process.signal(SIGKILL)
      #expect(try command.end().status == .killed(signal: SIGKILL))
      try RunFolder(path: killed).removeRegions(timeout: .seconds(10))
      let outcome = try Command(["resume", killed, "--quiet", "--json"]).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result()
      #expect(result.volumeSHA256 == reference.volumeSHA256 && result.columns == Self.wide && result.lost == 0)
    }

    @Test func `A sweep over the axis names the right one`() throws {
      try WideScan(rows: 1).write(scan)
      let outcome = try Command.run(
        "sweep", scan, "--vary", "rotation-axis=10:14:1", "--set", "algorithm=fbp", "--output-folder",
        folder.file("try"), "--json", "--quiet")
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      #expect(outcome.output.contains(#""best" : "12""#), "\(outcome.output)")
    }
  }
}
