import Detectors
import Foundation
import Glibc
import Host
import Journal
import Run
import RunModel
import ScanFiles
import TestSupport
import Testing

extension Pipeline {
  /// Live runs whose machine dies while the detector goes on.
  @Suite struct LiveResumeTests {
    private let folder: TestFolder
    private let scan: String
    private static let (rows, columns, projections, darks, flats) = (5, 48, 120, 2, 3)
    private static let degrees = 180 / Double(projections)

    init() throws {
      folder = try TestFolder()
      scan = folder.file("foam.h5")
      let outcome = try Command.run(
        "simulate", scan, "--rows", "\(Self.rows)", "--columns", "\(Self.columns)", "--projections",
        "\(Self.projections)", "--darks",
        "\(Self.darks)", "--flats", "\(Self.flats)", "--quiet")
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
    }

    private func recon(_ input: String, _ name: String, _ options: [String] = []) throws -> Command {
      try Command(
        [
          "recon", input, "--algorithm", "sirt", "--output-folder", folder.file(name), "--run-folder",
          folder.file(name + "-run"),
          "--rotation-axis", "24",
          "--window-length", "6", "--final-iterations", "2", "--workers", "2", "--lag-max", "0", "--checkpoint-every",
          "7", "--format",
          "hdf5", "--quiet", "--json",
        ] + options)
    }

    /// What is said of the detector.
    private var shape: [String] { ["--shape", "\(Self.rows),\(Self.columns)", "--projections", "\(Self.projections)"] }
    private var fields: [String] { ["--darks", "\(Self.darks)", "--flats", "\(Self.flats)"] }

    /// Kills the supervisor and its stages once the run has some projections, and deletes its shared memory; gives what
    /// it had then at least.
    private func cutPower(_ command: Command, _ name: String, after projections: Int) throws -> Int {
      let acquired = try waitForImages(projections, of: folder.file(name + "-run")).acquired
      try command.process.signal(SIGKILL)
      #expect(try command.end().status == .killed(signal: SIGKILL))
      try RunFolder(path: folder.file(name + "-run")).removeRegions(timeout: .seconds(10))
      return acquired
    }

    private func resume(_ name: String) throws -> RunResult {
      let outcome = try Command(["resume", folder.file(name + "-run"), "--quiet", "--json"]).end()
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
      return try outcome.result()
    }

    private func losses(_ name: String) throws -> LossReport {
      try JSONDecoder().decode(
        LossReport.self, from: Data(contentsOf: URL(filePath: folder.file(name + "-run/losses.json"))))
    }

    @Test(arguments: ["push", "pub"])
    func `A run goes on with the stream after its machine died, and what was sent meanwhile is lost, nothing else`(
      pattern: String
    ) throws {
      let port = try freePort()
      let detector = try Command([
        "simulate", "--stream", "zmq+\(pattern)://127.0.0.1:\(port)", "--scan", scan, "--rate", "20", "--quiet",
      ])
      let address = "zmq+\(pattern == "push" ? "pull" : "sub")://127.0.0.1:\(port)"
      let acquired = try cutPower(recon(address, "live", shape + fields), "live", after: 20)
      if pattern == "pub" { usleep(300_000) }
      let result = try resume("live")
      #expect(try detector.end().status == .exited(0))
      let losses = try losses("live")
      // One gap: what was sent between the last image of the one life and the first of the next.
      let gap = losses.gaps.first.map { Int($0[0])...Int($0[1]) }
      #expect(
        losses.gaps.count <= 1 && losses.counts.duplicates == 0 && losses.counts.late == 0 && losses.malformed.isEmpty,
        "\(losses)")
      if pattern == "pub" { #expect(losses.counts.lost >= 6, "\(losses)") }
      #expect(gap.map { $0.lowerBound >= acquired + Self.darks + Self.flats } ?? true, "\(losses) after \(acquired)")
      #expect(
        result.lost == losses.counts.lost && result.projections + losses.counts.lost == Self.projections, "\(losses)")
      // The volume is that of a scan without those.
      let came = (0..<Self.projections).filter { gap?.contains($0 + Self.darks + Self.flats) != true }
      try copyScan(scan, to: folder.file("rest.h5"), projections: came, degrees: Self.degrees)
      let reference = try recon(folder.file("rest.h5"), "reference").end().result()
      #expect(result.volumeSHA256 == reference.volumeSHA256 && result.updates == reference.updates)
    }

