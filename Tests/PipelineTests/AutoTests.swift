import Foundation
import Glibc
import Host
import Run
import RunModel
import ScanFiles
import TestSupport
import Testing

extension Pipeline {
  /// Final iterations by auto: a function of the projections alone.
  @Suite struct AutoTests {
    private let folder: TestFolder
    private let scan: String
    private static let (rows, columns, projections, darks, flats) = (6, 64, 60, 2, 6)

    init() throws {
      folder = try TestFolder()
      scan = folder.file("foam.h5")
      let outcome = try Command.run(
        "simulate", scan, "--rows", "\(Self.rows)", "--columns", "\(Self.columns)", "--projections",
        "\(Self.projections)", "--darks", "\(Self.darks)", "--flats", "\(Self.flats)", "--photons", "12000", "--quiet")
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
    }

    private func recon(_ name: String, _ options: [String] = [], input: String? = nil, faults: String? = nil) throws
      -> Command
    {
      try Command(
        [
          "recon", input ?? scan, "--output-folder", folder.file(name), "--run-folder", folder.file(name + "-run"),
          "--rotation-axis", "32", "--format", "hdf5", "--quiet", "--json",
        ] + options, faults: faults)
    }

    private func result(_ command: Command, at location: SourceLocation = #_sourceLocation) throws -> RunResult {
      let outcome = try command.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)", sourceLocation: location)
      return try outcome.result()
    }

    private func log(_ name: String, _ worker: Int) throws -> String {
      try String(contentsOfFile: folder.file(name + "-run/log/reconstruct.\(worker).jsonl"), encoding: .utf8)
    }

    private static let auto = ["--final", "auto"]

    @Test func `The volume is the same whatever workers, threads, windows and the speed were`() throws {
      let reference = try result(recon("reference", Self.auto + ["--workers", "1", "--threads", "1"]))
      let others: [[String]] = [
        ["--workers", "1", "--threads", "3"], ["--workers", "2", "--threads", "1"], ["--workers", "3"],
        ["--window-step", "0"], ["--window-length", "12", "--window-step", "5"], ["--algorithm", "mlem"],
        ["--rate", "400"], ["--rate", "60", "--workers", "2"], ["--durability", "memory"],
      ]
      for (number, options) in others.enumerated() {
        let result = try result(recon("\(number)", Self.auto + options))
        #expect(result.volumeSHA256 == reference.volumeSHA256 && result.fit == reference.fit, "\(options)")
      }
    }

    @Test func `Precision is what was asked for, and fixed point where nothing was`() throws {
      let fixed = try result(recon("fixed", Self.auto + ["--precision", "fixed"]))
      let auto = try result(recon("auto", Self.auto)), float = try result(recon("float", ["--precision", "float"]))
      #expect(auto.volumeSHA256 == fixed.volumeSHA256 && auto.volumeSHA256 != float.volumeSHA256)
      #expect(auto.fit?.precision == "fixed" && float.fit?.precision == "float" && float.fit?.floatSlices == 0)
      #expect(auto.fit?.floatSlices == 0 && auto.fit?.outgrownProjections == fixed.fit?.outgrownProjections)
    }

    @Test func `What a detector sends gives the volume that the file gives`() throws {
      let reference = try result(recon("reference", Self.auto))
      let port = try freePort()
      let sender = try Command([
        "simulate", "--stream", "zmq+push://127.0.0.1:\(port)", "--scan", scan, "--rate", "200", "--json",
      ])
      let live = try result(
        recon(
          "live",
          Self.auto + [
            "--shape", "\(Self.rows),\(Self.columns)", "--projections", "\(Self.projections)", "--darks",
            "\(Self.darks)", "--flats", "\(Self.flats)",
          ], input: "zmq+pull://127.0.0.1:\(port)"))
      #expect(live.volumeSHA256 == reference.volumeSHA256)
      #expect(try sender.end().status == .exited(0))
    }

