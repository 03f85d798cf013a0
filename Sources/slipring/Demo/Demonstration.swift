import Foundation
import Host
import Run
import ScanFiles
import ScanPlan
import Simulation
import Stages
import Tomography

/// Simulates a noisy scan of a foam, reconstructs it through the whole pipeline, and looks at the result.
struct Demonstration {
  private let folder: String
  private let signals: SignalDescriptor

  /// What it leaves behind.
  struct DemonstrationOutcome: Sendable {
    /// Of the reconstruction.
    let result: RunResult
    /// Three orthogonal cuts, the residuals, and the facts of the run: an SVG file.
    let picture: String
    /// Of the middle slice against the foam, inside r < 0.475 N, in decibels.
    let psnr: Double
  }

  private static let (rows, columns, projections) = (64, 256, 180)
  private static let seed: UInt64 = 1
  private static let (thetaRange, photons) = (180.0, 20_000.0)
  /// Where the axis is put: off the middle, as on a real instrument.
  private static let rotationAxis = 130.5

  /// Everything goes into `folder`.
  init(folder: String, signals: SignalDescriptor) {
    self.folder = folder
    self.signals = signals
  }

  /// Runs it. `simulated` hears of every simulated projection.
  func run(
    command: [String], executable: String, monitor: any RunMonitor, notice: (String) -> Void,
    simulated: (Int, Int) -> Void
  ) throws -> DemonstrationOutcome? {
    try RunFolder.makeFolder(folder, for: .usual)
    let scanPath = folder + "/foam.h5"
    let foam = Foam(rows: Self.rows, columns: Self.columns, seed: Self.seed, voidValue: 0)
    let simulation = Simulation(
      sample: .phantom(foam), rows: Self.rows, columns: Self.columns,
      thetas: Simulation.evenThetas(count: Self.projections, range: Self.thetaRange),
      rotationAxis: Self.rotationAxis,
      signal: .counts(photons: Self.photons, darkLevel: 100, flats: 10, darks: 10, seed: Self.seed))
    try Simulator(simulation).write(to: scanPath) { count in
      try signals.stopOnSignal()
      simulated(count, Self.projections)
    }
    var scan = ScanDescription(input: scanPath, outputFolder: folder)
    scan.rotationAxis = .pixels(Self.rotationAxis)
    scan.diskMask = .yes
    // As with a page: the picture shows what happens while the scan runs, too.
    scan.watch()
    // A demonstration that is repeated replaces its own result.
    let outcome = try Reconstruction(scan, command: command, signals: signals, overwrites: true)
      .run(executable: executable, monitor: monitor, notice: notice)
    if let failure = outcome.failure { throw failure }
    guard let report = outcome.report else { return nil }
    let volume = try VolumeReader(path: folder + "/foam_rec.h5")
    let psnr = try quality(of: volume, foam)
    let figure = DemoFigure(
      cuts: try OrthogonalCuts(volume),
      residuals: ResidualChart(window: report.windowResiduals, final: report.finalResiduals),
      facts: facts(of: outcome.result, report, psnr: psnr))
    let picture = folder + "/demo.svg"
    try writeFileAtomically(path: picture, text: figure.draw().document)
    return DemonstrationOutcome(result: outcome.result, picture: picture, psnr: psnr)
  }

  /// What the picture says in words.
  private func facts(of result: RunResult, _ report: ExportReport, psnr: Double) -> [(name: String, value: String)] {
    [
      ("projections", "\(result.projections) of \(Self.rows) × \(Self.columns) pixels, over \(Int(Self.thetaRange))°"),
      ("noise", "\(Int(Self.photons)) photons a pixel"),
      ("volume", "\(Self.rows) slices of \(Self.columns) × \(Self.columns) voxels"),
      (
        "updates",
        "\(report.windowResiduals.count) while it was scanned, then \(report.finalResiduals.count) final sweeps"
      ),
      (
        "residual",
        report.finalResiduals.last.map { String(format: "%.2f %% before the last sweep", 100 * $0) } ?? "none"
      ),
      ("time", String(format: "%.1f s, %.0f projections a second", result.seconds, result.projectionsPerSecond)),
      ("PSNR", String(format: "%.1f dB, slice z = \(Self.rows / 2) against the true foam", psnr)),
    ]
  }

  private func quality(of volume: VolumeReader, _ foam: Foam) throws -> Double {
    let pixels = Self.columns * Self.columns
    var (slice, truth) = ([Float](repeating: 0, count: pixels), [Float](repeating: 0, count: pixels))
    try slice.withUnsafeMutableBufferPointer { try volume.readSlice(Self.rows / 2, into: $0) }
    truth.withUnsafeMutableBufferPointer {
      foam.slice(row: Self.rows / 2, columns: Self.columns, supersampling: 8, into: $0)
    }
    return slice.withUnsafeBufferPointer { slice in
      truth.withUnsafeBufferPointer { psnr(slice, reference: $0, columns: Self.columns, radiusFraction: 0.475) }
    }
  }
}
