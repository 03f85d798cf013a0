import Foundation
import Glibc
import Host
import Run
import ScanFiles
import TestSupport
import Testing

extension Pipeline {
  /// What a run saved, written again.
  @Suite struct SavedExportTests {
    private let folder: TestFolder
    private let scan: String

    init() throws {
      folder = try TestFolder()
      scan = try folder.simulate(rows: 5, columns: 32, projections: 60)
    }

    private func recon(_ options: String...) throws -> Command {
      try Command(
        [
          "recon", scan, "--algorithm", "sirt", "--output-folder", folder.file("out"), "--run-folder",
          folder.file("run"), "--rotation-axis",
          "16", "--workers",
          "2",
          "--window-length", "6", "--final-iterations", "2", "--quiet", "--json",
        ] + options)
    }

    private func export(_ options: String...) throws -> Command.Outcome {
      try Command(["export", folder.file("run"), "--json"] + options).end()
    }

    private func decode(_ outcome: Command.Outcome) throws -> SavedExport.Result {
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
      return try JSONDecoder().decode(SavedExport.Result.self, from: Data(outcome.output.utf8))
    }

    @Test func `A finished run's volume is written again, in the same bits`() throws {
      let run = try recon().end().result()
      let again = try decode(export("--format", "both", "--output-folder", folder.file("again")))
      #expect(again.volumeSHA256 == run.volumeSHA256 && again.isFinal && again.projections == 60)
      #expect(
        try folder.names(in: "again") == ["foam_rec.h5", "outputs.json"] + (0..<5).map { "recon_0000\($0).tiff" })
      for name in try folder.names(in: "again") where name.hasSuffix("tiff") {
        let files = ["again", "out"].map { FileManager.default.contents(atPath: folder.file("\($0)/\(name)")) }
        #expect(files[0] != nil && files[0] == files[1], "\(name)")
      }
      let bytes = try decode(export("--format", "tiff", "--bits", "8"))
      #expect(bytes.outputs.count == 5 && bytes.outputs[0] == folder.file("run/exported/recon_00000.tiff"))
    }

    @Test func `What a killed export left is gone after the next one`() throws {
      _ = try recon().end().result()
      let killed = try Command(
        ["export", folder.file("run"), "--format", "both", "--output-folder", folder.file("again"), "--json"],
        variables: ["SLIPRING_FAULT": "rename-before:2"]
      ).end()
      try #require(killed.status == .killed(signal: SIGKILL))
      #expect(try folder.names(in: "again").contains { $0.hasSuffix(".tmp") })
      _ = try decode(export("--format", "both", "--output-folder", folder.file("again")))
      #expect(try !folder.names(in: "again").contains { $0.hasSuffix(".tmp") })
    }

    @Test func `A stopped run's newest whole volume is written, and a damaged one is passed over`() throws {
      let command = try recon("--rate", "4", "--checkpoint-every", "2")
      expectFailure(66, try export("--format", "hdf5"), "not the folder of a run")
      try wait("two saved volumes of each worker") {
        (try? folder.names(in: "run/checkpoints"))?.count { $0.hasSuffix(".checkpoint") } ?? 0 >= 4
      }
      expectFailure(73, try export("--format", "hdf5"), "living supervisor")
      try command.process.signal(SIGKILL)
      #expect(try command.end().status == .killed(signal: SIGKILL))
      let status = try JSONDecoder().decode(
        RunStatus.self, from: Data(contentsOf: URL(filePath: folder.file("run/status.json"))))
      try wait("the stages end") { status.stages.allSatisfy { kill($0.pid, 0) != 0 } }
      let newest = try decode(export("--format", "hdf5"))
      #expect(!newest.isFinal && newest.outputs.count == 1 && (1..<60).contains(newest.projections))
      #expect(try VolumeReader(path: newest.outputs[0]).slices == 5)
      for worker in 0..<2 {
        let generation = newest.generations[worker]
        let path = folder.file("run/checkpoints/volume.\(worker).\(generation).checkpoint")
        var data = try Data(contentsOf: URL(filePath: path))
        data[data.count / 2] ^= 1
        try data.write(to: URL(filePath: path))
      }
      let older = try decode(export("--format", "hdf5"))
      #expect(zip(older.generations, newest.generations).allSatisfy { $0 < $1 })
      for path in try folder.names(in: "run/checkpoints") {
        try FileManager.default.removeItem(atPath: folder.file("run/checkpoints/\(path)"))
      }
      expectFailure(65, try export("--format", "hdf5"), "no whole saved volume of rows 0..<3", "resume")
      let outcome = try Command.run("resume", folder.file("run"), "--json", "--quiet")
      #expect(try decode(export("--format", "hdf5")).volumeSHA256 == outcome.result().volumeSHA256)
    }

    @Test func `A run that saved nothing says so`() throws {
      #expect(try recon("--durability", "memory").end().status == .exited(0))
      expectFailure(64, try export("--format", "tiff"), "saved no volumes")
    }
  }
}
