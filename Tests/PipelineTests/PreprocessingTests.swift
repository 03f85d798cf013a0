import Foundation
import Glibc
import Host
import Run
import ScanFiles
import Simulation
import TestSupport
import Testing

extension Pipeline {
  /// What is done to counts and sinograms before they are reconstructed.
  @Suite struct PreprocessingTests {
    private static let (rows, columns, projections) = (6, 96, 80)
    private let folder: TestFolder

    init() throws { folder = try TestFolder() }

    /// A scan of a foam without noise. `spoil` changes the transmission of a pixel (projection, row, column), in
    /// projections only.
    private func makeScan(
      _ name: String, spoil: (Int, Int, Int) -> Float? = { _, _, _ in nil }, times factor: (Int) -> Float = { _ in 1 }
    )
      throws
    {
      let foam = Foam(rows: Self.rows, columns: Self.columns, seed: 1)
      let thetas = (0..<Self.projections).map { Double($0) * 180 / Double(Self.projections) }
      let writer = try DXchangeWriter(
        path: folder.file(name), projectionCount: Self.projections, rows: Self.rows, columns: Self.columns,
        pixel: .float32, flatCount: 2,
        darkCount: 1, thetasDegrees: thetas)
      func image(_ value: (Int, Int) -> Float) -> [Float] {
        (0..<Self.rows * Self.columns).map { 100 + 5000 * value($0 / Self.columns, $0 % Self.columns) }
      }
      try image { _, _ in 0 }.withUnsafeBytes { try writer.writeDark(0, $0) }
      for flat in 0..<2 { try image { _, _ in 1 }.withUnsafeBytes { try writer.writeFlat(flat, $0) } }
      var lines = [Float](repeating: 0, count: Self.columns)
      for (index, theta) in thetas.enumerated() {
        let transmissions = (0..<Self.rows).flatMap { row in
          lines.withUnsafeMutableBufferPointer {
            foam.lineIntegrals(
              row: row, theta: theta * .pi / 180, columns: Self.columns, rotationAxis: Double(Self.columns) / 2,
              into: $0)
          }
          return lines.enumerated().map { spoil(index, row, $0) ?? exp(-$1) * factor($0) }
        }
        try image { transmissions[$0 * Self.columns + $1] }.withUnsafeBytes { try writer.writeProjection(index, $0) }
      }
      try writer.finish()
    }

    private func reconstruct(_ scan: String, _ name: String, _ options: [String], faults: String? = nil) throws
      -> RunResult
    {
      let outcome = try Command(
        [
          "recon", folder.file(scan), "--algorithm", "sirt", "--output-folder", folder.file(name), "--rotation-axis",
          "48", "--quiet",
          "--json",
        ] + options,
        faults: faults
      ).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result()
      #expect(try regions(of: result.run).isEmpty)
      #expect(
        result.lost == 0 && result.lostFields == 0 && result.duplicates == 0 && result.projections == Self.projections)
      return result
    }

