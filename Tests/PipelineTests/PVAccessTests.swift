import Detectors
import Foundation
import Glibc
import Host
import Run
import RunModel
import TestSupport
import Testing

extension Pipeline {
  /// Detectors of EPICS: the same scan from a process variable of pvaPy's servers and from its file.
  @Suite(.enabled(if: Variable.isThere, "pvxs (Tools/pvaccess) or Python with pvapy and lz4 cannot be had"))
  struct PVAccessTests {
    private let folder: TestFolder
    private let scan: String
    private let variable: Variable
    private static let (rows, columns, projections, darks, flats) = (5, 48, 60, 2, 3)

    init() throws {
      folder = try TestFolder()
      scan = folder.file("foam.h5")
      variable = try Variable(folder: folder)
      let outcome = try Command.run(
        "simulate", scan, "--rows", "\(Self.rows)", "--columns", "\(Self.columns)", "--projections",
        "\(Self.projections)", "--darks",
        "\(Self.darks)", "--flats", "\(Self.flats)", "--quiet")
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
      try Senders.writeRaw(scan, to: folder.file("raw"), fields: true)
    }

    private func recon(_ input: String, _ name: String, _ options: [String] = []) throws -> Command {
      try Command(
        [
          "recon", input, "--algorithm", "sirt", "--output-folder", folder.file(name), "--run-folder",
          folder.file(name + "-run"),
          "--rotation-axis", "24",
          "--window-length", "6", "--final-iterations", "2", "--workers", "2", "--lag-max", "0", "--quiet", "--json",
        ] + options, variables: variable.environment)
    }

    /// Starts a reconstruction of what the variable will hold, and waits until it listens.
    private func live(_ options: [String] = []) throws -> Command {
      let shape = ["--shape", "\(Self.rows),\(Self.columns)", "--projections", "\(Self.projections)"]
      let command = try recon(
        variable.address, "live", shape + ["--darks", "\(Self.darks)", "--flats", "\(Self.flats)"] + options)
      try wait("acquire to listen") { log.contains("listening to 127.0.0.1") }
      return command
    }

    /// What acquire has said.
    private var log: String {
      (try? String(contentsOfFile: folder.file("live-run/log/acquire.jsonl"), encoding: .utf8)) ?? ""
    }

    private func sender(_ options: [String] = []) throws -> Command {
      let counts = [Self.rows, Self.columns, Self.darks, Self.flats, Self.projections].map(String.init)
      return try variable.hold([folder.file("raw")] + counts + options)
    }

    private var losses: LossReport {
      get throws {
        try JSONDecoder().decode(
          LossReport.self, from: Data(contentsOf: URL(filePath: folder.file("live-run/losses.json"))))
      }
    }

    private func reference() throws -> RunResult { try recon(scan, "reference").end().result() }

    @Test(arguments: [
      [], ["--attributes"], ["--codec", "lz4"], ["--codec", "bslz4", "--attributes"], ["--offset", "1"],
      ["--offset", "1001"],
    ])
    func `What pvaPy's server holds gives the volume that the file gives, bit for bit`(options: [String]) throws {
      let sender = try sender(options)
      let command = try live()
      try variable.send()
      let outcome = try command.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result()
      #expect(try result.volumeSHA256 == reference().volumeSHA256)
      #expect(
        result.projections == Self.projections && result.lost == 0 && result.lostFields == 0 && result.duplicates == 0)
      #expect(try losses.malformed.isEmpty)
      try variable.end(sender)
    }

    @Test(arguments: ["number", "choice"]) func `A detector whose scan is finalized is told by its own variable`(
      kind: String
    ) throws {
      let sender = try sender(["--rate", "10", "--acquire", kind])
      let command = try live(["--stop-hook", "\(variable.address):Acquire=0"])
      try variable.send()
      let run = folder.file("live-run")
      try waitForImages(1, of: run)
      #expect(try Command(["finalize", run, "--by", "anna"]).end().status == .exited(0))
      let outcome = try command.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      #expect(
        try outcome.result().stoppedBy == "finalized by anna" && log.contains(#""answer":"set to 0""#), "\(log)")
      try wait("the sender to stop") { variable.wasStopped }
      try variable.end(sender)
    }

    @Test func `Numbers that the variable skips are lost, those that come twice are counted`() throws {
      let sender = try sender(["--skip", "9,20,21,22", "--twice", "30,40"])
      let command = try live()
      try variable.send()
      let outcome = try command.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let (result, losses) = (try outcome.result(), try losses)
      #expect(
        losses.gaps == [[9, 9], [20, 22]] && losses.counts.lost == 4 && losses.counts.duplicates == 2
          && losses.counts.late == 0)
      #expect(result.projections == Self.projections - 4 && result.lost == 4)
      try variable.end(sender)
    }

