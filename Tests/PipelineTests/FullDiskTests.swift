import Foundation
import Glibc
import Host
import Run
import TestSupport
import Testing

extension Pipeline {
  /// Runs whose disk has no room for a while: they wait, say so, and go on.
  @Suite(.enabled(if: SmallDisk.isAvailable, "mounting a small file system takes root with CAP_SYS_ADMIN"))
  struct FullDiskTests {
    private let folder: TestFolder
    private let scan: String
    private let disk: SmallDisk
    private var run: String { disk.path + "/run" }
    private static let (rows, columns, projections) = (4, 48, 700)

    init() throws {
      folder = try TestFolder()
      scan = folder.file("foam.h5")
      // A segment of the journal has 256 of these images.
      let outcome = try Command.run(
        "simulate", scan, "--rows", "\(Self.rows)", "--columns", "\(Self.columns)", "--projections",
        "\(Self.projections)", "--flats", "3", "--darks", "2", "--quiet")
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
      disk = try SmallDisk(byteCount: 96 << 20)
    }

    private static let options = [
      "--rotation-axis", "24", "--workers", "2", "--window-length", "6", "--window-step", "5", "--final-iterations",
      "2",
      "--lag-max", "0", "--json",
    ]

    /// A run of the scan file on the disk that fills up, or with a name of its own elsewhere.
    private func recon(_ input: String, _ options: [String], output: String? = nil, faults: String? = nil) throws
      -> Command
    {
      let place = output.map { [folder.file($0), folder.file($0 + "-run")] } ?? [disk.path + "/out", run]
      return try Command(
        ["recon", input, "--algorithm", "sirt", "--output-folder", place[0], "--run-folder", place[1]] + Self.options
          + options,
        faults: faults)
    }

    private func reference() throws -> RunResult { try recon(scan, [], output: "reference").end().result() }

    private func waitFor(_ text: String, of command: Command, at location: SourceLocation = #_sourceLocation) throws {
      try wait(text, at: location) { try command.errorsSoFar().contains(text) }
    }

    /// Waits until images are without room, and some more have come: other journals can be full before.
    private func waitForAcquire(_ page: LivePage, at location: SourceLocation = #_sourceLocation) throws {
      try wait("the journal of acquire is full", at: location) {
        try page.status().withoutRoom.contains("journal of acquire")
      }
      usleep(500_000)
    }

    private static let journalIsFull = "no room on disk for the journal"
    private static let volumeHasNoRoom = "no room on disk for the saved volume"

    @Test func `A live scan over a full disk loses no image, says at once that it waits, and goes on by itself`() throws
    {
      let reference = try reference()
      let port = try freePort()
      let detector = try Command([
        "simulate", "--stream", "zmq+push://127.0.0.1:\(port)", "--scan", scan, "--rate", "250", "--quiet",
      ])
      let command = try recon(
        "zmq+pull://127.0.0.1:\(port)",
        [
          "--shape", "\(Self.rows),\(Self.columns)", "--projections", "\(Self.projections)", "--flats", "3", "--darks",
          "2", "--dashboard", "127.0.0.1:0",
        ])
      let page = try LivePage(command)
      try waitForImages(20, of: run)
      try disk.fill()
      try waitForAcquire(page)
      var status = try page.status()
      #expect(status.secondsWithoutRoom > 0)
      #expect(try page.get("/").text.contains("no room on disk for journal of acquire"))
      #expect(try page.get("/metrics").text.contains("slipring_disk_full 1"))
      // All images are on disk, or in memory, before there is room: more than the ring has slots.
      try wait("all images") { try page.status().withoutRoom.contains("report of acquire") }
      status = try page.status()
      #expect(status.buffered > 150 && status.acquired > 0, "\(status)")
      disk.makeRoom()
      let outcome = try command.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result()
      #expect(result.volumeSHA256 == reference.volumeSHA256)
      #expect(result.projections == Self.projections && result.lost == 0 && result.lostFields == 0)
      #expect(result.restarts.values.allSatisfy { $0 == 0 } && result.secondsWithoutRoom > 0.5, "\(result)")
      #expect(outcome.errors.contains("the run was without room on disk for"), "\(outcome.errors)")
      #expect(try detector.end().status == .exited(0))
    }