    @Test(arguments: [["--durability", "durable"], ["--durability", "memory"]])
    func `Workers that die between subsets leave the same volume, and go on behind what they saved`(options: [String])
      throws
    {
      let options = Self.auto + options + ["--window-step", "10", "--workers", "2"]
      let reference = try result(recon("reference", options))
      // The first subset of each life is saved, whatever the time that takes.
      let killed = try result(
        recon(
          "killed", options,
          faults: "reconstruct.0=subset-saved:1,subset-half:1,subset-saved:1,block-swept:1;"
            + "reconstruct.1=subset-half:1,subset-saved:1"))
      #expect(killed.volumeSHA256 == reference.volumeSHA256 && killed.fit == reference.fit)
      #expect(killed.updates == reference.updates && killed.lost == 0)
      #expect(killed.restarts["reconstruct.0"] == 4 && killed.restarts["reconstruct.1"] == 2)
      // What was saved half is not gone on with; what was swept is not computed again.
      #expect(try stepsGoneOnWith("killed", 0) == [1, 1, 2] && stepsGoneOnWith("killed", 1) == [1])
    }

    /// The subsets behind which a worker's successors went on.
    private func stepsGoneOnWith(_ name: String, _ worker: Int) throws -> [Int] {
      try log(name, worker).matches(of: /going on behind subset ([0-9]+) of 70 of block 0/).compactMap { Int($0.1) }
    }

    @Test func `A saved subset that somebody wrote over is not gone on with`() throws {
      let options = Self.auto + ["--window-step", "10", "--workers", "1"]
      let reference = try result(recon("reference", options))
      let command = try recon("out", options, faults: "reconstruct.0=subset-saved:1,subset-saved:1:pause")
      try wait("a second subset that is saved") { try command.errorsSoFar().contains("paused at subset-saved") }
      var status: RunStatus?
      try wait("the second worker's number") {
        let data = FileManager.default.contents(atPath: folder.file("out-run/status.json"))
        status = try data.map { try JSONDecoder().decode(RunStatus.self, from: $0) }
        return status?.stages.first { $0.name == "reconstruct.0" }?.restarts == 1
      }
      let found = try #require(status)
      try command.process.signal(SIGSTOP)
      try #require(kill(try #require(found.stages.first { $0.name == "reconstruct.0" }).pid, SIGKILL) == 0)
      usleep(50_000)
      let name = try #require(try regions(of: found.run).first { $0.hasSuffix("/solver.0") })
      let region = try SharedRegion.attach(name: name)
      // The second slot, behind which are the checksums only.
      let slot = 4096 + (region.byteCount - 8192) / 2
      (region.base + slot + 8192).assumingMemoryBound(to: Float.self).update(repeating: 0.5, count: 64)
      try command.process.signal(SIGCONT)
      let outcome = try command.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      #expect(try outcome.result().volumeSHA256 == reference.volumeSHA256)
      #expect(try log("out", 0).contains("a saved subset of the final iterations is not what was written there"))
      #expect(try stepsGoneOnWith("out", 0) == [1, 1])
    }

    @Test func `The result says how well the volume fits, in every place`() throws {
      let outcome = try Command.run(
        "recon", scan, "--output-folder", folder.file("out"), "--rotation-axis", "32", "--final", "auto", "--json")
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let fit = try #require(try outcome.result().fit)
      #expect(fit.noise > 0.005 && fit.noise < 0.05 && fit.weight > 0 && fit.scale > 0, "\(fit)")
      let ratio = try #require(fit.residualOverNoise), worst = try #require(fit.residualOverNoiseWorst)
      // The voxels of 64 columns are coarser than this noise.
      #expect(ratio > 0.8 && ratio < 2 && worst >= ratio, "\(fit)")
      #expect(outcome.errors.contains(fit.words) && (fit.warning != nil) == (ratio > 1.15), "\(outcome.errors)")
      let slice = try #require(fit.worstRow)
      let tiff = try Data(contentsOf: URL(filePath: folder.file("out/recon_0000\(slice).tiff")))
      #expect(String(decoding: tiff, as: UTF8.self).contains("residual over noise \(worst)"))
      let volume = try Data(contentsOf: URL(filePath: folder.file("out/foam_rec.h5")))
      let text = String(decoding: volume, as: UTF8.self)
      for name in ["line_integral_noise", "penalty_weight", "attenuation_scale", "residual_over_noise_worst_slice"] {
        #expect(text.contains(name), "\(name)")
      }
    }

