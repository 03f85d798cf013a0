import Foundation
import Host
import Run
import RunModel
import TestSupport
import Testing

@testable import ScanFiles

extension Pipeline {
  /// Scans with frames and pixels that show nothing, as beamlines make them every week.
  @Suite struct EmptyFrameTests {
    private let folder: TestFolder

    init() throws { folder = try TestFolder() }

    private func recon(_ input: String, _ name: String, _ options: [String] = [], faults: String? = nil) throws
      -> Command.Outcome
    {
      try Command(
        [
          "recon", input, "--output-folder", folder.file(name), "--run-folder", folder.file(name + "-run"),
          "--algorithm", "sirt", "--final-iterations", "200", "--json",
        ] + options, faults: faults
      ).end()
    }

    /// The axis that a run found, as its output has it.
    private func axis(_ errors: String) throws -> Double {
      let words = try #require(errors.firstMatch(of: /rotation axis found at ([0-9.]+) px/))
      return try #require(Double(words.1))
    }

    /// A scan, what spoils it, and what has to be told of it.
    struct Spoiled: Sendable, CustomStringConvertible {
      let description: String
      var empty: [[UInt64]] = []
      var emptyFlats = 0
      var dead = 0
      let spoil: @Sendable (inout DiskScan) -> Void
    }

    static let spoiled = [
      Spoiled(description: "whole") { _ in },
      Spoiled(description: "the last frame is zero", empty: [[89, 89]]) { $0.frames[89] = DiskScan.image { _ in 0 } },
      Spoiled(description: "ten frames were never written", empty: [[80, 89]]) { scan in
        for frame in 80..<90 { scan.frames[frame] = DiskScan.image { _ in 0 } }
      },
      Spoiled(description: "the shutter was shut for three", empty: [[30, 30], [61, 62]]) { scan in
        for frame in [30, 61, 62] { scan.frames[frame] = DiskScan.image { UInt16(99 + $0 % 3) } }
      },
      Spoiled(description: "every ninth frame is zero", empty: stride(from: 4, to: 90, by: 9).map { [$0, $0] }) {
        scan in
        for frame in stride(from: 4, to: 90, by: 9) { scan.frames[frame] = DiskScan.image { _ in 0 } }
      },
      Spoiled(description: "a column reads below dark", dead: DiskScan.rows) { scan in
        for frame in scan.frames.indices {
          for row in 0..<DiskScan.rows { scan.frames[frame][row * DiskScan.columns + 40] = 50 }
        }
      },
      Spoiled(description: "a flat has a zinger, another one is shut", emptyFlats: 1) { scan in
        scan.flats = (0..<9).map { flat in
          DiskScan.image { flat == 4 ? 100 : flat == 2 && $0 == 25 ? 65_535 : 20_100 }
        }
      },
    ]

