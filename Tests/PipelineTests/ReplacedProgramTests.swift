import Foundation
import Glibc
import Host
import Run
import TestSupport
import Testing

extension Pipeline {
  /// A program whose file is replaced while it runs, as by an upgrade.
  @Suite struct ReplacedProgramTests {
    private let folder: TestFolder
    private let scan: String

    init() throws {
      folder = try TestFolder()
      scan = try folder.simulate(rows: 2, columns: 32, projections: 60)
    }

    private var status: RunStatus? {
      FileManager.default.contents(atPath: folder.file("run/status.json")).flatMap {
        try? JSONDecoder().decode(RunStatus.self, from: $0)
      }
    }

    private func worker(_ status: RunStatus?) -> RunStatus.Stage? {
      status?.stages.first { $0.name == "reconstruct.0" }
    }

    /// The file that a process runs.
    private func inode(_ pid: Int32) -> UInt {
      var status = stat()
      return stat("/proc/\(pid)/exe", &status) == 0 ? status.st_ino : 0
    }

    @Test func `A stage that dies after the program was replaced is started from the old one`() throws {
      let program = folder.file("slipring")
      try FileManager.default.copyItem(atPath: Command.executable, toPath: program)
      let command = try Command(
        [
          "recon", scan, "--output-folder", folder.file("out"), "--run-folder", folder.file("run"), "--algorithm",
          "sirt", "--rotation-axis", "16", "--rate", "20", "--workers", "1", "--final-iterations", "1", "--json",
          "--quiet",
        ], executable: program)
      let before = try waitForImages(5, of: folder.file("run"))
      let own = inode(command.process.pid)
      // As dpkg does it. Nothing could run this one.
      let new = folder.file("slipring.new")
      try "#!/bin/false\n".write(toFile: new, atomically: true, encoding: .utf8)
      try #require(chmod(new, 0o755) == 0 && rename(new, program) == 0)
      let old = try #require(worker(before))
      #expect(kill(old.pid, SIGKILL) == 0)
      var replaced: Int32 = 0
      try wait("the stage was started again") {
        guard let stage = worker(status), stage.restarts == 1, stage.isRunning else { return false }
        replaced = stage.pid
        return true
      }
      #expect(own != 0 && inode(replaced) == own && replaced != old.pid)
      // What people see of it is its name.
      #expect(try String(contentsOfFile: "/proc/\(replaced)/comm", encoding: .utf8) == "slipring\n")
      let outcome = try command.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result()
      #expect(result.lost == 0 && result.restarts["reconstruct.0"] == 1)
    }

    @Test(arguments: [
      ["stage", "acquire", "--run-folder", "run", "--regions", "none"], ["program", "/bin/true"],
      ["serve-intake", "serve.yaml", "camera"], ["serve-job", "serve.yaml", "1"],
    ])
    func `A process that another build starts names both and ends`(arguments: [String]) throws {
      let parent = ["--parent", "\(getpid())"]
      expectFailure(
        75, try Command(arguments + parent + ["--program", "0.0.9 (file 1 of device 2)"]).end(),
        "slipring \(programVersion) (file ", "slipring 0.0.9 (file 1 of device 2)")
      expectFailure(75, try Command(arguments + parent).end(), "slipring of an earlier version")
    }
  }
}
