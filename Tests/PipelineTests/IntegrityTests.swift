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
      let reference = try KilledRuns.undisturbed.get()
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
      let files = try FileManager.default.contentsOfDirectory(atPath: runs.folder.file("out"))
      #expect(files.filter { !$0.hasPrefix(".") }.sorted() == ["outputs.json", "scan.yaml"])
      try text.write(to: URL(filePath: plan))
      try expect(runs.resume("out"), like: reference)
    }

    @Test func `A run without its plan is told where the copy is, one without status that it can go on`() throws {
      let reference = try KilledRuns.undisturbed.get()
      try runs.cutPower("out", after: 10)
      let run = runs.run("out"), plan = run + "/plan.json"
      try #require(unlink(run + "/status.json") == 0)
      expectFailure(66, try Command(["status", run]).end(), "has no status", "slipring resume \(run)")
      try #require(unlink(plan) == 0)
      for command in ["resume", "status"] {
        expectFailure(
          65, try Command([command, run]).end(), "plan.json is missing", "cp \(run)/plan.copy.json \(plan)")
      }
      // A pipe in its place, which nobody writes to.
      try #require(mkfifo(plan, 0o600) == 0)
      expectFailure(66, try Command(["resume", run]).end(), "plan.json: it is not a file")
      try #require(unlink(plan) == 0)
      try FileManager.default.copyItem(atPath: run + "/plan.copy.json", toPath: plan)
      try FileManager.default.moveItem(atPath: run + "/journal", toPath: run + "/elsewhere")
      expectFailure(66, try runs.resume("out"), "\(run)/journal is missing")
      try FileManager.default.moveItem(atPath: run + "/elsewhere", toPath: run + "/journal")
      try expect(runs.resume("out"), like: reference)
    }

    @Test func `A status that nobody has written for a while is said to be old`() throws {
      let command = try runs.recon("out", Self.slow)
      try waitForImages(3, of: runs.run("out"))
      try command.process.signal(SIGSTOP)
      usleep(50_000)
      let times = [timespec(tv_sec: 1_000_000_000, tv_nsec: 0), timespec(tv_sec: 1_000_000_000, tv_nsec: 0)]
      #expect(utimensat(AT_FDCWD, runs.run("out") + "/status.json", times, 0) == 0)
      let status = try Command.run("status", runs.run("out"))
      #expect(status.output.contains("s old: status.json cannot be written"), "\(status.output)\(status.errors)")
      try command.process.signal(SIGCONT)
      #expect(try command.end().status == .exited(0))
      #expect(try !Command.run("status", runs.run("out")).output.contains("s old:"))
    }

    @Test func `Neither a damaged status nor missing folders of logs and checkpoints stop a resume`() throws {
      let reference = try KilledRuns.undisturbed.get()
      try runs.cutPower("out", after: 10)
      let run = runs.run("out")
      try flip(run + "/status.json", byte: 40)
      for name in ["/log", "/checkpoints"] { try FileManager.default.removeItem(atPath: run + name) }
      try "no folder".write(toFile: run + "/log", atomically: false, encoding: .utf8)
      expectFailure(65, try Command(["status", run]).end(), "status.json is damaged")
      try expect(runs.resume("out"), like: reference)
      #expect(try runs.status("out").phase == .finished)
    }

    @Test func `A scan file that changed is refused, and one that is as it was is taken`() throws {
      let reference = try KilledRuns.undisturbed.get()
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

    /// Kills a worker while its supervisor is stopped, and changes its volume before a successor sees it.
    private func recon(
      _ name: String, _ options: [String], change: (UnsafeMutableRawPointer, _ byteCount: Int) -> Void
    ) throws -> Command.Outcome {
      let command = try runs.recon(name, options)
      try wait("some updates") {
        let data = FileManager.default.contents(atPath: runs.run(name) + "/status.json")
        return try data.map { try JSONDecoder().decode(RunStatus.self, from: $0).updates >= 15 } ?? false
      }
      let status = try runs.status(name)
      try command.process.signal(SIGSTOP)
      let worker = try #require(status.stages.first { $0.name == "reconstruct.1" })
      try #require(kill(worker.pid, SIGKILL) == 0)
      usleep(50_000)
      let volume = try #require(try regions(of: status.run).first { $0.hasSuffix("/volume.1") })
      let region = try SharedRegion.attach(name: volume)
      change(region.base, region.byteCount)
      try command.process.signal(SIGCONT)
      return try command.end()
    }

    private static let slow = ["--rate", "40", "--lag-max", "0"]

    @Test(arguments: [["--checkpoint-every", "4"], ["--checkpoint-every", "0"], ["--durability", "memory"]])
    func `A worker whose volume has become no number goes back to what is whole, and the volume has the same bits`(
      options: [String]
    ) throws {
      let reference = try KilledRuns.undisturbed.get()
      let outcome = try recon("out", Self.slow + options) { base, byteCount in
        (base + 4096).assumingMemoryBound(to: Float.self).update(repeating: .nan, count: (byteCount - 8192) / 4)
      }
      try expect(outcome, like: reference)
      #expect(try outcome.result().restarts["reconstruct.1"] == 1)
      let log = try String(contentsOfFile: runs.run("out") + "/log/reconstruct.1.jsonl", encoding: .utf8)
      #expect(log.contains("is not what was written there: going on from generation"))
    }

    @Test func `A worker does not go on at another order than the one after its volume`() throws {
      let reference = try KilledRuns.undisturbed.get()
      // The cursor beside the slot: some orders less.
      let outcome = try recon("out", Self.slow) { base, _ in
        let word = base.load(fromByteOffset: 128, as: UInt64.self)
        base.storeBytes(of: word - 3 << 2, toByteOffset: 128, as: UInt64.self)
      }
      try expect(outcome, like: reference)
    }

    @Test func `A worker whose volume becomes no number while it lives ends itself for one that goes back`() throws {
      let reference = try KilledRuns.undisturbed.get()
      let command = try runs.recon("out", Self.slow)
      let status = try waitForImages(12, of: runs.run("out"))
      let volume = try #require(try regions(of: status.run).first { $0.hasSuffix("/volume.0") })
      let region = try SharedRegion.attach(name: volume)
      (region.base + 4096).assumingMemoryBound(to: Float.self).update(
        repeating: .nan, count: (region.byteCount - 8192) / 4)
      let outcome = try command.end()
      try expect(outcome, like: reference)
      #expect(try (1...2).contains(outcome.result().restarts["reconstruct.0"] ?? 0))
    }

    @Test func `A short campaign of flipped bits makes no other volume`() throws {
      let seed = 20_261_129
      let chaos = URL(filePath: Command.executable).deletingLastPathComponent().appending(path: "chaos").path
      let outcome = try Command(["--flips", "10", "--seed", "\(seed)"], executable: chaos).end()
      #expect(outcome.status == .exited(0), "seed \(seed): \(outcome.output)")
    }

    private static let setpriv = "/usr/bin/setpriv"

    @Test(.enabled(if: geteuid() == 0 && access(setpriv, X_OK) == 0, "another user needs root and setpriv"))
    func `Names that another user has taken keep nobody from running`() throws {
      func asOther(_ arguments: [String], _ variables: [String: String] = [:]) throws -> Command.Outcome {
        try Command(
          ["--reuid", "12345", "--regid", "12345", "--clear-groups"] + arguments, executable: Self.setpriv,
          variables: variables
        ).end()
      }
      let reference = try KilledRuns.undisturbed.get()
      // A dead run's names are known to everybody.
      let command = try runs.recon("out", Self.slow)
      try wait("some updates") { FileManager.default.fileExists(atPath: runs.run("out") + "/status.json") }
      let run = try runs.status("out").run
      try command.process.signal(SIGKILL)
      _ = try command.end()
      let prefix = "/dev/shm/slipring-\(run)-"
      let words = ["lock", "beats", "projections", "orders.0", "volume.0", "0"] + (1...14).map { "name\($0)" }
      #expect(try asOther(["/usr/bin/touch"] + words.map { prefix + $0 }).status == .exited(0))
      #expect(try asOther(["/bin/mkdir", prefix + "0123456789abcdef"]).status == .exited(0))
      defer {
        for word in words { unlink(prefix + word) }
        rmdir(prefix + "0123456789abcdef")
      }
      let home = runs.folder.file("home")
      #expect(chmod(runs.folder.path, 0o755) == 0 && mkdir(home, 0o700) == 0 && chown(home, 12345, 12345) == 0)
      #expect(chmod(runs.scan, 0o644) == 0)
      let other = try asOther(
        [
          Command.executable, "recon", runs.scan, "--algorithm", "sirt", "--output-folder", home + "/out",
          "--rotation-axis", "24",
          "--window-length", "6", "--final-iterations", "3", "--quiet", "--json",
        ], ["HOME": home, "TMPDIR": home])
      try expect(other, like: reference)
      try expect(runs.recon("next", []).end(), like: reference)
      try expect(runs.resume("out"), like: reference)
      #expect(try regions(of: run).isEmpty)
    }

    @Test func `Files of a run are its user's alone`() throws {
      _ = try runs.recon("out", []).end().result()
      for name in try FileManager.default.subpathsOfDirectory(atPath: runs.run("out")) {
        var status = stat()
        guard lstat("\(runs.run("out"))/\(name)", &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
        #expect(status.st_mode & 0o077 == 0, "\(name)")
      }
    }
  }
}
