import Foundation
import Host
import Run
import TestSupport
import Testing

extension Pipeline {
  /// Machines that refuse something, and what a restart of one finds.
  @Suite struct MachineFaultTests {
    private static let confined = URL(filePath: Command.executable).deletingLastPathComponent().appending(
      path: "Confined"
    ).path

    /// Runs slipring where the kernel refuses io_uring.
    private static func runWithoutIOUring(_ arguments: [String]) throws -> Command.Outcome {
      try Command(["no-io-uring", Command.executable] + arguments, executable: confined).end()
    }

    /// Whether such a refusal can be made here.
    private static let canRefuse: Bool = (try? runWithoutIOUring(["--version"]).status) != .exited(77)

    @Test(.enabled(if: canRefuse, "the kernel takes no filter of system calls"))
    func `Where io_uring is refused a run is as durable, and has the same bits`() throws {
      let runs = try KilledRuns()
      let doctor = try Self.runWithoutIOUring(["doctor"])
      #expect(
        doctor.output.contains("io_uring") && doctor.output.contains("pwrite"), "\(doctor.output)\(doctor.errors)")
      let reference = try runs.reference()
      let options = [
        "--rotation-axis", "24", "--workers", "2", "--window-length", "6", "--final-iterations", "3",
        "--checkpoint-every", "7", "--quiet",
        "--json",
      ]
      let outcome = try Self.runWithoutIOUring(
        [
          "recon", runs.scan, "--algorithm", "sirt", "--output-folder", runs.folder.file("out"), "--run-folder",
          runs.run("out"),
        ] + options)
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      #expect(try outcome.result().volumeSHA256 == reference.volumeSHA256)
      // What one device wrote the other one reads, where there is something to do.
      for name in ["out", "reference"] {
        try FileManager.default.removeItem(atPath: runs.folder.file("\(name)/recon_00000.tiff"))
      }
      #expect(try runs.resume("out").result().volumeSHA256 == reference.volumeSHA256)
      let resumed = try Self.runWithoutIOUring(["resume", runs.run("reference"), "--quiet", "--json"])
      #expect(try resumed.result().volumeSHA256 == reference.volumeSHA256)
      #expect(
        try ["out", "reference"].allSatisfy { try runs.folder.names(in: $0).contains("recon_00000.tiff") })
    }

    @Test(arguments: ["no checkpoint", "checkpoints beyond the orders", "checkpoints beyond the reports"])
    func `Whatever a restart finds of checkpoints, the volume has the same bits`(found: String) throws {
      let runs = try KilledRuns()
      let reference = try runs.reference()
      try runs.cutPower("out", after: 15)
      let files = FileManager.default
      #expect(try !files.contentsOfDirectory(atPath: runs.run("out") + "/checkpoints").isEmpty)
      switch found {
      case "no checkpoint": try files.removeItem(atPath: runs.run("out") + "/checkpoints/")
      case "checkpoints beyond the orders":
        for worker in 0...1 { try files.removeItem(atPath: runs.run("out") + "/journal/orders.\(worker)") }
      default: try files.removeItem(atPath: runs.run("out") + "/journal/updates.0")
      }
      let outcome = try runs.resume("out")
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result()
      #expect(
        result.volumeSHA256 == reference.volumeSHA256 && result.lost == 0
          && result.projections == KilledRuns.projections)
    }
  }
}
