import Foundation
import Glibc
import Host
import Run
import TestSupport
import Testing

extension Pipeline {
  /// What a run goes on from is what was written, or it does not go on.
  @Suite struct IntegrityTests {
    private let runs: KilledRuns

    init() throws { runs = try KilledRuns() }

    private func flip(_ path: String, byte: Int, bit: UInt8 = 0) throws {
      let file = try FileHandle(forUpdating: URL(filePath: path))
      defer { try? file.close() }
      try file.seek(toOffset: UInt64(byte))
      let old = try #require(try file.read(upToCount: 1)?.first)
      try file.seek(toOffset: UInt64(byte))
      try file.write(contentsOf: Data([old ^ 1 << bit]))
    }

    private func expect(
      _ outcome: Command.Outcome, like reference: RunResult, at location: SourceLocation = #_sourceLocation
    ) throws {
      #expect(outcome.status == .exited(0), "\(outcome.errors)", sourceLocation: location)
      let result = try outcome.result()
      #expect(result.volumeSHA256 == reference.volumeSHA256 && result.lost == 0, sourceLocation: location)
    }

    @Test func `A plan with another rotation axis is refused, and its copy brings the run to the same volume`() throws {
      let reference = try runs.reference()
      try runs.cutPower("out", after: 10)
      let plan = runs.run("out") + "/plan.json"
      let text = try Data(contentsOf: URL(filePath: plan))
      let axis = try #require(text.range(of: Data("\"rotationAxis\" : 24".utf8)))
      // 24 becomes 25.
      try flip(plan, byte: axis.upperBound - 1)
      for command in [["resume"], ["status"], ["journal", "verify"]] {
        expectFailure(
          65, try Command(command + [runs.run("out")]).end(), "plan.json is damaged", "plan.copy.json")
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: runs.folder.file("out")) == ["scan.yaml"])
      try text.write(to: URL(filePath: plan))
      try expect(runs.resume("out"), like: reference)
    }

    @Test func `Neither a damaged status nor a missing folder of logs stops a resume`() throws {
      let reference = try runs.reference()
      try runs.cutPower("out", after: 10)
      let run = runs.run("out")
      try flip(run + "/status.json", byte: 40)
      try FileManager.default.removeItem(atPath: run + "/log")
      expectFailure(65, try Command(["status", run]).end(), "status.json is damaged")
      try expect(runs.resume("out"), like: reference)
      #expect(try runs.status("out").phase == .finished)
    }

    @Test func `A scan file that changed is refused, and one that is as it was is taken`() throws {
      let reference = try runs.reference()
      try runs.cutPower("out", after: 10)
      let url = URL(filePath: runs.scan), whole = try Data(contentsOf: url)
      var before = stat()
      try #require(stat(runs.scan, &before) == 0)
      func setTime() {
        let times = [before.st_atim, before.st_mtim]
        #expect(utimensat(AT_FDCWD, runs.scan, times, 0) == 0)
      }
      // Written again; longer; with other pixels in the middle of it and its old time.
      try whole.write(to: url)
      expectFailure(65, try runs.resume("out"), "changed since the run was planned", "touch -d @")
      try (whole + Data(count: 100)).write(to: url)
      expectFailure(65, try runs.resume("out"), "changed since the run was planned", "bytes")
      let other = try Command.run(
        "simulate", runs.folder.file("other.h5"), "--rows", "6", "--columns", "48", "--projections", "60", "--flats",
        "3", "--darks", "2", "--seed", "9", "--quiet")
      try #require(other.status == .exited(0), "\(other.errors)")
      let replaced = try Data(contentsOf: URL(filePath: runs.folder.file("other.h5")))
      try #require(replaced.count == whole.count)
      try replaced.write(to: url)
      setTime()
      expectFailure(65, try runs.resume("out"), "changed since the run was planned", "other content")
      try whole.write(to: url)
      setTime()
      try expect(runs.resume("out"), like: reference)
    }

    @Test func `Files of a run are its user's alone`() throws {
      _ = try runs.recon("out").end().result()
      for name in try FileManager.default.subpathsOfDirectory(atPath: runs.run("out")) {
        var status = stat()
        guard lstat("\(runs.run("out"))/\(name)", &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
        #expect(status.st_mode & 0o077 == 0, "\(name)")
      }
    }
  }
}
