import Foundation
import FoundationXML
import Host
import TestSupport
import Testing

extension Pipeline {
  @Suite struct SweepCommandTests {
    private let folder: TestFolder
    private let scan: String

    init() throws {
      folder = try TestFolder()
      scan = folder.file("foam.h5")
      let made = try Command.run(
        "simulate", scan, "--rows", "3", "--columns", "96", "--projections", "90", "--rotation-axis", "50.5",
        "--quiet")
      try #require(made.status == .exited(0), "\(made.errors)")
    }

    private struct Report: Decodable {
      struct Trial: Decodable {
        let value: String
        let entropy: Double
      }
      let row: Int
      let trials: [Trial]
      let best: String?
      let picture: String
      let strip: String
    }

    private func sweep(_ arguments: String...) throws -> Report {
      let outcome = try Command(
        ["sweep", scan, "--output-folder", folder.file("try"), "--quiet", "--json"] + arguments
      ).end()
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
      return try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8))
    }

    @Test func `The sharpest slice is that of the right axis, and all stand side by side`() throws {
      let report = try sweep("--vary", "rotation-axis=48.5:52.5:1", "--set", "algorithm=fbp")
      #expect(report.best == "50.5" && report.row == 1)
      #expect(report.trials.map(\.value) == ["48.5", "49.5", "50.5", "51.5", "52.5"])
      let files = try FileManager.default.contentsOfDirectory(atPath: folder.file("try")).sorted()
      #expect(files == report.trials.map { "rotation-axis=\($0.value).tif" } + ["sweep.png", "sweep.svg"], "\(files)")
      let picture = try XMLDocument(contentsOf: URL(filePath: report.picture))
      #expect(try picture.nodes(forXPath: "//*[local-name()='image']").count == 5)
      let texts = try picture.nodes(forXPath: "//*[local-name()='text']").compactMap(\.stringValue)
      #expect(texts.contains("50.5, the sharpest"))
    }

    @Test func `An option with several values is what varies, and others are the same for all`() throws {
      let report = try sweep("--rotation-axis", "50:51:0.5", "--algorithm", "fbp")
      #expect(report.best == "50.5" && report.trials.map(\.value) == ["50", "50.5", "51"])
      let bytes = try Data(contentsOf: URL(filePath: report.strip))
      // Three slices of 240 pixels with 12 beside each, their values of 28 above, as PNG's header has them.
      #expect(Array(bytes[16..<24]) == [0, 0, 3, 0, 0, 0, 1, 24], "\(Array(bytes.prefix(24)))")
      let regularised = try sweep(
        "--reg", "5,0.1;50,0.1", "--algorithm", "pml-hybrid", "--rotation-axis", "50.5", "--final-iterations", "2")
      #expect(regularised.trials.map(\.value) == ["5,0.1", "50,0.1"] && regularised.best == nil)
    }

    @Test func `One option varies, and recon has one axis`() throws {
      for (arguments, fragment) in [
        (["--rotation-axis", "50.5"], "nothing varies"),
        (["--rotation-axis", "50:51:0.5", "--algorithm", "fbp,sirt"], "rotation-axis and algorithm vary"),
        (["--rotation-axis", "50", "--vary", "rotation-axis=50,51"], "rotation-axis is what --vary varies"),
        (["--algorithm", "fpb"], "\"fpb\""),
      ] {
        let outcome = try Command(["sweep", scan, "--output-folder", folder.file("none")] + arguments).end()
        expectFailure(64, outcome, fragment)
      }
      let outcome = try Command.run(
        "recon", scan, "--output-folder", folder.file("none"), "--rotation-axis", "50:51:0.5")
      #expect(outcome.status == .exited(64) && outcome.errors.contains("slipring sweep --rotation-axis 50:51:0.5"))
    }

    @Test func `Binned and denoised slices are what is shown`() throws {
      let binned = try sweep("--vary", "binning=0,1", "--set", "algorithm=fbp", "--row", "2")
      #expect(binned.trials.map(\.value) == ["0", "1"] && binned.row == 2)
      let denoised = try sweep("--vary", "denoise=median:1,median:2", "--set", "algorithm=fbp")
      #expect(denoised.trials[0].entropy != denoised.trials[1].entropy)
    }

    @Test func `A signal ends all of it at once, and nothing half-made stays`() throws {
      let sweeping = try Command([
        "sweep", scan, "--output-folder", folder.file("try"), "--vary", "rotation-axis=50:51:0.5", "--set",
        "algorithm=sirt", "--set", "final-iterations=100000",
      ])
      let scratch = folder.file("try/.slipring-sweep")
      let deadline = Deadline(after: .seconds(20))
      while !FileManager.default.fileExists(atPath: "\(scratch)/out/scan.yaml"), !deadline.hasPassed { usleep(5000) }
      usleep(300_000)
      try sweeping.process.signal(SIGINT)
      #expect(try sweeping.end().status == .exited(128 + SIGINT))
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.file("try")).isEmpty)
    }

    @Test func `What a killed sweep left is cleared away by the next, and nobody disturbs one that lives`() throws {
      let arguments = ["sweep", scan, "--output-folder", folder.file("try"), "--vary", "rotation-axis=50:51:0.5"]
      let sweeping = try Command(arguments + ["--set", "algorithm=sirt", "--set", "final-iterations=100000"])
      let status = folder.file("try/.slipring-sweep/out/scan.yaml")
      let deadline = Deadline(after: .seconds(20))
      while !FileManager.default.fileExists(atPath: status), !deadline.hasPassed { usleep(5000) }
      expectFailure(73, try Command(arguments + ["--set", "algorithm=fbp"]).end(), "another sweep works in")
      try sweeping.process.signal(SIGKILL)
      #expect(try sweeping.end().status == .killed(signal: SIGKILL))
      #expect(FileManager.default.fileExists(atPath: folder.file("try/.slipring-sweep")))
      #expect(try sweep("--vary", "rotation-axis=50:51:0.5", "--set", "algorithm=fbp").best == "50.5")
      #expect(!FileManager.default.fileExists(atPath: folder.file("try/.slipring-sweep")))
    }

    @Test func `Mistakes are named before anything is made`() throws {
      for (vary, fragment) in [
        ("axis=1,2", "axis is no key"), ("binning=0,99", "--binning 99"), ("rotation-axis=40:60:0.1", "201 values"),
      ] {
        let outcome = try Command.run("sweep", scan, "--output-folder", folder.file("none"), "--vary", vary)
        expectFailure(64, outcome, fragment)
      }
      try FileManager.default.createDirectory(atPath: folder.file("none"), withIntermediateDirectories: false)
      try Data().write(to: URL(filePath: folder.file("none/mine")))
      // `.` as a folder's name would be that of the folder itself.
      for vary in ["run-folder=.", "start-row=0,1", "denoise=program:/a/b;program:/a_b"] {
        let outcome = try Command.run("sweep", scan, "--output-folder", folder.file("none/in"), "--vary", vary)
        #expect(outcome.status == .exited(64), "\(vary): \(outcome.errors)")
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.file("none")) == ["mine"])
      try FileManager.default.removeItem(atPath: folder.file("none"))
      let outcome = try Command.run(
        "sweep", scan, "--output-folder", folder.file("none"), "--vary", "binning=0", "--row", "3")
      expectFailure(64, outcome, "--row 3: the scan has rows 0 to 2")
      #expect(!FileManager.default.fileExists(atPath: folder.file("none")))
    }
  }
}