    @Test func `Damaged updates are dropped and named, each of them, and the volume is as without them`() throws {
      let damaged = 400
      let sender = try sender(["--damaged", "\(damaged)", "--seed", "7"])
      let command = try live()
      try variable.send()
      let outcome = try command.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let (result, losses) = (try outcome.result(), try losses)
      #expect(try result.volumeSHA256 == reference().volumeSHA256 && result.restarts["acquire"] == 0)
      // The last ones come behind the last image. One without elements and dimensions is none.
      #expect(
        losses.counts.lost == 0 && losses.malformed.count >= 6 && losses.counts.malformed > damaged * 9 / 10,
        "\(losses)")
      #expect(log.contains("unknown-encoding (codec "), "\(log)")
      try variable.end(sender)
    }

    @Test func `A sender that goes is looked for, and its successor's images follow`() throws {
      let first = try sender(["--until", "30"])
      let command = try live()
      try variable.send()
      try wait("the first sender's projections") { try acquired() == 30 - Self.darks - Self.flats }
      try first.process.signal(SIGKILL)
      _ = try first.end()
      try wait("acquire to miss the sender") { log.contains("the sender is gone") }
      let second = try sender(["--first", "30"])
      // Where no beacon comes through, pvxs looks for a lost variable less and less often, at least twice a minute.
      try wait("acquire to listen again", within: 90) {
        log.components(separatedBy: "listening to 127.0.0.1").count == 3
      }
      try variable.send()
      let outcome = try command.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      #expect(try outcome.result().volumeSHA256 == reference().volumeSHA256)
      #expect(try losses.counts.lost == 0 && losses.counts.duplicates == 0)
      try variable.end(second)
    }

    @Test func `What acquire misses while it is dead is in the ledger, and nothing else`() throws {
      let sender = try sender(["--rate", "30"])
      let command = try live()
      try variable.send()
      try wait("some images") { try acquired() >= 15 }
      let acquire = try #require(status().stages.first { $0.name == "acquire" }?.pid)
      try #require(kill(acquire, SIGKILL) == 0)
      let outcome = try command.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let (result, losses) = (try outcome.result(), try losses)
      #expect(result.restarts["acquire"] == 1)
      #expect(
        losses.gaps.count <= 1 && losses.counts.duplicates == 0 && losses.counts.late == 0 && losses.malformed.isEmpty,
        "\(losses)")
      #expect(
        result.projections + losses.counts.lost == Self.projections && result.lost == losses.counts.lost, "\(losses)")
      try variable.end(sender)
    }

    @Test func `What pvaPy's detector simulator plays from a file gives the volume that the scan file gives`() throws {
      try variable.writeNumPy(
        scan, to: folder.file("projections.npy"), shape: [Self.projections, Self.rows, Self.columns],
        skippingImages: Self.darks + Self.flats,
        raw: folder.file("raw"))
      // It begins by the clock: where nobody listened yet, it is given more time.
      for delay in [5, 20, 60] {
        let start = ContinuousClock.now
        let detector = try variable.play(folder.file("projections.npy"), delay: delay)
        let shape = ["--shape", "\(Self.rows),\(Self.columns)", "--projections", "\(Self.projections)"]
        let command = try recon(variable.address, "live", shape + ["--fields", scan])
        try wait("acquire to listen") { log.contains("listening to 127.0.0.1") }
        let isInTime = ContinuousClock.now - start < .seconds(delay)
        if !isInTime { try command.process.signal(SIGTERM) }
        let outcome = try command.end()
        try detector.process.signal(SIGKILL)
        _ = try detector.end()
        guard isInTime else { continue }
        #expect(outcome.status == .exited(0), "\(outcome.errors)")
        let result = try outcome.result()
        #expect(try result.volumeSHA256 == reference().volumeSHA256)
        #expect(result.projections == Self.projections && result.lost == 0 && result.duplicates == 0)
        return
      }
      Issue.record("acquire did not come to listen within a minute")
    }

    private func status() throws -> RunStatus {
      try JSONDecoder().decode(
        RunStatus.self, from: Data(contentsOf: URL(filePath: folder.file("live-run/status.json"))))
    }

    /// Projections that are published; none while nothing is known.
    private func acquired() throws -> Int {
      FileManager.default.fileExists(atPath: folder.file("live-run/status.json")) ? try status().acquired : 0
    }
  }

  /// What a machine without pvxs says.
  @Suite struct WithoutPVAccessTests {
    @Test func `Without pvxs an address of EPICS is refused in one line that says how to get it`() throws {
      let folder = try TestFolder()
      let missing = [PVAccessLibrary.variable: folder.file("none.so")]
      let options = [
        "--shape", "4,48", "--projections", "3", "--rotation-axis", "24", "--output-folder", folder.file("out"),
      ]
      expectFailure(
        69, try Command(["recon", "pva://sim:image"] + options, variables: missing).end(), "none.so", "Tools/pvaccess")
      expectFailure(64, try Command(["recon", "pva://"] + options).end(), "no process variable")
      expectFailure(64, try Command(["recon", "pva://a b"] + options).end(), "blanks")
      #expect(!FileManager.default.fileExists(atPath: folder.file("out")))
      let doctor = try Command(["doctor"], variables: missing).end()
      #expect(
        doctor.status == .exited(0) && doctor.output.contains("limited   EPICS")
          && doctor.output.contains("Tools/pvaccess"))
      // A library that is none of ours.
      let other = [PVAccessLibrary.variable: "libc.so.6"]
      expectFailure(69, try Command(["recon", "pva://sim:image"] + options, variables: other).end(), "another library")
    }
  }
}