    @Test(arguments: spoiled)
    func `What shows nothing is left out and told, and the volume is good`(_ spoiled: Spoiled) throws {
      var scan = DiskScan()
      spoiled.spoil(&scan)
      try scan.write(folder.file("scan.h5"))
      let isShort = spoiled.empty == [[80, 89]]
      let outcome = try recon(folder.file("scan.h5"), "out", ["--window-step", "0"])
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
      #expect(abs(try axis(outcome.errors) - DiskScan.axis) < 0.1)
      let distance = try DiskScan.distance(folder.file("out/scan_rec.h5"))
      // A ninth of the angles is missing where the last ten frames are.
      #expect(distance < (isShort ? 0.115 : 0.07), "\(distance)")
      // What a person gets who says nothing of the method.
      let usual = try Command(
        [
          "recon", folder.file("scan.h5"), "--output-folder", folder.file("usual"), "--format", "hdf5", "--quiet",
        ]
      ).end()
      try #require(usual.status == .exited(0), "\(usual.errors)")
      let usualDistance = try DiskScan.distance(folder.file("usual/scan_rec.h5"))
      #expect(usualDistance < 0.03, "auto: \(usualDistance)")
      let result = try outcome.result(), empty = spoiled.empty.reduce(0) { $0 + Int($1[1] - $1[0]) + 1 }
      if isShort {
        scan.frames.removeLast(10)
        try scan.write(folder.file("short.h5"))
        let short = try recon(
          folder.file("short.h5"), "without", ["--window-step", "0"]
        ).result()
        #expect(result.volumeSHA256 == short.volumeSHA256, "left out is as if it had never been there")
      }
      #expect(result.projections + empty == DiskScan.projections && result.lost == 0 && result.lostFields == 0)
      #expect(result.emptyProjections == empty && result.emptyFrames == spoiled.empty)
      #expect(result.emptyFlats == spoiled.emptyFlats && result.deadPixels == spoiled.dead && result.clampedPixels == 0)
      #expect(outcome.errors.contains("left out, as they are empty") == (empty + spoiled.emptyFlats > 0))
      #expect(!outcome.errors.contains("stopped after"), "\(outcome.errors)")
      let status = try JSONDecoder().decode(
        RunStatus.self, from: Data(contentsOf: URL(filePath: folder.file("out-run/status.json"))))
      #expect(status.losses?.empty ?? 0 == empty + spoiled.emptyFlats && status.clampedPixels == nil)
      // What the volume was made without stands in every file of it.
      let again = try Command.run(
        "export", folder.file("out-run"), "--format", "hdf5", "--output-folder", folder.file("again"), "--quiet")
      try #require(again.status == .exited(0), "\(again.errors)")
      for name in ["empty_projections", "empty_flats", "empty_frames", "dead_pixels", "clamped_pixels"] {
        let texts = try ["out", "again"].map {
          try HDF5File(path: folder.file("\($0)/scan_rec.h5")).text(ofAttribute: name, of: DXchange.data)
        }
        #expect(texts[0] == texts[1], "\(name): \(texts)")
      }
    }

    @Test
    func `Frames that are left out are so through deaths, on every machine and from a detector, to the same bits`()
      throws
    {
      var scan = DiskScan()
      for frame in [0, 20, 21, 50, 89] { scan.frames[frame] = DiskScan.image { _ in frame == 50 ? 0 : 100 } }
      for frame in scan.frames.indices { scan.frames[frame][40] = 50 }
      scan.flats[1] = DiskScan.image { _ in 100 }
      try scan.write(folder.file("scan.h5"))
      let options = ["--rotation-axis", "31", "--window-length", "8", "--quiet", "--lag-max", "0"]
      let reference = try recon(folder.file("scan.h5"), "reference", options + ["--workers", "1"]).result()
      #expect(reference.projections == 85 && reference.emptyFlats == 1 && reference.deadPixels == 1)
      let killed = try recon(
        folder.file("scan.h5"), "killed", options + ["--workers", "2"],
        faults: "acquire=payload-written:3,committed:24,claimed:20;distribute=unreleased:40;"
          + "reconstruct.0=flip-after:9,block-swept:1;reconstruct.1=flip-before:30"
      ).result()
      #expect(killed.volumeSHA256 == reference.volumeSHA256 && killed.restarts["acquire"] == 3, "\(killed.restarts)")
      #expect(killed.projections == 85 && killed.emptyFrames == reference.emptyFrames && killed.lost == 0)
      // The virtual detector sends darks, flats and projections with numbers of their own: 3 + 3 come first.
      let port = try freePort()
      let detector = try Command([
        "simulate", "--stream", "zmq+push://127.0.0.1:\(port)", "--scan", folder.file("scan.h5"), "--rate", "500",
        "--quiet",
      ])
      let live = try recon(
        "zmq+pull://127.0.0.1:\(port)", "live",
        options + ["--shape", "2,64", "--projections", "90", "--darks", "3", "--flats", "3"])
      try #require(live.status == .exited(0), "\(live.errors)")
      let result = try live.result()
      #expect(result.volumeSHA256 == reference.volumeSHA256 && result.projections == 85 && result.lost == 0)
      #expect(result.emptyFrames == reference.emptyFrames.map { $0.map { $0 + 6 } } && result.emptyFlats == 1)
      #expect(try detector.end().status == .exited(0))
    }

