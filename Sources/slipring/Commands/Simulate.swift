import ArgumentParser
import Glibc
import Host
import KernelTypes
import Run
import ScanFiles
import ScanPlan
import Simulation
import Tomography

/// A virtual detector.
struct Simulate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measures a phantom or a volume with a virtual detector, into a DXchange file or a live stream.",
    discussion: """
      Phantoms have exact line integrals. --volume FILE.h5 forward-projects the slices of a volume (attenuation per \
      pixel), so that anyone can test the projector from outside. With --stream the scan is sent by ZeroMQ (array-1.0) \
      to whoever connects, as in slipring recon zmq+pull://127.0.0.1:9999.
      """)

  /// Phantoms by name.
  enum PhantomName: String, ExpressibleByArgument, CaseIterable {
    case foam
    case sheppLogan = "shepp-logan"
  }

  @Argument(help: "The scan file to write; none with --stream.", completion: .file()) var output: String?
  @Option(help: "What is measured.") var phantom: PhantomName = .foam
  @Option(help: ArgumentHelp("Measure this volume (z, y, x) instead of a phantom.", valueName: "file.h5")) var volume:
    String?
  @Option(help: "Detector rows. (default: 64, or those of the volume)") var rows: Int?
  @Option(help: "Detector columns. (default: 256, or those of the volume)") var columns: Int?
  @Option(help: "Projections.") var projections = 180
  @Option(help: "Degrees that the projections cover, the last one a step before the end.") var range = 180.0
  @Option(
    help: ArgumentHelp(
      "In which order they are measured.",
      valueName: "sequential|interleaved:K|interleaved-optimised:D|bit-reversal|golden"))
  var order: AngleOrder = .sequential
  @Option(
    name: [.customLong("rotation-axis"), .customLong("center")],
    help: ArgumentHelp("Rotation axis in pixels from the left edge. (default: the middle)", valueName: "px"))
  var rotationAxis: Double?
  @Flag(help: "Write line integrals as 32-bit floats, without noise, flats and darks.") var lineIntegrals = false
  @Option(help: "Photons that a pixel counts without a sample.") var photons = 20_000.0
  @Option(help: "Mean count without a beam.") var darkLevel = 100.0
  @Option(help: "Flat fields.") var flats = 10
  @Option(help: "Dark fields.") var darks = 10
  @Option(help: "Seed of phantom, noise and faults.") var seed: UInt64 = 1
  @OptionGroup(title: "Stream") var sending: SendOptions
  @Flag(help: "Print errors only.") var quiet = false

  func run() throws {
    // Before any thread, so that every thread leaves the signals to the descriptor.
    let signals = try SignalDescriptor(signals: [SIGINT, SIGTERM])
    guard let address = try sending.address() else {
      guard let output else { throw ScanFailure(.usage, "name the scan file to write, or where to send with --stream") }
      return try measure(into: output, signals)
    }
    guard output == nil else {
      throw ScanFailure(.usage, "--stream sends the scan and writes no file: leave out \(output ?? "")")
    }
    if let scan = sending.scan {
      return try sending.send(scan, to: address, seed: seed, quiet: quiet, signals: signals)
    }
    let path = "\(Console.temporaryFolder)/slipring-simulated-\(getpid()).h5"
    defer { unlink(path) }
    try measure(into: path, signals)
    try sending.send(path, to: address, seed: seed, quiet: quiet, signals: signals)
  }

  /// Measures the whole scan into a file.
  private func measure(into output: String, _ signals: SignalDescriptor) throws {
    let simulation = try plan()
    var counter = Counter(isQuiet: quiet)
    defer { counter.end() }
    try Simulator(simulation).write(to: output) { count in
      try signals.stopOnSignal()
      counter.show(count, of: simulation.thetas.count)
    }
    counter.end()
    if !quiet, self.output != nil {
      Console.result(
        "\(output): \(counted(simulation.thetas.count, "projection")) of \(simulation.rows) × \(simulation.columns)")
    }
  }

  private func plan() throws -> Simulation {
    let (sample, rows, columns) = try sample()
    try check("--projections", projections, in: 1...1_000_000)
    try check("--flats", flats, in: 1...10_000)
    try check("--darks", darks, in: 0...10_000)
    guard range.isFinite, abs(range) > 0 else { throw ScanFailure(.usage, "--range \(range) is not an angle") }
    guard photons > 0, darkLevel >= 0, photons + darkLevel < 65_536 else {
      throw ScanFailure(.usage, "--photons \(photons) and --dark-level \(darkLevel) do not fit into 16 bits")
    }
    let axis = rotationAxis ?? Double(columns) / 2
    guard axis > 0, axis < Double(columns) else {
      throw ScanFailure(.data, "--rotation-axis \(axis) is outside the detector of \(columns) columns")
    }
    return Simulation(
      sample: sample, rows: rows, columns: columns,
      thetas: Simulation.evenThetas(count: projections, range: range, order: order),
      rotationAxis: axis,
      signal: lineIntegrals
        ? .lineIntegrals : .counts(photons: photons, darkLevel: darkLevel, flats: flats, darks: darks, seed: seed))
  }

  private func sample() throws -> (Simulation.Sample, rows: Int, columns: Int) {
    if let volume {
      let reader = try VolumeReader(path: volume)
      guard rows ?? reader.slices == reader.slices, columns ?? reader.columns == reader.columns else {
        throw ScanFailure(
          .usage, "\(volume) has \(reader.slices) slices of \(reader.columns)²; leave out --rows and --columns")
      }
      guard reader.columns <= SliceLayout.columnsMax else {
        throw ScanFailure(
          .data, "\(volume) has \(reader.columns) columns, more than the \(SliceLayout.columnsMax) that are projected")
      }
      return (.volume(path: volume), reader.slices, reader.columns)
    }
    let (rows, columns) = (rows ?? 64, columns ?? 256)
    try check("--rows", rows, in: 1...65_536)
    try check("--columns", columns, in: 8...32_768)
    switch phantom {
    case .foam: return (.phantom(Foam(rows: rows, columns: columns, seed: seed, voidValue: 0)), rows, columns)
    case .sheppLogan: return (.phantom(SheppLogan()), rows, columns)
    }
  }

  private func check(_ option: String, _ value: Int, in range: ClosedRange<Int>) throws {
    guard range.contains(value) else {
      throw ScanFailure(.usage, "\(option) \(value) is outside \(range.lowerBound)…\(range.upperBound)")
    }
  }
}

/// Counts simulated projections on a terminal.
struct Counter {
  let isQuiet: Bool
  private var isShown = false

  init(isQuiet: Bool) { self.isQuiet = isQuiet }

  mutating func show(_ count: Int, of total: Int) {
    guard !isQuiet, Console.isTerminal else { return }
    Console.write("\r\u{1B}[Ksimulating \(count)/\(total)")
    isShown = true
  }

  func end() { if isShown { Console.write("\r\u{1B}[K") } }
}
