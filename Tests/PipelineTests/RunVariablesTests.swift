import Foundation
import Host
import Run
import ScanFiles
import TestSupport
import Testing

extension Pipeline {
  /// A run as process variables: what pvaPy reads of them, and by which of them it may be ended.
  @Suite(.enabled(if: Variable.isThere, "pvxs (Tools/pvaccess) or Python with pvapy cannot be had"))
  struct RunVariablesTests {
    private let folder: TestFolder
    private let variable: Variable
    private let prefix: String
    private static let (rows, columns, projections) = (5, 48, 60)

    init() throws {
      folder = try TestFolder()
      variable = try Variable(folder: folder)
      prefix = String(variable.address.dropFirst("pva://".count))
      let outcome = try Command.run(
        "simulate", folder.file("scan.h5"), "--rows", "\(Self.rows)", "--columns", "\(Self.columns)", "--projections",
        "\(Self.projections)", "--quiet")
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
    }

    /// What a display saw.
    private struct Seen: Decodable {
      struct Image: Decodable {
        let shape: [Int]?
      }
      struct Values: Decodable {
        let Run: String?
        let Acquired, Projections, Lost: Int?
        let FinalIterations, Axis: Double?
        let Message: String?
      }
      let states: [String]
      let last: Values
      let pictures: Int
      let image: Image
      let stop: String?
    }

    /// Reconstructs while a display watches that may want to end the scan.
    private func watched(
      _ options: [String], rate: Int = 15, stopAfter: Int? = nil, nonsense: Int = 0
    ) throws -> (Command.Outcome, Seen) {
      let script = Senders.root.appending(path: "Tests/Senders/watch_pva.py").path
      let display = try Command(
        [script, folder.file("ready"), prefix, folder.file("seen")]
          + (stopAfter.map { ["\($0)", "\(nonsense)"] } ?? []),
        executable: #require(Senders.pvaPython), variables: variable.environment)
      try wait("the display") { FileManager.default.fileExists(atPath: folder.file("ready")) }
      let run = try Command(
        [
          "recon", folder.file("scan.h5"), "--output-folder", folder.file("out"), "--rate", "\(rate)", "--algorithm",
          "sirt", "--final-iterations", "4", "--format", "tiff", "--quiet", "--json", "--epics", prefix,
        ] + options, variables: variable.environment)
      let outcome = try run.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let watcher = try display.end()
      #expect(watcher.status == .exited(0), "\(watcher.errors)")
      let seen = try JSONDecoder().decode(Seen.self, from: Data(contentsOf: URL(filePath: folder.file("seen"))))
      return (outcome, seen)
    }

    @Test func `A display sees how far a run is, and in the end a slice of its volume, bit for bit`() throws {
      let (outcome, seen) = try watched([], stopAfter: 3)
      let result = try outcome.result()
      #expect(seen.states.last == "finished" && seen.states.contains("scanning"), "\(seen.states)")
      #expect(seen.last.Run == result.run && seen.last.Acquired == Self.projections && seen.last.Lost == 0)
      #expect(seen.last.Projections == Self.projections && seen.last.FinalIterations == 1)
      #expect(seen.last.Axis == result.rotationAxis && seen.last.Message == result.outputs.last)
      // Pictures came while the scan ran, and the last one is that of the file.
      #expect(seen.pictures > 1 && seen.image.shape == [Self.columns, Self.columns], "\(seen)")
      let pixels = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.columns * Self.columns * 4, alignment: 64)
      defer { pixels.deallocate() }
      try readTIFF(
        path: folder.file("out/recon_0000\(Self.rows / 2).tiff"), rows: Self.columns, columns: Self.columns,
        pixel: .float32, into: pixels)
      #expect(try Data(contentsOf: URL(filePath: folder.file("seen.image"))) == Data(pixels))
      // Nobody said that the run may be ended so.
      #expect(seen.stop?.hasPrefix("refused") == true && result.projections == Self.projections, "\(seen)")
    }

    @Test func `Where it was allowed, a display ends the scan`() throws {
      let (outcome, seen) = try watched(["--epics-control"], stopAfter: 10)
      let result = try outcome.result()
      #expect(seen.stop == "taken" && seen.states.last == "finished", "\(seen)")
      #expect(result.projections < Self.projections && result.projections >= 10, "\(result.projections)")
      #expect(result.stoppedBy.contains("\(prefix):Stop from 127.0.0.1"), "\(result.stoppedBy)")
    }

    /// More than might wait, faster than the run looks.
    @Test func `Nonsense ends no scan, and keeps nobody from ending it`() throws {
      let (outcome, seen) = try watched(["--epics-control"], rate: 1, stopAfter: 2, nonsense: 40)
      #expect(seen.stop == "taken" && seen.states.last == "finished", "\(seen)")
      #expect(try outcome.result().stoppedBy.contains("\(prefix):Stop"))
    }

    @Test func `Two runs cannot be ended by the same variable`() throws {
      func recon(_ name: String, _ options: String...) throws -> Command {
        try Command(
          [
            "recon", folder.file("scan.h5"), "--output-folder", folder.file(name), "--run-folder",
            folder.file(name + "-run"), "--rotation-axis", "24", "--algorithm", "sirt", "--final-iterations", "1",
            "--quiet", "--json", "--epics", prefix,
          ] + options, variables: variable.environment)
      }
      let first = try recon("first", "--epics-control", "--rate", "1")
      _ = try waitForImages(1, of: folder.file("first-run"))
      expectFailure(69, try recon("second", "--epics-control").end(), "\(prefix):Stop", "another program serves it")
      try first.process.signal(SIGTERM)
      _ = try first.end()
    }

    @Test func `Variables need a name and the library`() throws {
      let input = folder.file("scan.h5")
      expectFailure(
        69,
        try Command(
          ["recon", input, "--output-folder", folder.file("none"), "--epics", "X"],
          variables: ["SLIPRING_PVACCESS": folder.file("none.so")]
        ).end(), "Tools/pvaccess")
      let output = ["--output-folder", folder.file("none")]
      for prefix in ["a b", "", String(repeating: "x", count: 151)] {
        expectFailure(
          64, try Command(["recon", input, "--epics", prefix] + output).end(), "no prefix of process variables")
      }
      let control = try Command(["recon", input, "--epics-control"] + output).end()
      #expect(control.status == .exited(64) && control.errors.contains("--epics PREFIX"), "\(control.errors)")
    }
  }
}
