import Foundation
import Glibc
import Host
import Run
import TestSupport
import Testing

extension Pipeline {
  /// Runs with `--mirror`, of whose two disks one fails.
  @Suite struct MirrorTests {
    private let runs: KilledRuns
    private let mirror: String

    init() throws {
      runs = try KilledRuns()
      mirror = runs.folder.file("mirror")
      try FileManager.default.createDirectory(atPath: mirror, withIntermediateDirectories: false)
    }

    /// A run with a mirror that is killed in the middle.
    private func kill(_ name: String) throws {
      try runs.cutPower(runs.recon(name, "--rate", "15", "--lag-max", "0", "--mirror", mirror), name, after: 10)
    }

    private func journal(_ word: String, _ options: String...) throws -> Command.Outcome {
      try Command(["journal", word, runs.run("out")] + options).end()
    }

    private func expectWhole(at location: SourceLocation = #_sourceLocation) throws {
      let outcome = try journal("verify")
      #expect(outcome.status == .exited(0), "\(outcome.errors)", sourceLocation: location)
      for folder in [mirror, runs.run("out")] {
        #expect(outcome.output.contains("intact, in \(folder)/journal/projections.0"), "\(outcome.output)")
      }
    }

    private func expectSame(_ outcome: Command.Outcome, at location: SourceLocation = #_sourceLocation) throws {
      #expect(outcome.status == .exited(0), "\(outcome.errors)", sourceLocation: location)
      let (result, reference) = (try outcome.result(), try KilledRuns.undisturbed.get())
      #expect(result.volumeSHA256 == reference.volumeSHA256 && result.lost == 0, sourceLocation: location)
    }

    @Test(arguments: ["journals", "folder", "mirror"])
    func `A run whose one disk is empty after a kill comes to the same volume, and both disks are whole again`(
      _ what: String
    ) throws {
      try kill("out")
      switch what {
      case "journals": try FileManager.default.removeItem(atPath: runs.run("out") + "/journal")
      case "folder":
        try FileManager.default.removeItem(atPath: runs.run("out"))
        let outcome = try journal("mend", "--mirror", mirror)
        #expect(outcome.status == .exited(0), "\(outcome.errors)")
      default:
        let topics = try FileManager.default.contentsOfDirectory(atPath: mirror + "/journal")
        for topic in topics { try FileManager.default.removeItem(atPath: "\(mirror)/journal/\(topic)") }
      }
      try expectSame(runs.resume("out"))
      try expectWhole()
    }

    /// Runs a command; whether it succeeded.
    @discardableResult private func shell(_ arguments: String...) throws -> Bool {
      let process = try ChildProcess(executable: "/usr/bin/env", arguments: arguments)
      return try process.waitForExit(timeout: .seconds(20)) == .exited(0)
    }

