import ArgumentParser
import Benchmarks
import Foundation
import Glibc
import Host
import Run
import ScanFiles
import ScanPlan
import Simulation

/// What the methods make of the same data.
struct BenchQuality: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "quality",
    abstract: "Measures how good each method's picture is, and the processor time that it takes.",
    discussion: """
      Without a scan file, slices whose truth is known are measured with noise. PSNR and detail (1 where fine \
      structure is kept, 0 where it is eaten) are those inside the disc of 0.45 of the size. The residual is that of \
      the measured data, weighted as SIRT does. Of fbp the best filter is shown, of sirt and mlem the best number of \
      iterations; of a scan file, and with --json, all of them. Time is that of one thread for one of --slices slices \
      that are computed together.
      """)

  @Argument(help: ArgumentHelp("A scan file, to measure one of its rows.", valueName: "scan.h5")) var input: String?
  @Option(
    help: ArgumentHelp("Slices with a known truth: \(BenchQuality.names); several with commas.", valueName: "name"))
  var phantom = "foam"
  @Option(help: "Columns of the detector, and both edges of a slice.") var size = 256
  @Option(help: "Projections over half a turn.") var angles = 180
  @Option(help: "Normal noise, as a part of the largest line integral. (default: 0.01)") var noise: Double?
  @Option(help: "Photons a pixel without a sample, in place of --noise.") var photons: Double?
  @Option(help: "Error of the columns' gains, as a part of them: it makes rings.") var rings = 0.0
  @Option(help: "Pixels that the rotation axis is taken beside where it is.") var axisError = 0.0
  @Option(help: "Seed of phantom and noise.") var seed: UInt64 = 1
  @Option(help: "Slices that are computed together, each with noise of its own.") var slices = 16
  @Option(
    help: ArgumentHelp("Iterations after which sirt and mlem are looked at, with commas.", valueName: "n,n"))
  var iterations = "10,20,50,100,200"
  @Flag(help: "Cut volumes at zero.") var nonNegative = false
  @Option(help: "Detector row of the scan file. (default: the middle one)") var row: Int?
  @Option(
    name: [.customLong("rotation-axis"), .customLong("center")],
    help: ArgumentHelp("Of the scan file, in pixels from the left edge. (default: it is found)", valueName: "px"))
  var rotationAxis: Double?
  @Option(
    help: ArgumentHelp(
      "Write data, truth and every picture of the first slice into this folder, as TIFF.", valueName: "folder"))
  var pictures: String?
  @Flag(help: "Exit with status 1 where a ratio of a foam falls short of what is committed.") var check = false
  @Flag(help: "Print the report as one JSON object.") var json = false

  private static let names = KnownSlice.Kind.allCases.map(\.rawValue).joined(separator: ", ")

  func run() throws {
    // Before any thread, so that every thread leaves the signals to the descriptor.
    let signals = try SignalDescriptor(signals: [SIGINT, SIGTERM])
    let options = try options()
    if let pictures { try RunFolder.makeFolder(pictures, for: .usual) }
    let report = try QualityBenchmark(
      options, interrupt: { try signals.stopOnSignal() },
      show: pictures.map { folder in { try Self.write($0, to: "\(folder)/\($0.name).tiff") } }
    ).run()
    if json { try Console.json(report) } else { for line in Self.lines(report) { Console.result(line) } }
    guard check else { return }
    let checks = report.tables.flatMap(\.checks)
    for check in checks where !json || !check.isMet { Console.notice(Self.words(check)) }
    if !checks.allSatisfy(\.isMet) { throw ExitCode.failure }
  }

  private static func words(_ check: QualityCheck) -> String {
    "\(check.isMet ? "met" : "missed"): \(check.name): \(check.value.map { digits($0, 2) } ?? "not measured"), "
      + "\(check.isMost ? "at most" : "at least") \(digits(check.limit, 2))"
  }

  private func options() throws -> QualityBenchmark.Options {
    var options = QualityBenchmark.Options()
    options.kinds = try phantom.split(separator: ",").map { name in
      guard let kind = KnownSlice.Kind(rawValue: String(name)) else {
        throw ScanFailure(.usage, "--phantom \(name) is none of \(Self.names)")
      }
      return kind
    }
    options.iterations = try iterations.split(separator: ",").map { text in
      guard let count = Int(text) else {
        throw ScanFailure(.usage, "--iterations \(iterations) is not numbers with commas, as in 10,100")
      }
      return count
    }
    guard noise == nil || photons == nil else { throw ScanFailure(.usage, "--noise and --photons exclude each other") }
    if let photons { options.noise = .photons(photons) } else { options.noise = .relative(noise ?? 0.01) }
    (options.columns, options.angles, options.seed, options.slices) = (size, angles, seed, slices)
    (options.nonNegative, options.rings, options.axisError) = (nonNegative, rings, axisError)
    options.checks = check
    options.file = input.map { QualityBenchmark.File(path: $0, row: row, rotationAxis: rotationAxis) }
    guard input != nil || row == nil && rotationAxis == nil else {
      throw ScanFailure(.usage, "--row and --rotation-axis are those of a scan file")
    }
    if input != nil, let given = phantomOption {
      throw ScanFailure(.usage, "\(given) is about slices whose truth is known, and a scan file is measured")
    }
    return options
  }

  /// An option of slices with a known truth that was given.
  private var phantomOption: String? {
    let standard = QualityBenchmark.Options()
    return [
      phantom == "foam" ? nil : "--phantom \(phantom)", size == standard.columns ? nil : "--size \(size)",
      angles == standard.angles ? nil : "--angles \(angles)", noise.map { "--noise \($0)" },
      photons.map { "--photons \($0)" }, rings == standard.rings ? nil : "--rings \(rings)",
      axisError == standard.axisError ? nil : "--axis-error \(axisError)",
      seed == standard.seed ? nil : "--seed \(seed)",
    ].compactMap(\.self).first
  }

  private static func write(_ picture: QualityBenchmark.Picture, to path: String) throws {
    try picture.pixels.withUnsafeBufferPointer {
      try writeTIFF(
        path: path, columns: picture.columns, rows: picture.pixels.count / picture.columns, values: $0,
        description: picture.name)
    }
  }

  private static func lines(_ report: QualityReport) -> [String] {
    var lines = [
      "\(report.processor), 1 thread, \(report.build) build; \(counted(report.slices, "slice")) of "
        + "\(report.columns)², \(counted(report.angles, "angle"))"
    ]
    for table in report.tables {
      let percent = table.noise.map { ", noise \(digits(100 * $0 / table.largest, 2)) % of the largest line integral" }
      lines.append(table.sample + (percent ?? ""))
      let isKnown = table.rows.first?.known != nil
      lines.append(
        row("", "sweeps", "ms", "residual", isKnown ? ["PSNR dB", "detail"] : ["air e-3", "edges e-3", "ring e-3"]))
      let shown: [QualityReport.Row?] =
        isKnown
        ? [table.best("fbp"), table.best("sirt"), table.best("mlem")] + ["fast", "standard", "detail"].map(table.auto)
        : table.rows
      lines += shown.compactMap(\.self).map(line)
      if let first = table.overtaking, let sirt = table.best("sirt") {
        lines.append(
          "auto is as good as sirt's best after \(counted(Int(first.sweeps), "sweep")) and "
            + "\(digits(1000 * first.seconds, 2)) ms, "
            + "\(digits(sirt.seconds / first.seconds, 1)) times as fast")
      }
    }
    return lines
  }

  private static func line(_ figures: QualityReport.Row) -> String {
    let cells =
      figures.known.map { [digits($0.psnr, 2), digits($0.detail, 2)] }
      ?? figures.looks.map { [$0.air, $0.edges, $0.ring].map { digits(1000 * $0, 3) } } ?? []
    return row(
      [figures.method, figures.variant].compactMap(\.self).joined(separator: " "), digits(figures.sweeps, 1),
      digits(1000 * figures.seconds, 2), digits(figures.residual, 4), cells)
  }

  private static func digits(_ value: Double, _ count: Int) -> String { String(format: "%.\(count)f", value) }

  private static func row(_ name: String, _ sweeps: String, _ time: String, _ residual: String, _ cells: [String])
    -> String
  {
    name + String(repeating: " ", count: max(1, 16 - name.count))
      + ([sweeps, time, residual] + cells).map { String(repeating: " ", count: max(1, 10 - $0.count)) + $0 }.joined()
  }
}