    @Test(arguments: [["--first-frame", "1000"], []])
    func `A folder of files waits while the machine is dead, and nothing is lost`(numbers: [String]) throws {
      let watched = folder.file("tiffs")
      try FileManager.default.createDirectory(atPath: watched, withIntermediateDirectories: false)
      // Each file waits until it has settled, so there are few.
      let (integrals, count) = (folder.file("integrals.h5"), 24)
      let simulated = try Command.run(
        "simulate", integrals, "--rows", "\(Self.rows)", "--columns", "\(Self.columns)", "--projections", "\(count)",
        "--line-integrals",
        "--quiet")
      try #require(simulated.status == .exited(0), "\(simulated.errors)")
      let reader = try openScan(path: integrals)
      let image = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.rows * Self.columns * 4, alignment: 64)
      defer { image.deallocate() }
      func write(_ projections: Range<Int>) throws {
        for index in projections {
          try reader.readProjection(index, rows: 0..<Self.rows, into: image)
          try writeTIFF(
            path: "\(watched)/p\(1000 + index).tif", columns: Self.columns, rows: Self.rows,
            values: UnsafeBufferPointer(image.assumingMemoryBound(to: Float.self)), description: "projection \(index)")
        }
      }
      try write(0..<10)
      let live = [
        "--shape", "\(Self.rows),\(Self.columns)", "--projections", "\(count)", "--pixel", "float32", "--minus-log",
        "no",
      ]
      let command = try recon("watch:\(watched)", "live", live + numbers)
      #expect(try cutPower(command, "live", after: 3) <= 10)
      try write(10..<count)
      let result = try resume("live")
      #expect(try result.projections == count && result.lost == 0 && losses("live").gaps.isEmpty)
      #expect(
        try result.volumeSHA256 == recon(integrals, "reference", ["--minus-log", "no"]).end().result().volumeSHA256)
    }

    @Test func `What a salvage gives up at the end, and what never came behind it, is lost, each once`() throws {
      let port = try freePort()
      let detector = try Command([
        "simulate", "--stream", "zmq+push://127.0.0.1:\(port)", "--scan", scan, "--rate", "40", "--quiet",
      ])
      let options = shape + fields + ["--source-timeout", "1"]
      _ = try cutPower(recon("zmq+pull://127.0.0.1:\(port)", "live", options), "live", after: 40)
      // Nobody sends any more.
      try detector.process.signal(SIGKILL)
      #expect(try detector.end().status == .killed(signal: SIGKILL))
      let run = folder.file("live-run")
      let journal = try #require(
        RunJournals(RunFolder(path: run)).examine(depth: .tail).first { $0.topic == "projections" })
      let segment = try FileHandle(
        forUpdating: URL(filePath: "\(journal.folder)/\(#require(journal.report.segments.first))"))
      let end = Int(journal.report.nextSequence)
      for record in end - 20..<end {
        try segment.seek(toOffset: UInt64(4096 + record * journal.stride + 64))
        try segment.write(contentsOf: Data([0xAA, 0x55, 0xAA]))
      }
      try segment.close()
      let salvaged = try Command.run("journal", "salvage", run)
      #expect(salvaged.status == .exited(0) && salvaged.output.contains("projections: gave up"), "\(salvaged)")
      let result = try resume("live")
      #expect(result.projections == end - 20 - Self.darks - Self.flats && result.lostFields == 0)
      #expect(result.lost + result.projections == Self.projections, "\(result)")
      #expect(try losses("live").counts.lost == result.lost)
    }

    @Test func `A machine that dies before the first image leaves a run that takes all of them`() throws {
      let port = try freePort()
      let command = try recon("zmq+pull://127.0.0.1:\(port)", "live", shape + ["--fields", scan])
      try wait("the fields") {
        let data = FileManager.default.contents(atPath: folder.file("live-run/status.json"))
        return try data.map {
          try JSONDecoder().decode(RunStatus.self, from: $0).stages.first { $0.name == "distribute" }?.cursor == 5
        }
          ?? false
      }
      _ = try cutPower(command, "live", after: 0)
      // The detector sends projections only.
      let sent = folder.file("sent.h5")
      try copyScan(scan, to: sent, projections: Array(0..<Self.projections), degrees: Self.degrees, fields: false)
      let detector = try Command(["simulate", "--stream", "zmq+push://127.0.0.1:\(port)", "--scan", sent, "--quiet"])
      let result = try resume("live")
      #expect(try detector.end().status == .exited(0))
      #expect(try result.projections == Self.projections && result.lost == 0 && losses("live").counts.lost == 0)
      #expect(try result.volumeSHA256 == recon(scan, "reference").end().result().volumeSHA256)
    }
  }
}
