import Detectors
import Foundation
import Glibc
import Host
import Run
import RunModel
import ScanPlan
import TestSupport
import Testing

@testable import ScanFiles

extension Pipeline {
  /// Live scans whose rotation axis nobody gave.
  @Suite struct LiveAxisTests {
    private let folder: TestFolder
    private static let (rows, columns, projections, darks, flats) = (4, 64, 96, 2, 3)
    private static let axis = 30.4

    init() throws { folder = try TestFolder() }

    /// A scan in a file.
    private func scan(_ name: String, _ options: [String] = []) throws -> String {
      let path = folder.file(name)
      let counts = [Self.rows, Self.columns, Self.projections, Self.darks, Self.flats].map(String.init)
      let outcome = try Command(
        [
          "simulate", path, "--rows", counts[0], "--columns", counts[1], "--projections", counts[2], "--darks",
          counts[3], "--flats", counts[4], "--rotation-axis", "\(Self.axis)", "--quiet",
        ] + options
      ).end()
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
      return path
    }

    private func recon(_ input: String, _ name: String, _ options: [String] = [], faults: String? = nil) throws
      -> Command
    {
      try Command(
        [
          "recon", input, "--output-folder", folder.file(name), "--run-folder", folder.file("runs/" + name),
          "--workers", "2", "--lag-max", "0", "--checkpoint-every", "1", "--json",
        ] + options, faults: faults)
    }

    /// A run of what a virtual detector sends of a scan.
    private func live(
      _ scan: String, _ name: String, _ options: [String] = [], sending: [String] = [], faults: String? = nil
    ) throws -> (command: Command, detector: Command) {
      let port = try freePort()
      let detector = try Command(
        ["simulate", "--stream", "zmq+push://127.0.0.1:\(port)", "--scan", scan, "--quiet"] + sending)
      let counts = [
        "--shape", "\(Self.rows),\(Self.columns)", "--projections", "\(Self.projections)", "--darks", "\(Self.darks)",
        "--flats", "\(Self.flats)",
      ]
      return (
        try recon("zmq+pull://127.0.0.1:\(port)", name, counts + options, faults: faults), detector
      )
    }

    private func yaml(_ path: String) throws -> RotationAxis {
      let text = try String(contentsOfFile: folder.file(path), encoding: .utf8)
      return ScanFile(path: path, bytes: Array(text.utf8)).scan.rotationAxis
    }

    @Test(arguments: [["sequential"], ["golden", "--fields-last"]])
    func `The axis of a live scan is found by itself, and the volume is that of the file, bit for bit`(
      order: [String]
    ) throws {
      let scan = try scan("foam.h5", ["--order", order[0]])
      let reference = try recon(scan, "reference").end().result()
      // Updates of binned projections, about the axis that is found of whole ones, and of those that are binned again.
      let binning =
        order.count > 1 ? ["--live-binning", "1", "--latency-max", "0.01", "--when-slow", "coarse"] : []
      let (command, detector) = try live(scan, "live", binning, sending: Array(order.dropFirst()))
      let outcome = try command.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result()
      #expect(abs(result.rotationAxis - Self.axis) < 0.15)
      #expect(
        result.rotationAxis == reference.rotationAxis && result.rotationAxisError == reference.rotationAxisError)
      #expect(result.volumeSHA256 == reference.volumeSHA256 && result.projections == Self.projections)
      #expect(try detector.end().status == .exited(0))
      let updates = try RunHistory(RunFolder(path: folder.file("runs/live"))).updates.joined()
      #expect(updates.contains { $0.event.isCoarse } == !binning.isEmpty)
      // Wherever somebody looks for it afterwards.
      let status = try RunFolder(path: folder.file("runs/live")).readStatus().status
      #expect(status.rotationAxis == result.rotationAxis && status.rotationAxisError == result.rotationAxisError)
      #expect(try yaml("live/scan.yaml") == .pixels(result.rotationAxis))
      #expect(try yaml("runs/live/scan.yaml") == .pixels(result.rotationAxis))
      let file = try HDF5File(path: folder.file("live/stream_rec.h5"))
      #expect(try file.numbers("/entry/reconstruction/parameters/rotation_axis") == [result.rotationAxis])
      // And where the volume is exported again.
      let exported = try Command.run(
        "export", folder.file("runs/live"), "--format", "hdf5", "--output-folder", folder.file("again"))
      #expect(exported.status == .exited(0), "\(exported.errors)")
      let again = try HDF5File(path: folder.file("again/stream_rec.h5"))
      #expect(try again.numbers("/entry/reconstruction/parameters/rotation_axis") == [result.rotationAxis])
    }

    @Test func `Whoever dies, also where the axis is decided, changes no bit`() throws {
      let scan = try scan("foam.h5", ["--order", "golden"])
      let windows = ["--algorithm", "sirt", "--final-iterations", "3", "--window-length", "6"]
      var checksums: Set<String?> = []
      for (number, faults) in [
        nil,
        "distribute=axis-search:1,axis-found:1,axis-found:1,orders-half:60;reconstruct.0=unreleased:31,flip-before:3",
        "distribute=axis-found:4;reconstruct.0=unreleased:36,block-swept:1;reconstruct.1=flip-after:2,unreleased:60",
      ].enumerated() {
        let (command, detector) = try live(scan, "run\(number)", windows, faults: faults)
        let outcome = try command.end()
        #expect(outcome.status == .exited(0), "\(faults ?? ""): \(outcome.errors)")
        let result = try outcome.result()
        let kills = faults.map { $0.split(separator: ";").map { $0.split(separator: ",").count }.reduce(0, +) }
        #expect(result.restarts.values.reduce(0, +) == kills ?? 0, "\(faults ?? ""): \(result.restarts)")
        #expect(result.projections == Self.projections && result.lost == 0)
        checksums.insert(result.volumeSHA256)
        #expect(try detector.end().status == .exited(0))
      }
      #expect(checksums.count == 1 && !checksums.contains(nil), "\(checksums)")
    }

