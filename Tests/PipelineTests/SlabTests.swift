import Foundation
import Host
import Run
import ScanFiles
import TestSupport
import Testing

extension Pipeline {
  /// Final iterations that penalise slices together with their neighbours: a function of the projections alone, too.
  @Suite struct SlabTests {
    private let folder: TestFolder
    private let scan: String
    /// Three slabs.
    private static let (rows, columns, projections) = (136, 24, 24)

    init() throws {
      folder = try TestFolder()
      scan = folder.file("foam.h5")
      let outcome = try Command.run(
        "simulate", scan, "--rows", "\(Self.rows)", "--columns", "\(Self.columns)", "--projections",
        "\(Self.projections)", "--darks", "2", "--flats", "4", "--photons", "3000", "--quiet")
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
    }

    private func result(
      _ name: String, _ options: [String], dimensions: Int = 3, of other: String? = nil, faults: String? = nil
    ) throws -> RunResult {
      let outcome = try Command(
        [
          "recon", other ?? scan, "--output-folder", folder.file(name), "--run-folder", folder.file(name + "-run"),
          "--rotation-axis", "12", "--format", "hdf5", "--quiet", "--json", "--tv-dimensions", "\(dimensions)",
        ] + options, faults: faults
      ).end()
      #expect(outcome.status == .exited(0), "\(name): \(outcome.errors)")
      return try outcome.result()
    }

    private func log(_ name: String, _ worker: Int) throws -> String {
      try String(contentsOfFile: folder.file(name + "-run/log/reconstruct.\(worker).jsonl"), encoding: .utf8)
    }

    @Test func `The volume is the same whatever workers, threads and deaths there were`() throws {
      let reference = try result("reference", ["--workers", "1", "--threads", "1"])
      let alone = try result("alone", ["--workers", "1"], dimensions: 2)
      #expect(alone.volumeSHA256 != reference.volumeSHA256 && alone.clampedPixels == reference.clampedPixels)
      for (name, options) in [
        ("threads", ["--workers", "1", "--threads", "3"]), ("two", ["--workers", "2", "--window-step", "8"]),
        ("three", ["--workers", "3", "--durability", "memory"]), ("more", ["--workers", "9", "--threads", "1"]),
      ] {
        let other = try result(name, options)
        #expect(other.volumeSHA256 == reference.volumeSHA256 && other.fit == reference.fit, "\(name)")
        #expect(other.clampedPixels == reference.clampedPixels && other.deadPixels == reference.deadPixels, "\(name)")
      }
      // The first subset of each life is saved, whatever the time that takes.
      let killed = try result(
        "killed", ["--workers", "2"],
        faults: "reconstruct.0=subset-saved:1,subset-half:1,block-swept:1,subset-saved:1;reconstruct.1=subset-saved:1")
      #expect(killed.volumeSHA256 == reference.volumeSHA256 && killed.fit == reference.fit && killed.lost == 0)
      #expect(killed.clampedPixels == reference.clampedPixels)
      #expect(killed.restarts["reconstruct.0"] == 4 && killed.restarts["reconstruct.1"] == 1)
      #expect(try log("killed", 0).contains("going on behind subset 1 of"))
      #expect(try log("killed", 1).contains("going on behind subset 1 of"))
    }

    @Test func `A row more than a slab has is a slab of its own`() throws {
      let rows = 65, scan = folder.file("more.h5")
      let made = try Command.run(
        "simulate", scan, "--rows", "\(rows)", "--columns", "\(Self.columns)", "--projections", "\(Self.projections)",
        "--darks", "2", "--flats", "4", "--photons", "3000", "--quiet")
      try #require(made.status == .exited(0), "\(made.errors)")
      let reference = try result("reference", ["--workers", "1", "--threads", "1"], of: scan)
      let two = try result("two", ["--workers", "2"], of: scan, faults: "reconstruct.1=subset-saved:1")
      #expect(two.volumeSHA256 == reference.volumeSHA256 && two.fit == reference.fit && reference.fit != nil)
      // Every row has the matter that it has alone, the last one too.
      _ = try result("alone", ["--workers", "1"], dimensions: 2, of: scan)
      let matter = try ["reference", "alone"].map { name in
        let volume = try VolumeReader(path: folder.file("\(name)/more_rec.h5"))
        #expect(volume.slices == rows)
        return try (0..<rows).map { row in
          var slice = [Float](repeating: 0, count: Self.columns * Self.columns)
          try slice.withUnsafeMutableBufferPointer { try volume.readSlice(row, into: $0) }
          return slice.reduce(0, +)
        }
      }
      #expect(zip(matter[0], matter[1]).allSatisfy { abs($0 / $1 - 1) < 0.01 }, "\(matter)")
    }
  }
}
