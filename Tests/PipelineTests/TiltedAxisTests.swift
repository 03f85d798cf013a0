import Foundation
import Glibc
import Host
import Run
import ScanFiles
import TestSupport
import Testing

extension Pipeline {
  /// An axis that is tilted in the plane of the detector meets each row elsewhere.
  @Suite struct TiltedAxisTests {
    private static let (rows, columns, projections, degrees) = (32, 64, 90, 1.0)
    /// Position and radius in pixels, attenuation in 1/pixel: cylinders along the axis.
    private static let disks: [(x: Double, y: Double, radius: Double, value: Double)] = [
      (0, 0, 22, 0.01), (8, -5, 6, 0.02), (-9, 7, 4, -0.008), (3, 12, 3, 0.03),
    ]
    private let folder: TestFolder
    private let scan: String

    init() throws {
      folder = try TestFolder()
      scan = folder.file("tilted.h5")
      try write(scan)
    }

    /// Counts of 100 without beam and 20,000 with it; the axis crosses the middle row at 31.3.
    private func write(_ path: String, degrees: Double = degrees) throws {
      let thetas = (0..<Self.projections).map { Double($0) * 180 / Double(Self.projections) }
      let writer = try DXchangeWriter(
        path: path, projectionCount: Self.projections, rows: Self.rows, columns: Self.columns, pixel: .uint16,
        flatCount: 2, darkCount: 2, thetasDegrees: thetas)
      func field(_ value: UInt16) -> [UInt16] { Array(repeating: value, count: Self.rows * Self.columns) }
      for index in 0..<2 {
        try field(100).withUnsafeBytes { try writer.writeDark(index, $0) }
        try field(20_100).withUnsafeBytes { try writer.writeFlat(index, $0) }
      }
      let tilt = degrees * .pi / 180, samples = 4
      for (index, theta) in thetas.map({ $0 * .pi / 180 }).enumerated() {
        let places = Self.disks.map { ($0.x * cos(theta) - $0.y * sin(theta), $0.radius * $0.radius, $0.value) }
        let counts = (0..<Self.rows).flatMap { row in
          (0..<Self.columns).map { column -> UInt16 in
            let offset = (Double(row) + 0.5 - 0.5 * Double(Self.rows)) * sin(tilt)
            let integral = (0..<samples).reduce(0.0) { sum, sample in
              let u = Double(column) + (Double(sample) + 0.5) / Double(samples) - 31.3
              let s = u * cos(tilt) - offset
              return sum
                + places.reduce(0.0) {
                  $0 + 2 * $1.2 * max(0, $1.1 - (s - $1.0) * (s - $1.0)).squareRoot()
                } / Double(samples)
            }
            return UInt16((100 + 20_000 * exp(-integral)).rounded())
          }
        }
        try counts.withUnsafeBytes { try writer.writeProjection(index, $0) }
      }
      try writer.finish()
    }

    private func run(_ name: String, _ options: [String], faults: String? = nil) throws -> RunResult {
      let outcome = try Command(
        ["recon", scan, "--output-folder", folder.file(name), "--format", "hdf5", "--quiet", "--json"] + options,
        faults: faults
      ).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      return try outcome.result()
    }

    /// ‖slice − truth‖ / ‖truth‖ of each slice inside 0.42 of the columns.
    private func distances(_ name: String) throws -> [Double] {
      let volume = try VolumeReader(path: folder.file("\(name)/tilted_rec.h5")), columns = volume.columns, samples = 8
      var slice = [Float](repeating: 0, count: columns * columns)
      let middle = 0.5 * Double(columns - 1),
        inside = slice.indices.filter {
          hypot(Double($0 % columns) - middle, Double($0 / columns) - middle) < 0.42 * Double(columns)
        }
      let truth = inside.map { pixel in
        (0..<samples * samples).reduce(0.0) { sum, sample in
          let x = Double(pixel % columns) - middle + (Double(sample % samples) + 0.5) / Double(samples) - 0.5
          let y = Double(pixel / columns) - middle + (Double(sample / samples) + 0.5) / Double(samples) - 0.5
          return sum + Self.disks.reduce(0.0) { $0 + (hypot(x - $1.x, y - $1.y) < $1.radius ? $1.value : 0) } / 64
        }
      }
      return try (0..<volume.slices).map { row in
        try slice.withUnsafeMutableBufferPointer { try volume.readSlice(row, into: $0) }
        let squares = zip(inside, truth).reduce(0.0) { $0 + pow(Double(slice[$1.0]) - $1.1, 2) }
        return (squares / truth.reduce(0.0) { $0 + $1 * $1 }).squareRoot()
      }
    }