    @Test func `Filters of whole projections that die change no bit either`() throws {
      let scan = try scan("foam.h5", ["--order", "golden"])
      var checksums: Set<String?> = []
      for (name, faults) in [("whole", nil), ("killed", "correct=unreleased:50;distribute=axis-found:1")] {
        let (command, detector) = try live(scan, name, ["--zingers", "0.5"], faults: faults)
        let outcome = try command.end()
        #expect(outcome.status == .exited(0), "\(outcome.errors)")
        let result = try outcome.result()
        #expect(result.restarts["correct"] == (faults == nil ? 0 : 1), "\(result.restarts)")
        #expect(result.restarts["distribute"] == (faults == nil ? 0 : 1), "\(result.restarts)")
        #expect(abs(result.rotationAxis - Self.axis) < 0.15)
        checksums.insert(result.volumeSHA256)
        #expect(try detector.end().status == .exited(0))
      }
      #expect(checksums.count == 1 && !checksums.contains(nil), "\(checksums)")
    }

    @Test func `After the death of the machine the axis is found of what came, as from a file of that`() throws {
      let scan = try scan("foam.h5")
      let (command, detector) = try live(scan, "live", sending: ["--rate", "40"])
      try waitForImages(30, of: folder.file("runs/live"))
      try command.process.signal(SIGKILL)
      #expect(try command.end().status == .killed(signal: SIGKILL))
      let run = folder.file("runs/live")
      try RunFolder(path: run).removeRegions(timeout: .seconds(10))
      let outcome = try Command(["resume", run, "--quiet", "--json"]).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result()
      #expect(try detector.end().status == .exited(0))
      let losses = try JSONDecoder().decode(
        LossReport.self, from: Data(contentsOf: URL(filePath: run + "/losses.json")))
      let lost = losses.gaps.flatMap { Array($0[0]...$0[1]) }.map { Int($0) - Self.darks - Self.flats }
      #expect(result.projections + lost.count == Self.projections, "\(lost)")
      try copyScan(
        scan, to: folder.file("rest.h5"), projections: (0..<Self.projections).filter { !lost.contains($0) },
        degrees: 180 / Double(Self.projections))
      let reference = try recon(folder.file("rest.h5"), "reference").end().result()
      #expect(result.rotationAxis == reference.rotationAxis && result.volumeSHA256 == reference.volumeSHA256)
    }

    @Test func `A live scan that is ended too early has a volume, and is told what its axis is worth`() throws {
      let scan = try scan("foam.h5")
      // Slowly: 120 degrees are 64 projections, some seconds behind the first ones.
      let (command, detector) = try live(scan, "live", sending: ["--rate", "8"])
      try waitForImages(8, of: folder.file("runs/live"))
      let status = try RunFolder(path: folder.file("runs/live")).readStatus().status
      #expect(status.rotationAxis == nil && status.updates == 0)
      #expect(try Command.run("status", folder.file("runs/live"), "--once").output.contains("not known yet"))
      try command.process.signal(SIGINT)
      let outcome = try command.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result()
      #expect(result.rotationAxis == Double(Self.columns) / 2 && result.rotationAxisError == Double(Self.columns) / 2)
      #expect(outcome.errors.contains("no rotation axis was found"), "\(outcome.errors)")
      #expect(try yaml("live/scan.yaml") == .automatic)
      let file = try HDF5File(path: folder.file("live/stream_rec.h5"))
      #expect(try file.numbers("/entry/reconstruction/parameters/rotation_axis") == [32])
      try detector.process.signal(SIGINT)
      _ = try detector.end()
    }

    @Test func `The axis of the scan before is taken where that is asked for, and told`() throws {
      let scan = try scan("foam.h5"), once = ["--algorithm", "fbp", "--format", "hdf5"]
      let first = try recon(scan, "first", once).end().result()
      let given = try recon(scan, "given", once + ["--rotation-axis", "29.5"]).end().result()
      #expect(given.rotationAxis == 29.5)
      let (command, detector) = try live(scan, "live", once + ["--rotation-axis", "last"])
      let last = try command.end()
      #expect(last.status == .exited(0), "\(last.errors)")
      #expect(try last.result().volumeSHA256 == given.volumeSHA256 && last.result().rotationAxis == 29.5)
      #expect(try detector.end().status == .exited(0))
      #expect(try yaml("runs/live/scan.yaml") == .pixels(29.5))
      let from = try Command(
        [
          "recon", scan, "--output-folder", folder.file("from"), "--run-folder", folder.file("runs/from"), "--json",
          "--rotation-axis", "from:" + folder.file("runs/first"),
        ] + once
      ).end()
      #expect(from.status == .exited(0), "\(from.errors)")
      #expect(try from.result().volumeSHA256 == first.volumeSHA256)
      #expect(from.errors.contains("as that of the run in \(folder.file("runs/first"))"), "\(from.errors)")
      expectFailure(
        66, try recon(scan, "none", ["--rotation-axis", "from:" + folder.file("nowhere")]).end(), "there is no run")
      let alone = try Command([
        "recon", scan, "--output-folder", folder.file("alone"), "--run-folder", folder.file("other/alone"),
        "--rotation-axis", "last",
      ]).end()
      expectFailure(66, alone, "--rotation-axis last", "no finished run")
    }
  }
}
