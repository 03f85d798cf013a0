import Foundation
import Host
import Journal
import Run
import RunModel
import ScanFiles
import Simulation
import TestSupport
import Testing
import Tomography

extension Pipeline {
  /// Scans that end because their volume says so, and orders of angles.
  @Suite struct ControlTests {
    private static let (rows, columns, projections) = (2, 128, 180)
    private let folder: TestFolder
    private let scan: String

    init() throws {
      folder = try TestFolder()
      scan = folder.file("foam.h5")
      let outcome = try Command.run(
        "simulate", scan, "--rows", "\(Self.rows)", "--columns", "\(Self.columns)", "--projections",
        "\(Self.projections)", "--quiet")
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
    }

    private func recon(_ name: String, faults: String? = nil, _ options: [String]) throws -> Command.Outcome {
      try Command(
        [
          "recon", scan, "--algorithm", "sirt", "--output-folder", folder.file(name), "--run-folder",
          folder.file(name + "-run"),
          "--rotation-axis", "64",
          "--format", "hdf5", "--quiet", "--json",
        ] + options, faults: faults
      ).end()
    }

    private func slice(_ name: String) throws -> [Float] {
      let volume = try VolumeReader(path: folder.file(name) + "/foam_rec.h5")
      var slice = [Float](repeating: 0, count: volume.columns * volume.columns)
      try slice.withUnsafeMutableBufferPointer { try volume.readSlice(1, into: $0) }
      return slice
    }

    /// PSNR in decibels against the phantom.
    private func quality(_ name: String) throws -> Double {
      let foam = Foam(rows: Self.rows, columns: Self.columns, seed: 1, voidValue: 0)
      var truth = [Float](repeating: 0, count: Self.columns * Self.columns)
      truth.withUnsafeMutableBufferPointer { foam.slice(row: 1, columns: Self.columns, supersampling: 4, into: $0) }
      return try slice(name).withUnsafeBufferPointer { slice in
        truth.withUnsafeBufferPointer { psnr(slice, reference: $0, columns: Self.columns, radiusFraction: 0.42) }
      }
    }

    private static func stopping(rate: Int = 15) -> [String] {
      ["--order", "bit-reversal", "--rate", "\(rate)", "--lag-max", "0", "--stop-ssim", "0.95"]
    }

    @Test
    func `A scan of spread angles ends when its volume is similar to the one before, and loses less than a decibel`()
      throws
    {
      var stopped = try recon("stopped", Self.stopping()).result()
      if stopped.stoppedBy == "end of scan" {
        // Of the last tenth 1.2 s were left to decide in, which a machine that others use may not have had.
        for name in ["stopped", "stopped-run"] { try FileManager.default.removeItem(atPath: folder.file(name)) }
        stopped = try recon("stopped", Self.stopping(rate: 4)).result()
      }
      #expect(stopped.stoppedBy.hasPrefix("finalized by control: MS-SSIM 0.9"), "\(stopped.stoppedBy)")
      #expect((162..<Self.projections).contains(stopped.projections), "\(stopped.projections)")
      let scores = try RunHistory(RunFolder(path: folder.file("stopped-run"))).scores
      #expect(scores.last?.streak ?? 0 >= 2)
      let file = try Data(contentsOf: URL(filePath: folder.file("stopped") + "/foam_rec.h5"))
      #expect(file.range(of: Data(stopped.stoppedBy.utf8)) != nil)
      #expect(try recon("full", ["--order", "bit-reversal"]).result().projections == Self.projections)
      let qualities = try (stopped: quality("stopped"), full: quality("full"))
      #expect(qualities.stopped > qualities.full - 1, "\(qualities)")
    }

    @Test func `A scan may be ended earlier by those who say so`() throws {
      let stopped = try recon("stopped", Self.stopping() + ["--stop-after", "90"]).result()
      #expect(stopped.stoppedBy.hasPrefix("finalized by control: MS-SSIM 0.9"), "\(stopped.stoppedBy)")
      #expect((90..<162).contains(stopped.projections), "\(stopped.projections)")
    }

    @Test(arguments: [
      "control=scored:3,scored:1", "control=command-before:1", "control=command-after:1",
      "control=time:1200,time:300,scored:2",
      "control=scored:5;reconstruct.0=flip-after:60",
    ])
    func `Control may die at any time: the scan ends once, by its volume`(faults: String) throws {
      // Early enough for a successor that has to score anew.
      let outcome = try recon("stopped", faults: faults, Self.stopping() + ["--stop-after", "90"])
      #expect(outcome.status == .exited(0), "\(faults): \(outcome.errors)")
      let result = try outcome.result()
      #expect(
        result.stoppedBy.hasPrefix("finalized by control: MS-SSIM 0.9") && result.lost == 0,
        "\(faults): \(result.stoppedBy)")
      let journals = try RunJournals(RunFolder(path: folder.file("stopped-run"))).examine(depth: .tail)
      #expect(journals.first { $0.topic == "commands" }?.report.nextSequence == 1, "\(faults)")
      // A successor compares between the same grey values, once they have settled.
      let scores = try RunHistory(RunFolder(path: folder.file("stopped-run"))).scores
      #expect(Set(scores.filter(\.isSettled).map(\.range)).count == 1, "\(faults)")
    }

