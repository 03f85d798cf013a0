import Foundation
import Host
import Run
import ScanFiles
import TestSupport
import Testing

extension Pipeline {
  /// One scan in the layouts that beamlines have, written by the libraries that write them there: the same volume.
  @Suite(.enabled(if: Senders.writers != nil, "Python with h5py, nxtomo and tifffile cannot be installed"))
  struct LayoutTests {
    private static let (rows, columns, projections) = (2, 48, 30)
    private let folder: TestFolder
    private let reference: String
    private let options = ["--theta-step", "6"]

    init() throws {
      folder = try TestFolder()
      let scan = folder.file("foam.h5")
      let outcome = try Command.run(
        "simulate", scan, "--rows", "\(Self.rows)", "--columns", "\(Self.columns)", "--projections",
        "\(Self.projections)", "--rotation-axis", "22.5", "--photons", "5000", "--quiet")
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
      let script = Senders.root.appending(path: "Tests/Readers/write_scans.py").path
      let written = try Command([script, scan, folder.path], executable: #require(Senders.writers)).end()
      try #require(written.status == .exited(0), "\(written.errors)")
      reference = try #require(try Self.recon(scan, folder.file("reference"), []).volumeSHA256)
    }

    private static func command(_ input: String, _ output: String, _ options: [String]) throws -> Command {
      try Command(
        [
          "recon", input, "--output-folder", output, "--rotation-axis", "22.5", "--algorithm", "sirt",
          "--window-step", "0", "--final-iterations", "3", "--format", "hdf5", "--durability", "memory", "--json",
        ] + options)
    }

    private static func recon(_ input: String, _ output: String, _ options: [String]) throws -> RunResult {
      let outcome = try command(input, output, options).end()
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
      return try outcome.result()
    }

    private func recon(_ input: String, _ options: [String]) throws -> RunResult {
      try Self.recon(folder.file(input), folder.file("out-\(UInt32.random(in: 0 ... .max))"), options)
    }

    @Test func `NeXus files of Diamond and the ESRF run as they are`() throws {
      #expect(try recon("tomo_standard.nxs", []).volumeSHA256 == reference)
      // With the second of two scans by its default, mirrored both ways.
      let two = try recon("two.nxs", [])
      #expect(two.volumeSHA256 == reference)
      #expect(two.inputNotices.contains { $0.contains("entry0001 is taken, its default") })
      #expect(two.inputNotices.contains { $0.contains("mirrored left-right and up-down") })
      let paths = [
        "--data-path", "/entry/imaging/data", "--image-key-path", "/entry/instrument/imaging/image_key",
        "--theta-path", "/entry/imaging_sum/gts_theta_value",
      ]
      #expect(try recon("k11.nxs", paths).volumeSHA256 == reference)
      // Its second source has half of its frames.
      let short = try recon("short.nxs", paths)
      #expect(short.projections < Self.projections && short.projections > 0)
      #expect(short.inputNotices.contains { $0.contains("short_1.h5 has") && $0.contains("of 30 projections") })
    }

    @Test func `Files of TOMCAT, FXI and Bliss make the same volume, those without a known layout by the paths named`()
      throws
    {
      #expect(try recon("tomcat.h5", []).volumeSHA256 == reference)
      #expect(try recon("alone.h5", ["--fields", folder.file("tomcat.h5")]).volumeSHA256 == reference)
      func fields(_ file: String, _ flats: String, _ darks: String) -> [String] {
        ["--flats", folder.file("\(file)::\(flats)"), "--darks", folder.file("\(file)::\(darks)")]
      }
      let fxi = ["--data-path", "img_tomo", "--theta-path", "angle"] + fields("fxi.h5", "img_bkg", "img_dark")
      #expect(try recon("fxi.h5", fxi).volumeSHA256 == reference)
      let paths = ["--data-path", "/4.1/measurement/pcolinux", "--theta-path", "/4.1/measurement/hrsrot"]
      let bliss = paths + fields("bliss.h5", "/3.1/measurement/pcolinux", "/2.1/measurement/pcolinux")
      #expect(try recon("bliss.h5", bliss).volumeSHA256 == reference)
      let refused = try Self.command(folder.file("bliss.h5"), folder.file("refused"), []).end()
      expectFailure(65, refused, "perhaps /4.1/", "--theta-path /4.1/measurement/hrsrot", "nxtomomill")
    }

    @Test func `Fields of other files, and of TIFF files, make the same volume`() throws {
      let fields = [
        "--flats", folder.file("flats.h5::/1-TempPlugin-tomo/data"), "--darks",
        folder.file("darks.h5::1-TempPlugin-tomo/data"),
      ]
      #expect(try recon("alone.h5", fields).volumeSHA256 == reference)
      #expect(try recon("alone.h5", ["--fields", folder.file("tomo_standard.nxs")]).volumeSHA256 == reference)
      let images = ["--flats", folder.file("flat.tif"), "--darks", folder.file("dark_*.tif")]
      #expect(try recon("alone.h5", images).volumeSHA256 == reference)
    }

    @Test func `TIFF files by a pattern, in a folder, in a stack and of other types make the same volume`() throws {
      let fields = ["--flats", folder.file("flat.tif"), "--darks", folder.file("dark_*.tif")]
      let plain = try recon("proj_*.tif", fields)
      #expect(plain.volumeSHA256 == reference && plain.projections == Self.projections)
      #expect(plain.outputs == plain.outputs.filter { $0.hasSuffix("/proj_rec.h5") })
      #expect(plain.inputNotices.contains { $0.contains("--theta-step") })
      for input in ["stack.tif", "imagej.tif"] {
        #expect(try recon(input, fields + options).volumeSHA256 == reference, "\(input)")
      }
      // Their own type is a float here, which holds the same counts.
      for input in ["float64", "int16"] { #expect(try recon(input, fields).volumeSHA256 == reference, "\(input)") }
    }

    @Test(arguments: [false, true]) func `A file is followed while it is written, and when it was killed`(
      isKilled: Bool
    ) throws {
      let path = folder.file("growing.nxs")
      let script = Senders.root.appending(path: "Tests/Readers/write_growing.py").path
      let command = try Self.command(
        "watch:\(path)", folder.file("live"),
        [
          "--shape", "\(Self.rows),\(Self.columns)", "--projections", "\(Self.projections)", "--flats", "10", "--darks",
          "10", "--source-timeout", "4",
        ])
      let writer = try Command(
        [script, folder.file("foam.h5"), path] + (isKilled ? ["40"] : []), executable: #require(Senders.writers))
      let outcome = try command.end()
      _ = try writer.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result()
      #expect(result.projections == (isKilled ? 20 : Self.projections))
      #expect((result.volumeSHA256 == reference) == !isKilled && result.lost == (isKilled ? 10 : 0))
    }

    @Test func `A file that is watched says itself what other live sources have to be told`() throws {
      // The second is mirrored both ways.
      for name in ["tomo_standard.nxs", "two.nxs"] {
        let result = try Self.recon("watch:" + folder.file(name), folder.file("of-" + name), ["--source-timeout", "4"])
        #expect(result.volumeSHA256 == reference && result.projections == Self.projections, "\(name)")
        #expect(result.inputNotices.contains { $0.contains("\(Self.projections) projections, 10 flats and 10 darks") })
      }
      let watched = "watch:" + folder.file("tomo_standard.nxs")
      func refused(_ input: String, _ options: [String]) throws -> Command.Outcome {
        try Self.command(input, folder.file("refused"), options).end()
      }
      expectFailure(65, try refused(watched, ["--shape", "3,48"]), "--shape 3,48", "2,48")
      expectFailure(65, try refused(watched, ["--pixel", "float32"]), "--pixel float32", "uint16")
      expectFailure(
        64, try refused("watch:" + folder.file("none.h5"), ["--shape", "3,48"]), "give --projections N")
    }

    @Test func `An aborted scan gives what came, says so in every place, and is refused by strict`() throws {
      let output = folder.file("aborted")
      let result = try Self.recon(folder.file("aborted.nxs"), output, [])
      let frames = try openScan(path: folder.file("tomo_standard.nxs")).info
      let came =
        (frames.projectionCount + frames.flatCount + frames.darkCount) * 2 / 3 - frames.flatCount - frames.darkCount
      #expect(result.projections == came && result.volumeSHA256 != reference)
      #expect(result.inputNotices.contains { $0.contains("\(came) of 30 projections") })
      try copyScan(
        folder.file("foam.h5"), to: folder.file("first.h5"), projections: Array(0..<came), degrees: 6)
      #expect(try recon("first.h5", []).volumeSHA256 == result.volumeSHA256)
      let bytes = try Data(contentsOf: URL(filePath: output + "/aborted_rec.h5"))
      #expect(bytes.range(of: Data("the scan is not complete".utf8)) != nil)
      expectFailure(
        65, try Self.command(folder.file("aborted.nxs"), folder.file("refused"), ["--strict"]).end(), "--strict",
        "image_key")
      #expect(!FileManager.default.fileExists(atPath: folder.file("refused")))
    }
  }
}