    @Test func `A wrong axis is warned of`() throws {
      let outcome = try Command.run(
        "recon", scan, "--output-folder", folder.file("out"), "--rotation-axis", "34", "--final", "auto", "--json",
        "--format", "hdf5")
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let warning = try #require(try outcome.result().fit?.warning)
      #expect(warning.contains("--rotation-axis") && outcome.errors.contains(warning), "\(outcome.errors)")
    }

    /// Line integrals of a disc, of which one is wrong by far.
    @Test func `A slice with an outlier is projected in float, and everyone is told`() throws {
      let path = folder.file("outlier.h5"), (rows, columns, count) = (2, 32, 40)
      let writer = try DXchangeWriter(
        path: path, projectionCount: count, rows: rows, columns: columns, pixel: .float32, flatCount: 0, darkCount: 0,
        thetasDegrees: (0..<count).map { Double($0) * 180 / Double(count) })
      var random = SplitMix64(seed: 9)
      for index in 0..<count {
        var lines = (0..<rows * columns).map { place -> Float in
          let x = Float(place % columns) - 15.5
          return 0.1 * max(0, 144 - x * x).squareRoot() + Float.random(in: -1e-3...1e-3, using: &random)
        }
        if index == 17 { lines[columns + 20] = 1e5 }
        try lines.withUnsafeBytes { try writer.writeProjection(index, $0) }
      }
      try writer.finish()
      let outcome = try Command.run(
        "recon", path, "--output-folder", folder.file("out"), "--rotation-axis", "16", "--json", "--format", "hdf5")
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let fit = try #require(try outcome.result().fit)
      #expect(fit.floatSlices == 1 && fit.precision == "mixed", "\(fit)")
      #expect(outcome.errors.contains("1 slice was projected in float"), "\(outcome.errors)")
      let volume = try Data(contentsOf: URL(filePath: folder.file("out/outlier_rec.h5")))
      let text = String(decoding: volume, as: UTF8.self)
      #expect(text.contains("projection_precision") && text.contains("mixed") && text.contains("slices_in_float"))
    }

    private static let others: [(options: [String], fragment: String)] = [
      (["--algorithm", "sirt", "--preset", "fast"], "--preset fast goes with --algorithm auto or --final auto"),
      (["--algorithm", "sirt", "--precision", "fixed"], "--precision fixed goes with"),
      (["--algorithm", "mlem", "--weight", "0.5x"], "--weight 0.5x goes with"),
      (["--final", "auto", "--final-iterations", "0"], "--final auto is the method of final iterations"),
      (["--final", "auto", "--initial", "fbp"], "--initial fbp goes with an algorithm that is named"),
      (["--final", "auto", "--filter", "hann"], "--filter hann goes with"),
      (["--final", "auto", "--reg", "5"], "--reg 5.0 goes with"),
      (["--final", "auto", "--weight", "0"], "--weight"), (["--final", "auto", "--padding", "-1"], "--padding"),
      (["--final", "auto", "--inner-steps", "9"], "--inner-steps 9 is outside 1…8"),
    ]

    @Test(arguments: others.map(\.options)) func `Options that the method does not have are refused`(options: [String])
      throws
    {
      let fragment = try #require(Self.others.first { $0.options == options }?.fragment)
      let outcome = try recon("out", options).end()
      #expect(outcome.status == .exited(64) && outcome.errors.contains(fragment), "\(outcome.errors)")
      #expect(!FileManager.default.fileExists(atPath: folder.file("out")))
    }
  }
}
