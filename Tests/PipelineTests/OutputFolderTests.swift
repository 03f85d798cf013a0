import Foundation
import Glibc
import Host
import Run
import TestSupport
import Testing

extension Pipeline {
  /// One output folder and several runs.
  @Suite struct OutputFolderTests {
    private let folder: TestFolder
    private let scan: String

    init() throws {
      folder = try TestFolder()
      scan = try folder.simulate(rows: 4, columns: 32, projections: 60)
    }

    private func recon(_ run: String, _ options: String...) throws -> Command {
      try Command(
        [
          "recon", scan, "--output-folder", folder.file("out"), "--run-folder", folder.file(run), "--rotation-axis",
          "16", "--workers", "2", "--window-length", "6", "--final-iterations", "2", "--checkpoint-every", "5",
          "--quiet", "--json",
        ] + options)
    }

    /// What lies in the output folder, by name.
    private func content() throws -> [String: Data] {
      try folder.names(in: "out").reduce(into: [:]) {
        $0[$1] = FileManager.default.contents(atPath: folder.file("out/\($1)"))
      }
    }

    private static let result =
      ["foam_rec.h5", "outputs.json"] + (0..<4).map { "recon_0000\($0).tiff" } + ["scan.yaml"]

    @Test func `Of two runs with one output folder the second is refused, and the first is not disturbed`() throws {
      let command = try recon("first", "--rate", "20")
      try wait("the first run starts") { FileManager.default.fileExists(atPath: folder.file("first/status.json")) }
      let other = try recon("second", "--overwrite").end()
      expectFailure(
        73, other, "process \(command.process.pid) writes the result of another run to \(folder.file("out"))")
      #expect(!FileManager.default.fileExists(atPath: folder.file("second")))
      #expect(try command.end().status == .exited(0))
      #expect(try folder.names(in: "out") == Self.result)
    }

    @Test func `A second run does not mix its files with another's, and replaces them where that was asked for`() throws
    {
      let first = try recon("first").end().result()
      #expect(try folder.names(in: "out") == Self.result)
      let before = try content()
      let refused = try recon("second", "--end-row", "2", "--bits", "16").end()
      expectFailure(73, refused, "result of another run", "--output-folder", "--overwrite")
      #expect(try content() == before && !FileManager.default.fileExists(atPath: folder.file("second")))
      try Data("notes".utf8).write(to: URL(filePath: folder.file("out/notes.txt")))
      let second = try recon("second", "--end-row", "2", "--bits", "16", "--format", "tiff", "--overwrite").end()
      #expect(second.status == .exited(0), "\(second.errors)")
      #expect(
        try folder.names(in: "out") == [
          "notes.txt", "outputs.json", "recon_00000.tiff", "recon_00001.tiff", "scan.yaml",
        ])
      #expect(try String(contentsOfFile: folder.file("out/scan.yaml"), encoding: .utf8).contains("bits: 16"))
      // The first run's own folder has its volume still.
      let digest = try #require(first.volumeSHA256)
      let again = try Command.run("export", folder.file("first"), "--format", "tiff", "--json")
      #expect(again.status == .exited(0) && again.output.contains(digest), "\(again.errors)")
      let here = ["export", folder.file("first"), "--format", "tiff", "--output-folder", folder.file("out")]
      expectFailure(73, try Command(here).end(), "result of another run", "--overwrite")
      let replaced = try Command(here + ["--overwrite", "--quiet"]).end()
      #expect(replaced.status == .exited(0), "\(replaced.errors)")
      #expect(
        try folder.names(in: "out") == ["notes.txt", "outputs.json"] + (0..<4).map { "recon_0000\($0).tiff" })
    }

    @Test func `A finished run that is resumed says so, and changes nothing`() throws {
      let result = try recon("run").end().result()
      let (before, run) = (try content(), try modificationTimes(in: "run"))
      let resumed = try Command.run("resume", folder.file("run"), "--json")
      #expect(resumed.status == .exited(0), "\(resumed.errors)")
      #expect(
        resumed.errors.contains("is finished, and nothing was changed; its result is in \(folder.file("out"))"),
        "\(resumed.errors)")
      #expect(try resumed.result().volumeSHA256 == result.volumeSHA256 && resumed.result().outputs == result.outputs)
      #expect(try content() == before && modificationTimes(in: "run") == run)
      // What somebody took away is made again.
      try FileManager.default.removeItem(atPath: folder.file("out/recon_00002.tiff"))
      let mended = try Command.run("resume", folder.file("run"), "--json")
      #expect(mended.status == .exited(0) && !mended.errors.contains("is finished"), "\(mended.errors)")
      #expect(try content()["recon_00002.tiff"] == before["recon_00002.tiff"])
    }

    private func modificationTimes(in name: String) throws -> [String: Date] {
      let path = folder.file(name)
      return try FileManager.default.subpathsOfDirectory(atPath: path).reduce(into: [:]) {
        $0[$1] = try FileManager.default.attributesOfItem(atPath: "\(path)/\($1)")[.modificationDate] as? Date
      }
    }

    @Test func `A killed run leaves its folder free, and does not come back over another run's files`() throws {
      let command = try recon("killed", "--rate", "30", "--lag-max", "0")
      try waitForImages(20, of: folder.file("killed"))
      try command.process.signal(SIGKILL)
      #expect(try command.end().status == .killed(signal: SIGKILL))
      #expect(try folder.names(in: "out").contains(".slipring-lock"))
      let next = try recon("next").end()
      #expect(next.status == .exited(0), "\(next.errors)")
      #expect(try folder.names(in: "out") == Self.result)
      let resume = ["resume", folder.file("killed"), "--quiet", "--json"]
      expectFailure(73, try Command(resume).end(), "result of another run", "--overwrite")
      let resumed = try Command(resume + ["--overwrite"]).end()
      #expect(resumed.status == .exited(0), "\(resumed.errors)")
      #expect(try resumed.result().volumeSHA256 == next.result().volumeSHA256)
    }

    @Test func `Nothing that a run leaves leads out of its folder`() throws {
      let outcome = try Command.run(
        "recon", scan, "--output-folder", folder.file("out"), "--rotation-axis", "16", "--final-iterations", "1",
        "--quiet")
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let paths = try FileManager.default.subpathsOfDirectory(atPath: folder.file("out"))
      #expect(paths.contains { $0.hasSuffix("plan.json") })
      for path in paths {
        let kind = try FileManager.default.attributesOfItem(atPath: folder.file("out/\(path)"))[.type]
        #expect(kind as? FileAttributeType != .typeSymbolicLink, "\(path)")
      }
    }
  }
}