    @Test func `A beam that fades is taken from flats before and behind the scan, to the same bits through deaths`()
      throws
    {
      var scan = DiskScan()
      func fade(_ count: UInt16, _ beam: Double) -> UInt16 { UInt16((100 + (Double(count) - 100) * beam).rounded()) }
      for frame in scan.frames.indices {
        scan.frames[frame] = scan.frames[frame].map { fade($0, 1 - 0.3 * (Double(frame) + 0.5) / 90) }
      }
      scan.flats = [1, 1, 0.7, 0.7].map { beam in DiskScan.image { _ in fade(20_100, beam) } }
      try scan.write(folder.file("scan.h5"))
      let options = ["--rotation-axis", "31", "--window-length", "8", "--quiet"]
      for (name, more, good) in [("mean", [], false), ("time", ["--flat-fields", "interpolate"], true)] {
        let outcome = try recon(folder.file("scan.h5"), name, options + more)
        try #require(outcome.status == .exited(0), "\(outcome.errors)")
        let distance = try DiskScan.distance(folder.file("\(name)/scan_rec.h5"))
        #expect((distance < 0.07) == good, "\(name): \(distance)")
      }
      let reference = try recon(
        folder.file("scan.h5"), "reference", options + ["--flat-fields", "interpolate", "--workers", "1"]
      ).result()
      let killed = try recon(
        folder.file("scan.h5"), "killed", options + ["--flat-fields", "interpolate", "--workers", "2"],
        faults:
          "acquire=committed:40,committed:55;reconstruct.0=flip-after:9,block-swept:1;reconstruct.1=flip-before:30"
      ).result()
      #expect(killed.volumeSHA256 == reference.volumeSHA256 && killed.restarts["acquire"] == 2, "\(killed.restarts)")
    }

    @Test func `Counts without flats are refused, and a beam that is said or seen at the border makes the volume`()
      throws
    {
      var scan = DiskScan()
      scan.flats = []
      try scan.write(folder.file("scan.h5"))
      let options = ["--rotation-axis", "31", "--window-step", "0", "--quiet"]
      expectFailure(
        65, try recon(folder.file("scan.h5"), "none", options + ["--minus-log", "yes"]), "no I₀", "--i0 border")
      for beam in ["20100", "border"] {
        let outcome = try recon(folder.file("scan.h5"), beam, options + ["--i0", beam])
        try #require(outcome.status == .exited(0), "\(outcome.errors)")
        let distance = try DiskScan.distance(folder.file("\(beam)/scan_rec.h5"))
        #expect(distance < 0.07, "\(beam): \(distance)")
      }
      expectFailure(
        64,
        try recon(
          "zmq+pull://127.0.0.1:9", "live",
          [
            "--shape", "2,64", "--projections", "9",
            "--rotation-axis", "31", "--i0", "border",
          ]), "--i0 border")
      let negative = try recon(folder.file("scan.h5"), "bad", ["--i0", "0"])
      #expect(negative.status == .exited(64) && negative.errors.contains("i0"), "\(negative.errors)")
      // What begins with a minus is a number; a file that has thetas is not told others.
      expectFailure(
        65, try recon(folder.file("scan.h5"), "step", ["--theta-step", "-6", "--i0", "1"]), "it has thetas")
    }

    @Test func `A scan in which nothing is seen is an error`() throws {
      var scan = DiskScan()
      for frame in scan.frames.indices { scan.frames[frame] = DiskScan.image { _ in 100 } }
      try scan.write(folder.file("dark.h5"))
      expectFailure(
        65, try recon(folder.file("dark.h5"), "dark", ["--rotation-axis", "31"]), "every projection is empty")
      expectFailure(65, try recon(folder.file("dark.h5"), "auto"), "every projection is empty")
    }
  }
}