    @Test func `A reference gives each update a score against the truth`() throws {
      #expect(try recon("full", ["--order", "golden"]).status == .exited(0))
      let reference = folder.file("full") + "/foam_rec.h5"
      let watched = try recon(
        "watched", ["--order", "golden", "--rate", "90", "--lag-max", "0", "--reference", reference])
      #expect(watched.status == .exited(0), "\(watched.errors)")
      let truths = try RunHistory(RunFolder(path: folder.file("watched-run"))).scores.compactMap(\.truth)
      #expect(truths.count > 5 && (truths.last ?? 0) > (truths.first ?? 1), "\(truths)")
      #expect(try watched.result().stoppedBy == "end of scan")
      let other = folder.file("other.h5")
      #expect(
        try Command.run("simulate", other, "--rows", "3", "--columns", "64", "--projections", "8", "--quiet").status
          == .exited(0))
      expectFailure(65, try recon("refused", ["--reference", other]), "other.h5", "square")
      expectFailure(
        65, try recon("refused", ["--reference", reference, "--end-row", "1"]), "--reference", "2 slices of 128²")
    }

    @Test func `Without windows the volume does not depend on the order of the angles`() throws {
      let plain = ["--window-step", "0", "--final-iterations", "20"]
      #expect(try recon("sequential", plain).status == .exited(0))
      let reference = try slice("sequential")
      for order in ["bit-reversal", "golden", "interleaved:7"] {
        #expect(try recon(order, plain + ["--order", order]).status == .exited(0), "\(order)")
        let distance = try slice(order).withUnsafeBufferPointer { slice in
          reference.withUnsafeBufferPointer {
            relativeL2(slice, reference: $0, columns: Self.columns, radiusFraction: 0.5)
          }
        }
        #expect(distance < 1e-5, "\(order): \(distance)")
      }
    }

    @Test func `A scan that was measured in another order is the same scan`() throws {
      let plain = ["--window-step", "0", "--final-iterations", "20"]
      #expect(try recon("sequential", plain).status == .exited(0))
      let spread = folder.file("foam.h5")
      let outcome = try Command.run(
        "simulate", spread, "--rows", "\(Self.rows)", "--columns", "\(Self.columns)", "--order", "golden",
        "--line-integrals", "--quiet")
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      // Noise depends on the number of the projection, so this one has none.
      #expect(try recon("golden", plain).status == .exited(0))
      let distance = try slice("golden").withUnsafeBufferPointer { golden in
        try slice("sequential").withUnsafeBufferPointer {
          relativeL2(golden, reference: $0, columns: Self.columns, radiusFraction: 0.42)
        }
      }
      #expect(distance < 0.2, "\(distance)")
    }

    @Test func `An order survives kills and power cuts`() throws {
      let options = ["--order", "bit-reversal", "--window-length", "12", "--final-iterations", "3"]
      let reference = try recon("reference", options).result()
      let killed = try recon(
        "killed", faults: "acquire=committed:30,payload-half:20;reconstruct.0=flip-before:40", options
      ).result()
      #expect(killed.volumeSHA256 == reference.volumeSHA256 && killed.restarts["acquire"] == 2)
      let command = try Command(
        [
          "recon", scan, "--algorithm", "sirt", "--output-folder", folder.file("cut"), "--run-folder",
          folder.file("cut-run"),
          "--rotation-axis", "64", "--format",
          "hdf5", "--quiet", "--json", "--rate", "40", "--lag-max", "0",
        ] + options)
      try wait("20 updates") {
        let data = FileManager.default.contents(atPath: folder.file("cut-run/status.json"))
        return try data.map { try JSONDecoder().decode(RunStatus.self, from: $0).updates >= 20 } ?? false
      }
      try command.process.signal(SIGKILL)
      #expect(try command.end().status == .killed(signal: SIGKILL))
      try RunFolder(path: folder.file("cut-run")).removeRegions(timeout: .seconds(10))
      let resumed = try Command(["resume", folder.file("cut-run"), "--quiet", "--json"]).end()
      #expect(try resumed.result().volumeSHA256 == reference.volumeSHA256, "\(resumed.errors)")
    }

    @Test func `Options that nothing would come of are refused`() throws {
      expectFailure(64, try recon("out", ["--stop-after", "30"]), "--stop-ssim")
      expectFailure(64, try recon("out", ["--stop-patience", "3"]), "--stop-ssim")
      expectFailure(64, try recon("out", ["--window-step", "0", "--stop-ssim", "0.9"]), "--window-step 0")
      expectFailure(64, try recon("out", ["--stop-ssim", "1.5"]), "0…1")
    }
  }
}