    @Test func `Stages that die while the disk is full are started again and wait, and the volume has the same bits`()
      throws
    {
      let reference = try reference()
      let command = try recon(
        scan, ["--rate", "250", "--checkpoint-every", "1"],
        faults: "acquire=committed:600;distribute=time:2600;reconstruct.1=time:2700;control=time:2800;export=time:2800")
      try waitForImages(20, of: run)
      try disk.fill()
      try waitFor(Self.journalIsFull, of: command)
      try waitFor("stage acquire was killed", of: command)
      // Where a volume was just being replaced by the next one, its room came free behind the filling.
      try wait(Self.volumeHasNoRoom) {
        try disk.fill()
        return try command.errorsSoFar().contains(Self.volumeHasNoRoom)
      }
      disk.makeRoom()
      let outcome = try command.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result()
      #expect(result.volumeSHA256 == reference.volumeSHA256, "\(outcome.errors)")
      #expect(result.projections == Self.projections && result.lost == 0 && result.duplicates == 0)
      #expect(result.restarts["acquire"] == 1 && result.secondsWithoutRoom > 0)
    }

    @Test func `A run whose own disk is full goes on with its mirror, says so, and can be mended`() throws {
      let reference = try reference(), mirror = folder.file("mirror")
      try FileManager.default.createDirectory(atPath: mirror, withIntermediateDirectories: false)
      let command = try recon(scan, ["--rate", "250", "--mirror", mirror, "--dashboard", "127.0.0.1:0"])
      let page = try LivePage(command)
      try waitForImages(20, of: run)
      try disk.fill()
      try waitFor("a copy of the journal is lost", of: command)
      // More than its segment had room for.
      try wait("600 images") { try page.status().acquired >= 600 }
      #expect(try page.status().copiesLost?.isEmpty == false)
      #expect(try page.get("/").text.contains("without a copy of the journal"))
      #expect(try page.get("/metrics").text.contains("\nslipring_journal_copies_lost "))
      disk.makeRoom()
      let outcome = try command.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result()
      #expect(result.volumeSHA256 == reference.volumeSHA256 && result.lost == 0, "\(outcome.errors)")
      #expect(result.copiesLost?.contains(run + "/journal/projections.0") == true, "\(result)")
      #expect(!outcome.errors.contains(Self.journalIsFull), "\(outcome.errors)")
      expectFailure(65, try Command.run("journal", "verify", run), "damaged copies", "is behind")
      #expect(try Command.run("journal", "mend", run).status == .exited(0))
      #expect(try Command.run("journal", "verify", run).status == .exited(0))
    }

    @Test func `A run that waits for room is aborted at once, and resume finds the images that had none`() throws {
      let reference = try reference()
      let command = try recon(scan, ["--rate", "250", "--dashboard", "127.0.0.1:0"])
      let page = try LivePage(command)
      try waitForImages(20, of: run)
      try disk.fill()
      try waitForAcquire(page)
      let start = ContinuousClock.now
      #expect(try Command.run("abort", run).status == .exited(0))
      let aborted = try command.end(within: .seconds(20))
      expectFailure(75, aborted, "aborted by")
      #expect(ContinuousClock.now - start < .seconds(8))
      #expect(aborted.errors.contains("stay in /dev/shm"), "\(aborted.errors)")
      expectFailure(74, try Command(["resume", run, "--json"]).end(), "the disk is full")
      disk.makeRoom()
      let outcome = try Command(["resume", run, "--json"]).end()
      #expect(outcome.status == .exited(0) && outcome.errors.contains("on the way to disk"), "\(outcome.errors)")
      let result = try outcome.result()
      #expect(result.volumeSHA256 == reference.volumeSHA256 && result.lost == 0)
      #expect(try regions(of: result.run).isEmpty)
    }

