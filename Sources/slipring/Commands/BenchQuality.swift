import ArgumentParser
import Benchmarks
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
      that are computed together. Each phantom is measured with each noise and each number of angles; of several scans \
      a summary says how auto does in the worst and in the best.
      """)

  @Argument(help: ArgumentHelp("A scan file, to measure one of its rows.", valueName: "scan.h5"), completion: .file())
  var input: String?
  @Option(
    help: ArgumentHelp("Slices with a known truth: \(BenchQuality.names); several with commas.", valueName: "name"))
  var phantom = "foam"
  @Option(help: "Columns of the detector, and both edges of a slice.") var size = 256
  @Option(help: ArgumentHelp("Projections over half a turn; several with commas.", valueName: "a,a"))
  var angles = "180"
  @Option(
    help: ArgumentHelp(
      "Normal noise, as a part of the largest line integral; several with commas. (default: 0.01)", valueName: "x,x"))
  var noise: String?
  @Option(
    help: ArgumentHelp(
      "Photons a pixel without a sample, in place of --noise; several with commas.", valueName: "n,n"))
  var photons: String?
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
  @Flag(
    help: """
      Hold auto against the best of a grid: nine weights from a quarter to four times its own, and up to twice its \
      sweeps.
      """)
  var grid = false
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
    if json { try Console.json(report) } else { QualityLines(report).all.forEach(Console.result) }
    guard check else { return }
    let checks = report.tables.flatMap(\.checks)
    for check in checks where !json || !check.isMet { Console.notice(Self.words(check)) }
    if !checks.allSatisfy(\.isMet) { throw ExitCode.failure }
  }

  private static func words(_ check: QualityCheck) -> String {
    "\(check.isMet ? "met" : "missed"): \(check.name): "
      + "\(check.value.map { QualityLines.digits($0, 2) } ?? "not measured"), "
      + "\(check.isMost ? "at most" : "at least") \(QualityLines.digits(check.limit, 2))"
  }

  private func options() throws -> QualityBenchmark.Options {
    var options = QualityBenchmark.Options()
    options.kinds = try phantom.split(separator: ",").map { name in
      guard let kind = KnownSlice.Kind(rawValue: String(name)) else {
        throw ScanFailure(.usage, "--phantom \(name) is none of \(Self.names)")
      }
      return kind
    }
    options.iterations = try Self.numbers(iterations, "--iterations", example: "10,100")
    options.angles = try Self.numbers(angles, "--angles", example: "60,180")
    guard noise == nil || photons == nil else { throw ScanFailure(.usage, "--noise and --photons exclude each other") }
    if let noise { options.noises = try Self.numbers(noise, "--noise", example: "0.01,0.1").map { .relative($0) } }
    if let photons {
      options.noises = try Self.numbers(photons, "--photons", example: "500,2000").map { .photons($0) }
    }
    guard pictures == nil || options.angles.count * options.noises.count == 1 else {
      throw ScanFailure(.usage, "--pictures are those of one noise and one number of angles")
    }
    (options.columns, options.seed, options.slices) = (size, seed, slices)
    (options.nonNegative, options.rings, options.axisError) = (nonNegative, rings, axisError)
    (options.grid, options.checks) = (grid, check)
    options.file = input.map { QualityBenchmark.File(path: $0, row: row, rotationAxis: rotationAxis) }
    guard input != nil || row == nil && rotationAxis == nil else {
      throw ScanFailure(.usage, "--row and --rotation-axis are those of a scan file")
    }
    if input != nil, let given = phantomOption {
      throw ScanFailure(.usage, "\(given) is about slices whose truth is known, and a scan file is measured")
    }
    return options
  }

  private static func numbers<Number: LosslessStringConvertible>(
    _ text: String, _ option: String, example: String
  ) throws -> [Number] {
    try text.split(separator: ",", omittingEmptySubsequences: false).map { part in
      guard let number = Number(String(part)) else {
        throw ScanFailure(.usage, "\(option) \(text) is not numbers with commas, as in \(example)")
      }
      return number
    }
  }

  /// An option of slices with a known truth that was given.
  private var phantomOption: String? {
    let standard = QualityBenchmark.Options()
    return [
      phantom == "foam" ? nil : "--phantom \(phantom)", size == standard.columns ? nil : "--size \(size)",
      angles == "180" ? nil : "--angles \(angles)", noise.map { "--noise \($0)" },
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
}