    @Test(.enabled(if: geteuid() == 0, "a disk that fails needs root"), arguments: ["first", "mirror"])
    func `A disk that fails while the scan goes on, and deaths behind that, cost nothing`(_ which: String) throws {
      // A file system whose device takes nothing more once the memory is full that its image lies in.
      let (memory, disk) = (runs.folder.file("memory"), runs.folder.file("disk"))
      for made in [memory, disk] {
        try FileManager.default.createDirectory(atPath: made, withIntermediateDirectories: false)
      }
      let image = memory + "/image", space = "size=64m"
      guard mount("tmpfs", memory, "tmpfs", 0, space) == 0 else {
        return print("skipped: no file system may be mounted")
      }
      defer { #expect(umount2(memory, Int32(MNT_DETACH)) == 0) }
      try #require(FileManager.default.createFile(atPath: image, contents: nil) && truncate(image, 256 << 20) == 0)
      guard try shell("mkfs.ext4", "-q", image), try shell("mount", "-o", "loop", image, disk) else {
        return print("skipped: this process may not mount a loop device")
      }
      defer { #expect(umount2(disk, Int32(MNT_DETACH)) == 0) }
      let (folder, copy) = which == "first" ? (disk + "/run", mirror) : (runs.run("out"), disk + "/mirror")
      try FileManager.default.createDirectory(atPath: copy, withIntermediateDirectories: true)
      let command = try runs.recon(
        "out", "--run-folder", folder, "--rate", "10", "--lag-max", "0", "--mirror", copy)
      func status() throws -> RunStatus? {
        try FileManager.default.contents(atPath: folder + "/status.json").map {
          try JSONDecoder().decode(RunStatus.self, from: $0)
        }
      }
      var seen: RunStatus?
      try wait("the run is on its way") {
        seen = try status()
        return (seen?.updates ?? 0) > 0
      }
      let stages = try #require(seen?.stages)
      try shell("dd", "if=/dev/zero", "of=" + memory + "/rest", "bs=1M")
      usleep(500_000)
      for name in ["distribute", "acquire", "reconstruct.0"] {
        Glibc.kill(try #require(stages.first { $0.name == name }?.pid), SIGKILL)
        usleep(300_000)
      }
      let outcome = try command.end()
      try expectSame(outcome)
      let result = try outcome.result()
      #expect(result.copiesLost?.allSatisfy { $0.hasPrefix(disk) } == true, "\(result.copiesLost ?? [])")
      #expect(result.copiesLost?.contains { $0.hasSuffix("projections.0") } == true, "\(result.copiesLost ?? [])")
      #expect(["acquire", "distribute", "reconstruct.0"].allSatisfy { result.restarts[$0] == 1 }, "\(result.restarts)")
      guard which == "first" else { return }
      // A folder on another disk, made from the mirror, has the result too.
      let anew = runs.run("anew")
      let mended = try Command(["journal", "mend", anew, "--mirror", mirror, "--any-disk"]).end()
      #expect(mended.status == .exited(0), "\(mended.errors)")
      #expect(access(anew + "/export.json", F_OK) == 0 && access(mirror + "/export.json", F_OK) != 0)
      try expectSame(runs.resume("anew"))
    }

    @Test func `A run whose one copy was damaged comes to the same volume, and is whole again; later it can be mended`()
      throws
    {
      func damage() throws {
        for record in stride(from: 1, to: 12, by: 2) {
          try runs.damage("out", "projections", record: record, offset: record % 4 == 1 ? 64 : 4200)
        }
        try runs.damage("out", "orders.0", record: 2)
        // The first records are those that the least vouches for.
        try runs.damage("out", "updates.0", record: 0)
      }
      try kill("out")
      try damage()
      // Who goes on makes both copies the same first.
      try expectSame(runs.resume("out"))
      try expectWhole()
      try damage()
      expectFailure(65, try journal("verify"), "damaged copies", "slipring journal mend")
      let outcome = try journal("mend")
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      for words in ["6 records that it lacked", "updates.0: wrote 1 segment"] {
        #expect(outcome.output.contains(words), "\(outcome.output)")
      }
      try expectWhole()
    }

    @Test func `A mirror that is not there is never written to, and an empty folder becomes one`() throws {
      try expectSame(runs.recon("out", "--mirror", mirror).end())
      try FileManager.default.removeItem(atPath: mirror)
      expectFailure(65, try journal("verify"), "\(mirror) is not there", "make empty ones")
      expectFailure(65, try journal("scrub"), "were not read")
      expectFailure(66, try journal("mend"), "the mirror \(mirror) is not there")
      #expect(!FileManager.default.fileExists(atPath: mirror))
      try FileManager.default.createDirectory(atPath: mirror, withIntermediateDirectories: false)
      #expect(try journal("mend").status == .exited(0))
      try expectWhole()
    }

    @Test(.enabled(if: SmallDisk.isAvailable, "mounting a small file system takes root with CAP_SYS_ADMIN"))
    func `A mirror whose disk is not mounted is not filled, but another disk is, or the folder if one says so`() throws
    {
      let disk = try SmallDisk(byteCount: 32 << 20)
      func isEmpty() throws -> Bool { try FileManager.default.contentsOfDirectory(atPath: disk.path).isEmpty }
      try runs.cutPower(runs.recon("out", "--rate", "15", "--lag-max", "0", "--mirror", disk.path), "out", after: 10)
      disk.unmount()
      expectFailure(65, try journal("scrub"), "were not read")
      expectFailure(66, try journal("mend"), "\(disk.path) is on the disk of", "--any-disk")
      try expectSame(runs.resume("out"))
      #expect(try isEmpty())
      try disk.mount()
      #expect(try journal("mend").status == .exited(0))
      #expect(try journal("verify").status == .exited(0))
      disk.unmount()
      expectFailure(66, try journal("mend"), "\(disk.path) is on the disk of")
      #expect(try isEmpty())
      #expect(try journal("mend", "--any-disk").status == .exited(0))
      #expect(try !isEmpty())
      #expect(try journal("verify").status == .exited(0))
    }

    @Test(.enabled(if: SmallDisk.isAvailable, "mounting a small file system takes root with CAP_SYS_ADMIN"))
    func `A run folder whose disk is not mounted is not made again from the mirror`() throws {
      let disk = try SmallDisk(byteCount: 32 << 20), run = disk.path + "/run"
      let outcome = try Command([
        "recon", runs.scan, "--output-folder", runs.folder.file("out"), "--run-folder", run, "--rotation-axis", "24",
        "--mirror", mirror, "--quiet", "--json",
      ]).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      disk.unmount()
      let command = ["journal", "mend", run, "--mirror", mirror]
      expectFailure(66, try Command(command).end(), "\(run) is on the disk of", "--any-disk")
      #expect(try FileManager.default.contentsOfDirectory(atPath: disk.path).isEmpty)
      try disk.mount()
      let mended = try Command(command).end()
      #expect(mended.status == .exited(0), "\(mended.errors)")
    }

    @Test func `Nobody writes over another run's segments, whether its mirror lies there or one of its files`() throws {
      let segment = mirror + "/journal/projections.0/00000000000000000000.segment", away = mirror + "-away"
      try expectSame(runs.recon("out", "--mirror", mirror).end())
      try FileManager.default.moveItem(atPath: mirror, toPath: away)
      try FileManager.default.createDirectory(atPath: mirror, withIntermediateDirectories: false)
      try expectSame(runs.recon("other", "--mirror", mirror).end())
      let others = try Data(contentsOf: URL(filePath: segment))
      for word in ["verify", "scrub", "mend"] { expectFailure(65, try journal(word), "is a copy of run") }
      #expect(try Data(contentsOf: URL(filePath: segment)) == others)
      try FileManager.default.removeItem(atPath: mirror)
      try FileManager.default.moveItem(atPath: away, toPath: mirror)
      try others.write(to: URL(filePath: segment))
      for word in ["scrub", "mend"] {
        expectFailure(65, try journal(word), "another journal's", "nothing was changed")
      }
      #expect(try Data(contentsOf: URL(filePath: segment)) == others)
    }

    @Test func `A folder that cannot be a mirror is refused before anything is made, one on the same disk is told`()
      throws
    {
      expectFailure(66, try runs.recon("out", "--mirror", mirror + "/none").end(), "is no folder")
      try Data().write(to: URL(filePath: mirror + "/file"))
      expectFailure(73, try runs.recon("out", "--mirror", mirror).end(), "is not empty")
      #expect(!FileManager.default.fileExists(atPath: runs.run("out")))
      try FileManager.default.removeItem(atPath: mirror + "/file")
      let outcome = try runs.recon("out", "--mirror", mirror).end()
      try expectSame(outcome)
      let plan = try String(contentsOfFile: mirror + "/plan.json", encoding: .utf8)
      #expect(plan.contains("is on the same disk as the run folder"))
      try expectWhole()
    }
  }
}
