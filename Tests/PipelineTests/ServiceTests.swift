import Foundation
import Glibc
import Host
import Run
import TestSupport
import Testing

extension Pipeline {
  /// Slipring under a service manager.
  @Suite struct ServiceTests {
    private let folder: TestFolder
    private let scan: String

    init() throws {
      folder = try TestFolder()
      scan = try folder.simulate(rows: 2, columns: 32, projections: 60)
    }

    private func writeScanFile(_ keys: String, output: String = "out") throws -> String {
      let file = folder.file("scan.yaml")
      let text = "input: \(scan)\noutput-folder: \(folder.file(output))\nrotation-axis: 16\n\(keys)"
      try text.write(toFile: file, atomically: true, encoding: .utf8)
      return file
    }

    @Test(arguments: [true, false])
    func `The service manager hears that a run is ready, alive, where it is, and that it ends`(
      isAbstract: Bool
    ) throws {
      let manager = try NotifySocket(isAbstract: isAbstract)
      // No tick of the watchdog is due for the test's own sake: the run takes some seconds.
      let command = try Command(
        ["run", try writeScanFile("algorithm: sirt\nrate: 20\nfinal-iterations: 1\n"), "--quiet"],
        variables: ["NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "900000"])
      var messages: [String] = []
      while let message = manager.next() {
        messages.append(message)
        if message.contains("STOPPING=1") { break }
      }
      let outcome = try command.end()
      #expect(outcome.status == .exited(0) && outcome.errors.isEmpty, "\(outcome.errors)")
      #expect(messages.first?.hasPrefix("READY=1\nWATCHDOG=1\nSTATUS=") == true, "\(messages)")
      #expect(messages.count { $0.hasPrefix("WATCHDOG=1\nSTATUS=") } >= 3, "\(messages)")
      #expect(
        messages.contains { $0.contains("/60, update ") } && messages.last == "STOPPING=1\nSTATUS=finished",
        "\(messages)")
    }

    @Test func `A manager that is gone does not stop a run`() throws {
      let command = try Command(
        ["run", try writeScanFile("final-iterations: 1\n"), "--quiet"],
        variables: ["NOTIFY_SOCKET": folder.file("nobody")])
      #expect(try command.end().status == .exited(0))
      let runs = try folder.names(in: "out").filter { $0.hasPrefix("run-") }
      let log = try String(contentsOfFile: folder.file("out/\(runs[0])/log/supervisor.jsonl"), encoding: .utf8)
      #expect(log.split(separator: "\n").count { $0.contains("service manager cannot be told") } == 1, "\(log)")
    }

    @Test func `A run whose supervisor was killed goes on where it is started again, to the same volume`() throws {
      let reference = try Command.run(
        "run", try writeScanFile("algorithm: sirt\nfinal-iterations: 2\n", output: "reference"), "--json", "--quiet"
      ).result()
      let file = try writeScanFile(
        "algorithm: sirt\nfinal-iterations: 2\nrate: 40\nlag-max: 0\nrun-folder: \(folder.file("run"))\n")
      let command = try Command(["run", "--resume", file, "--quiet"])
      try wait("some updates") {
        guard let data = FileManager.default.contents(atPath: folder.file("run/status.json")) else { return false }
        return try JSONDecoder().decode(RunStatus.self, from: data).updates >= 10
      }
      try command.process.signal(SIGKILL)
      #expect(try command.end().status == .killed(signal: SIGKILL))
      let again = try Command.run("run", "--resume", file, "--json", "--quiet")
      #expect(again.status == .exited(0), "\(again.errors)")
      #expect(try again.result().volumeSHA256 == reference.volumeSHA256)
      expectFailure(73, try Command.run("run", "--resume", file), "holds another run")
      expectFailure(78, try Command.run("run", "--resume", try writeScanFile("")), "no run-folder")
    }

    private static let analyzer = "/usr/bin/systemd-analyze"
    private static let units = URL(filePath: #filePath).deletingLastPathComponent().appending(
      path: "../../Tools/systemd"
    ).standardized.path

    @Test(
      .enabled(if: access(analyzer, X_OK) == 0, "systemd-analyze is not here"),
      arguments: ["slipring@.service", "slipring-serve.service", "slipring-node.service"])
    func `systemd takes the units, and finds little exposed`(name: String) throws {
      let unit = folder.file(name)
      let text = try String(contentsOfFile: Self.units + "/\(name)", encoding: .utf8)
      try text.replacing("/usr/local/bin/slipring", with: Command.executable).write(
        toFile: unit, atomically: true, encoding: .utf8)
      let verified = try Command(["verify", "--man=no", unit], executable: Self.analyzer).end()
      #expect(verified.status == .exited(0) && verified.errors.isEmpty, "\(verified.errors)")
      let security = try Command(
        ["security", "--offline=yes", "--threshold=30", "--no-pager", unit], executable: Self.analyzer
      ).end()
      #expect(security.status == .exited(0), "\(security.output)")
    }
  }
}