    /// ‖volume − truth‖ / ‖truth‖, inside the sample.
    private func distance(_ name: String, from reference: String) throws -> Double {
      func slices(_ name: String) throws -> [Float] {
        let file = try #require(
          try FileManager.default.contentsOfDirectory(atPath: folder.file(name)).first { $0.hasSuffix("_rec.h5") })
        let volume = try VolumeReader(path: folder.file(name) + "/" + file)
        return try (0..<Self.rows).flatMap { row in
          var slice = [Float](repeating: 0, count: Self.columns * Self.columns)
          try slice.withUnsafeMutableBufferPointer { try volume.readSlice(row, into: $0) }
          return slice
        }
      }
      let (volume, truth) = (try slices(name), try slices(reference))
      let squares = zip(volume, truth).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
      return (squares / truth.reduce(0.0) { $0 + Double($1 * $1) }).squareRoot()
    }

    @Test func `Zingers leave no trace`() throws {
      try makeScan("clean.h5")
      let hits = Set((0..<300).map { ($0 * 40_503 + 17) % (Self.projections * Self.rows * Self.columns) })
      try makeScan("hit.h5", spoil: { hits.contains(($0 * Self.rows + $1) * Self.columns + $2) ? 3 : nil })
      let method = ["--algorithm", "fbp", "--window-step", "0"]
      for (scan, name, options) in [
        ("clean.h5", "clean", []), ("hit.h5", "hit", []), ("hit.h5", "mended", ["--zingers", "0.5"]),
      ] as [(String, String, [String])] {
        _ = try reconstruct(scan, name, method + options)
      }
      let (before, after) = (try distance("hit", from: "clean"), try distance("mended", from: "clean"))
      #expect(after < before / 10, "\(before) → \(after)")
    }

    @Test func `Stripes leave fewer rings`() throws {
      try makeScan("clean.h5")
      let stripes: [Int: Float] = [30: 0.8, 41: 1.2, 60: 0.85, 61: 0.85]
      try makeScan("striped.h5", times: { stripes[$0] ?? 1 })
      let method = ["--algorithm", "fbp", "--window-step", "0"]
      for (scan, name, options) in [
        ("clean.h5", "clean", []), ("striped.h5", "striped", []), ("striped.h5", "mended", ["--stripe-removal", "vo"]),
      ] as [(String, String, [String])] {
        _ = try reconstruct(scan, name, method + options)
      }
      let (before, after) = (try distance("striped", from: "clean"), try distance("mended", from: "clean"))
      #expect(after < before / 2, "\(before) → \(after)")
    }

    @Test(arguments: ["fbp", "auto"]) func `A scan without stripes is hardly touched by what removes them`(
      algorithm: String
    ) throws {
      // One of its disks lies around the axis: the same in every projection, as a stripe is.
      try DiskScan().write(folder.file("disks.h5"))
      let distances = try [[], ["--stripe-removal", "vo"]].map { options in
        let outcome = try Command(
          [
            "recon", folder.file("disks.h5"), "--output-folder", folder.file("out\(options.count)"),
            "--rotation-axis", "\(DiskScan.axis)", "--algorithm", algorithm, "--window-step", "0", "--quiet",
          ] + options
        ).end()
        #expect(outcome.status == .exited(0), "\(outcome.errors)")
        return try DiskScan.distance(folder.file("out\(options.count)/disks_rec.h5"))
      }
      #expect(distances[1] <= 1.1 * distances[0], "\(distances)")
    }

    @Test func `With all filters the bits depend neither on workers nor on who is killed`() throws {
      try makeScan("scan.h5")
      let options = [
        "--zingers", "0.2", "--paganin", "energy=20,distance=50,pixel=2,delta-beta=100", "--stripe-removal", "vo",
        "--window-length", "8",
        "--window-step", "4", "--final-iterations", "3",
      ]
      let reference = try reconstruct("scan.h5", "reference", options + ["--workers", "1", "--threads", "1"])
      #expect(try distance("reference", from: "reference") == 0)
      for (name, more, faults) in [
        ("workers", ["--workers", "3", "--threads", "2"], nil),
        (
          "killed", ["--workers", "2"],
          "correct=payload-written:1,claimed:40,committed:20,unreleased:83;distribute=unreleased:40;reconstruct.0=flip-after:9,block-swept:1"
        ),
        ("memory", ["--workers", "2", "--durability", "memory"], "correct=committed:50"),
      ] as [(String, [String], String?)] {
        let result = try reconstruct("scan.h5", name, options + more, faults: faults)
        #expect(result.volumeSHA256 == reference.volumeSHA256 && result.updates == reference.updates, "\(name)")
        if faults != nil { #expect((result.restarts["correct"] ?? 0) > 0) }
      }
    }

    @Test func `A machine that dies loses nothing of what was filtered`() throws {
      try makeScan("scan.h5")
      let options = ["--zingers", "0.5", "--workers", "2", "--window-length", "8", "--final-iterations", "3"]
      let reference = try reconstruct("scan.h5", "reference", options)
      let run = folder.file("killed-run")
      let command = try Command(
        [
          "recon", folder.file("scan.h5"), "--algorithm", "sirt", "--output-folder", folder.file("killed"),
          "--run-folder", run,
          "--rotation-axis", "48",
          "--quiet",
        ]
          + options + ["--rate", "20", "--lag-max", "0"])
      try wait("updates are made") {
        let data = FileManager.default.contents(atPath: run + "/status.json")
        return try data.map { try JSONDecoder().decode(RunStatus.self, from: $0).updates > 0 } ?? false
      }
      try command.process.signal(SIGKILL)
      #expect(try command.end().status == .killed(signal: SIGKILL))
      try RunFolder(path: run).removeRegions(timeout: .seconds(10))
      let resumed = try Command(["resume", run, "--quiet", "--json"]).end()
      #expect(resumed.status == .exited(0), "\(resumed.errors)")
      #expect(try resumed.result().volumeSHA256 == reference.volumeSHA256)
    }

    @Test func `Filters of counts are refused where there are none, and values that make no sense`() throws {
      try makeScan("scan.h5")
      for (options, words) in [
        (["--zingers", "0.5", "--minus-log", "no"], "works on counts"), (["--zingers", "0"], "zingers"),
        (["--paganin", "energy=20,distance=50"], "paganin"),
        (["--stripe-removal", "vo", "--final-iterations", "0"], "final-iterations"),
      ] {
        let outcome = try Command(
          ["recon", folder.file("scan.h5"), "--algorithm", "sirt", "--output-folder", folder.file("out")] + options
        )
        .end()
        #expect(outcome.status == .exited(64) && outcome.errors.contains(words), "\(outcome.errors)")
      }
    }
  }
}