    @Test(arguments: [[], ["--algorithm", "sirt"], ["--algorithm", "fbp", "--window-step", "10"]])
    func `Each slice has its own axis, by any workers and through deaths`(options: [String]) throws {
      let given = options + ["--rotation-axis", "31.3", "--axis-tilt", "1"]
      let one = try run("one", given + ["--workers", "1"])
      let first = options.contains("sirt") ? "flip-before" : "block-swept"
      let two = try run(
        "two", given + ["--workers", "2"], faults: "reconstruct.0=\(first):1;reconstruct.1=block-swept:2")
      #expect(one.volumeSHA256 == two.volumeSHA256 && two.restarts.values.reduce(0, +) == 2)
      #expect(one.axisTilt == 1 && one.rotationAxis == 31.3)
      #expect(one.memory.values.allSatisfy { $0.peakBytes ?? 0 <= $0.estimateBytes }, "\(one.memory)")
      let tilted = try distances("one"), worst = try #require(tilted.max())
      #expect(worst < (options.contains("fbp") ? 0.072 : 0.07), "\(options): \(tilted)")
      if options.contains("fbp") {
        _ = try run("upright", options + ["--rotation-axis", "31.3"])
        #expect(try #require(try distances("upright").max()) > 1.2 * worst)
      }
    }

    @Test(arguments: ["sirt", "fbp"]) func `The largest tilt is one to the left as well`(algorithm: String) throws {
      try write(scan, degrees: -5)
      let options = ["--algorithm", algorithm, "--window-step", "0", "--rotation-axis", "31.3", "--axis-tilt", "-5"]
      let final = algorithm == "sirt" ? ["--final-iterations", "200"] : []
      #expect(try run("left", options + final).axisTilt == -5)
      // Cylinders that stand askew are ellipses in the detector's rows.
      let distances = try distances("left")
      #expect(try #require(distances.max()) < 0.077, "\(distances)")
    }

    @Test func `The tilt is found, kept and told`() throws {
      let options = ["--algorithm", "fbp", "--window-step", "0"]
      let found = try run("found", options + ["--axis-tilt", "auto"])
      #expect(abs(found.axisTilt - Self.degrees) < 0.3 && abs(found.rotationAxis - 31.3) < 0.15, "\(found.axisTilt)")
      let yaml = try String(contentsOfFile: folder.file("found/scan.yaml"), encoding: .utf8)
      #expect(yaml.contains("axis-tilt: \(found.axisTilt)\n"), "\(yaml)")
      let again = try run(
        "again", options + ["--axis-tilt", "\(found.axisTilt)", "--rotation-axis", "\(found.rotationAxis)"])
      #expect(again.volumeSHA256 == found.volumeSHA256)
      #expect(try #require(try distances("found").max()) < 0.08)
    }

    @Test func `Some rows, binned ones too, have the axis that they have among all`() throws {
      let options = ["--algorithm", "fbp", "--window-step", "0", "--rotation-axis", "31.3", "--axis-tilt", "1"]
      _ = try run("rows", options + ["--start-row", "24", "--end-row", "32"])
      let part = try distances("rows")
      #expect(part.count == 8 && part.allSatisfy { $0 < 0.072 }, "\(part)")
      let binned = try run("binned", options + ["--start-row", "16", "--binning", "1"])
      #expect(binned.rotationAxis == 31.3 && binned.axisTilt == 1)
    }

    @Test func `A tilt that takes the axis out of the detector is refused`() throws {
      let outcome = try Command.run(
        "recon", scan, "--output-folder", folder.file("out"), "--rotation-axis", "0.5", "--axis-tilt", "5")
      expectFailure(65, outcome, "takes the rotation axis out of the detector")
    }
  }
}