    @Test func `An export waits for room, leaves nothing half-written, and can be ended meanwhile`() throws {
      for isEnded in [true, false] {
        let disk = try SmallDisk(byteCount: 4 << 20)
        let output = disk.path + "/out"
        let command = try Command(
          [
            "recon", scan, "--algorithm", "sirt", "--output-folder", output, "--run-folder",
            folder.file("run-\(isEnded)"), "--rate", "350",
          ] + Self.options)
        try waitForImages(20, of: folder.file("run-\(isEnded)"))
        try disk.fill()
        try waitFor("no room on disk for the output", of: command)
        if isEnded { for signal in [SIGINT, SIGTERM] { try command.process.signal(signal) } } else { disk.makeRoom() }
        let outcome = try command.end(within: .seconds(30))
        let files = try FileManager.default.contentsOfDirectory(atPath: output).sorted()
        if isEnded {
          #expect(outcome.status == .exited(143) || outcome.status == .exited(130), "\(outcome.errors)")
          #expect(files.sorted() == ["outputs.json", "scan.yaml"])
          // How far it was stays to be seen.
          let status = try JSONDecoder().decode(
            RunStatus.self, from: Data(contentsOf: URL(filePath: folder.file("run-true/status.json"))))
          #expect(status.phase == .failed && status.acquired > 0 && status.withoutRoom.isEmpty)
          #expect(status.secondsWithoutRoom > 0)
        } else {
          #expect(outcome.status == .exited(0), "\(outcome.errors)")
          #expect(files.count == Self.rows + 3 && !files.contains { $0.hasSuffix(".tmp") })
          #expect(try outcome.result().secondsWithoutRoom > 0)
        }
      }
    }

    @Test func `A status that cannot be written is said once and stops nothing`() throws {
      let command = try recon(scan, ["--rate", "250"], output: "out")
      try waitForImages(20, of: folder.file("out-run"))
      // A folder in its place cannot be replaced by a file.
      let status = folder.file("out-run/status.json")
      try FileManager.default.removeItem(atPath: status)
      try FileManager.default.createDirectory(atPath: status + "/full", withIntermediateDirectories: true)
      let outcome = try command.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      #expect(outcome.errors.split(separator: "\n").count { $0.contains("tries again every second") } == 1)
      #expect(try outcome.result().projections == Self.projections)
      #expect(try outcome.result().secondsWithoutRoom == 0)
    }
  }

  /// File systems without O_DIRECT, as some that are shared over a network, or in memory.
  @Suite struct CachedDiskTests {
    private static let canMount: Bool = {
      do {
        let folder = try TestFolder()
        return mount("ramfs", folder.path, "ramfs", 0, nil) == 0 && umount2(folder.path, Int32(MNT_DETACH)) == 0
      } catch { return false }
    }()

    @Test(.enabled(if: canMount, "mounting a file system in memory takes root with CAP_SYS_ADMIN"))
    func `Where the file system has no direct input and output a run is as durable, and says that it is slower`() throws
    {
      let runs = try KilledRuns()
      let reference = try runs.reference()
      let place = try TestFolder()
      try #require(mount("ramfs", place.path, "ramfs", 0, nil) == 0)
      defer { #expect(umount2(place.path, Int32(MNT_DETACH)) == 0) }
      let doctor = try Command.run("doctor", "--output-folder", place.path)
      #expect(doctor.output.contains("limited   direct I/O: refused"), "\(doctor.output)")
      let run = place.file("run")
      let command = try Command([
        "recon", runs.scan, "--algorithm", "sirt", "--output-folder", place.file("out"), "--run-folder", run,
        "--rotation-axis", "24",
        "--workers", "2", "--window-length", "6", "--final-iterations", "3", "--checkpoint-every", "7", "--rate", "60",
        "--lag-max", "0", "--json",
      ])
      try waitForImages(20, of: run)
      try command.process.signal(SIGKILL)
      let killed = try command.end()
      #expect(killed.errors.contains("no direct I/O"), "\(killed.errors)")
      try RunFolder(path: run).removeRegions(timeout: .seconds(30))
      let outcome = try Command(["resume", run, "--json"]).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result()
      #expect(result.volumeSHA256 == reference.volumeSHA256 && result.lost == 0)
      #expect(result.projections == KilledRuns.projections)
    }
  }
}
