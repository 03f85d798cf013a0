import Host
import Testing

@testable import Tomography

@Suite struct WindowSmoothingTests {
  private static let (columns, rows) = (48, 19)
  private static let thetas = (0..<4).map { Double($0) * 0.7 }

  /// Noise on a bright square, as volume and as line integrals; all of it times `unit`.
  private func noisy(lanes: Int? = nil, unit: Float = 1) -> Scan {
    let scan = Scan(columns: Self.columns, rows: Self.rows, lanes: lanes, thetas: Self.thetas)
    var random = SplitMix64(seed: 3)
    for row in 0..<Self.rows {
      scan.set(
        slice: (0..<Self.columns * Self.columns).map { pixel in
          let isInside = (12..<36).contains(pixel % Self.columns) && (12..<36).contains(pixel / Self.columns)
          return unit * ((isInside ? 1 : 0) + Float(row + 1) * 0.01 * Float.random(in: -1...1, using: &random))
        }, row: row)
    }
    for slot in Self.thetas.indices {
      scan.set(
        projection: (0..<Self.rows * Self.columns).map { place in
          unit * (10 + Float(place / Self.columns + 1) * 0.1 * Float.random(in: -1...1, using: &random))
        }, slot: slot)
    }
    return scan
  }

  private func smoothed(
    _ scan: Scan, _ options: SIRTOptions = SIRTOptions(), level: Int? = nil, executor: some Executor = SerialExecutor()
  ) throws -> [[Float]] {
    let smoothing = try #require(
      Method.sirt(options).smoothing(layout: scan.layout, threads: executor.width, level: level))
    smoothing.apply(
      scan.volume.start, sinogram: scan.sinogram.start, slots: Self.thetas.count, angles: scan.angles, seen: 50,
      spread: AngularSpread(count: 2, reach: 45), executor: executor)
    return (0..<Self.rows).map { scan.slice($0) }
  }

  private func variation(_ slice: [Float]) -> Float {
    zip(slice, slice.dropFirst()).reduce(0) { $0 + abs($1.1 - $1.0) }
  }

  @Test func `Noise becomes less, and the mean of a slice stays`() throws {
    let before = (0..<Self.rows).map { noisy().slice($0) }, after = try smoothed(noisy())
    for (old, new) in zip(before, after) {
      #expect(variation(new) < variation(old))
      let means = (old.reduce(0, +) / Float(old.count), new.reduce(0, +) / Float(new.count))
      #expect(abs(means.0 - means.1) < 1e-4)
    }
  }

  @Test func `A slice is smoothed alike beside any others, by any threads, at any level`() throws {
    let reference = try smoothed(noisy())
    for lanes in [2, 4, 16, 32] { #expect(try smoothed(noisy(lanes: lanes)) == reference, "\(lanes) lanes") }
    #expect(try smoothed(noisy(), executor: ThreadExecutor(width: 3)) == reference)
  }

  @Test func `Data and volume in another unit are smoothed alike`() throws {
    #expect(try smoothed(noisy(unit: 1024)) == smoothed(noisy()).map { $0.map { 1024 * $0 } })
  }

  @Test func `Voxels outside the mask stay zero, and none is negative where that is not wanted`() throws {
    let scan = noisy(), mask = DiskMask(columns: Self.columns, isDisk: true)
    let outside = { (pixel: Int) in !mask.contains(column: pixel % Self.columns, row: pixel / Self.columns) }
    for row in 0..<Self.rows {
      scan.set(slice: scan.slice(row).enumerated().map { outside($0) ? 0 : $1 }, row: row)
    }
    for slice in try smoothed(scan, SIRTOptions(nonNegative: true, diskMask: true)) {
      #expect(slice.indices.allSatisfy { !outside($0) || slice[$0] == 0 } && slice.allSatisfy { $0 >= 0 })
    }
  }

  @Test func `A slice without a scale, or without noise, is left as it is`() throws {
    let scan = Scan(columns: Self.columns, rows: Self.rows, thetas: Self.thetas)
    #expect(try smoothed(scan).allSatisfy { $0.allSatisfy { $0 == 0 } })
    #expect(WindowSmoothing.weight(noise: 0, scale: 1, columns: 64, seen: 30, projectionsPerHalfTurn: 90) == 0)
    #expect(WindowSmoothing.weight(noise: 1, scale: -1, columns: 64, seen: 30, projectionsPerHalfTurn: 90) == 0)
  }

  @Test func `The weight is that of the rule, and every twelfth update is followed by a smoothing`() {
    let weight = WindowSmoothing.weight(noise: 0.5, scale: 1, columns: 128, seen: 200, projectionsPerHalfTurn: 180)
    #expect(abs(weight - 6 * 8.4e-4 * 0.6155722) < 1e-7)
    #expect((0..<26).filter(WindowSmoothing.Schedule.standard.isDue(after:)) == [11, 23])
  }
}
