import Foundation
import Glibc
import Host
import Run
import TestSupport
import Testing

extension Pipeline {
  /// Stages that are stopped instead of killed: alive, and without a sign of it.
  @Suite struct HungStageTests {
    private let folder: TestFolder
    private let scan: String

    init() throws {
      folder = try TestFolder()
      scan = try folder.simulate(rows: 4, columns: 48, projections: 100)
    }

    private func reconstruct(_ name: String, faults: String?) throws -> Command.Outcome {
      try Command(
        [
          "recon", scan, "--algorithm", "sirt", "--output-folder", folder.file(name), "--run-folder",
          folder.file(name + "-run"),
          "--rotation-axis", "24",
          "--workers", "2", "--window-length", "6", "--final-iterations", "2", "--json",
        ], faults: faults
      ).end()
    }

    @Test func `A stage that hangs is killed and started again, wherever it hangs, and the volume has the same bits`()
      throws
    {
      let reference = try reconstruct("reference", faults: nil).result()
      // Each stage hangs once, the worker with its claim, slots and lease; before its first beat a stage may take
      // longer.
      let order =
        "acquire=payload-half:30:stop;distribute=orders-half:9:stop;reconstruct.1=flip-before:20:stop;export=rename-before:2:stop"
      let outcome = try reconstruct("out", faults: order)
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result()
      #expect(result.volumeSHA256 == reference.volumeSHA256)
      #expect(
        result.projections == 100 && result.lost == 0 && result.duplicates == 0 && result.updates == reference.updates)
      let data = try Data(contentsOf: URL(filePath: folder.file("out-run/status.json")))
      let stages = try JSONDecoder().decode(RunStatus.self, from: data).stages
      let hung = ["acquire", "distribute", "reconstruct.1", "export"]
      for stage in stages {
        let expected = hung.contains(stage.name) ? 1 : 0
        #expect(stage.hangs == expected && stage.restarts == expected, "\(stage)")
        #expect(
          outcome.errors.contains("stage \(stage.name) gave no sign of life") == (expected == 1), "\(outcome.errors)")
      }
      let log = try String(contentsOfFile: folder.file("out-run/log/supervisor.jsonl"), encoding: .utf8)
      for stage in hung { #expect(log.contains("killed \(stage), which hung")) }
      #expect(
        try !FileManager.default.contentsOfDirectory(atPath: folder.file("out")).contains { $0.hasSuffix(".tmp") })
    }

    /// Runs a command; whether it succeeded.
    private func run(_ arguments: String...) throws -> Bool {
      let process = try ChildProcess(executable: "/usr/bin/env", arguments: arguments)
      return try process.waitForExit(timeout: .seconds(20)) == .exited(0)
    }

    @Test(.enabled(if: geteuid() == 0, "a file system that does not answer needs root"))
    func `A stage that cannot be killed fails the run, which is kept and can be resumed`() throws {
      let reference = try reconstruct("reference", faults: nil).result()
      let (image, disk) = (folder.file("image"), folder.file("out"))
      try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: false)
      try #require(FileManager.default.createFile(atPath: image, contents: nil) && truncate(image, 16 << 20) == 0)
      guard try run("mkfs.ext4", "-q", image), try run("mount", "-o", "loop", image, disk) else {
        return print("skipped: this process may not mount a loop device")
      }
      defer { #expect(umount2(disk, Int32(MNT_DETACH)) == 0) }
      let command = try Command([
        "recon", scan, "--algorithm", "sirt", "--output-folder", disk, "--run-folder", folder.file("out-run"),
        "--rotation-axis", "24",
        "--workers", "2",
        "--window-length", "6", "--final-iterations", "2", "--rate", "50", "--lag-max", "0", "--json",
      ])
      var status: RunStatus?
      try wait("the run is on its way") {
        let data = FileManager.default.contents(atPath: folder.file("out-run/status.json"))
        status = try data.map { try JSONDecoder().decode(RunStatus.self, from: $0) }
        return (status?.updates ?? 0) > 0
      }
      let export = try #require(status?.stages.first { $0.name == "export" }?.pid)
      try #require(try run("fsfreeze", "-f", disk))
      var isFrozen = true
      defer { if isFrozen { #expect(throws: Never.self) { try run("fsfreeze", "-u", disk) } } }
      // The export waits in the kernel as soon as it writes. Then it is stopped through another thread of it, and so
      // are its beats: the thread that waits would not take the signal.
      try wait("the export writes") { try Self.state(export) == "D" }
      let threads = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(export)/task").compactMap(Int32.init)
      let other = try #require(threads.first { $0 != export })
      kill(other, SIGSTOP)
      let outcome = try command.end(within: .seconds(60))
      #expect(try run("fsfreeze", "-u", disk))
      isFrozen = false
      expectFailure(70, outcome, "stage export (process \(export)) hangs in the kernel", "slipring resume")
      // Nobody may be there to take note of its end.
      try wait("the export ends") { try [nil, "Z"].contains(Self.state(export)) }
      let resumed = try Command(["resume", folder.file("out-run"), "--json"]).end()
      #expect(resumed.status == .exited(0), "\(resumed.errors)")
      #expect(try resumed.result().volumeSHA256 == reference.volumeSHA256)
    }

    /// The state letter of a process, as in /proc.
    private static func state(_ pid: Int32) throws -> Substring? {
      let text = String(decoding: FileManager.default.contents(atPath: "/proc/\(pid)/stat") ?? Data(), as: UTF8.self)
      return text.split(separator: ")").last?.split(separator: " ").first
    }
  }
}
