internal import Host
import KernelTypes
import ScanPlan
package import Simulation
internal import Tomography

/// Measures how good the methods' pictures are, and how much processor time of one thread each takes: on slices whose
/// truth is known, or on a row of a scan file.
package struct QualityBenchmark {
  /// What to measure.
  package struct Options: Sendable {
    /// Slices whose truth is known.
    package var kinds: [KnownSlice.Kind] = [.foam]
    /// A scan file in their place.
    package var file: File?
    /// Columns of the detector.
    package var columns = 256
    /// Projections over half a turn; each is measured.
    package var angles = [180]
    /// Of the line integrals; each is measured.
    package var noises = [KnownSlice.Noise.relative(0.01)]
    /// What the columns' gains are wrong by, as a part of them.
    package var rings = 0.0
    /// Pixels that the rotation axis is taken beside where it is.
    package var axisError = 0.0
    /// Of phantom and noise.
    package var seed: UInt64 = 1
    /// Slices that are computed together, each with noise of its own.
    package var slices = 16
    /// Iterations after which SIRT and MLEM are looked at.
    package var iterations = [10, 20, 50, 100, 200]
    /// Whether volumes are cut at zero.
    package var nonNegative = false
    /// Whether auto is measured over a grid of weights and sweeps.
    package var grid = false
    /// Whether figures are held against what is committed: then standard auto is measured in float as well.
    package var checks = false

    /// A foam.
    package init() {}
  }

  /// A row of a scan.
  package struct File: Sendable {
    let path: String
    let row: Int?
    let rotationAxis: Double?

    /// The middle row, and the axis that is found, where nil.
    package init(path: String, row: Int?, rotationAxis: Double?) {
      (self.path, self.row, self.rotationAxis) = (path, row, rotationAxis)
    }
  }

  /// The first slice as a method makes it, its truth, or its data.
  package struct Picture {
    /// As in `foam-auto-standard-7`, `foam-truth` or `foam-data`.
    package let name: String
    /// Columns × columns, row 0 on top; of data, angles × columns.
    package let pixels: [Float]
    /// Pixels of a row.
    package let columns: Int
  }

  private let options: Options
  private let interrupt: () throws -> Void
  private let show: ((Picture) throws -> Void)?

  /// `interrupt` is called between pictures and may throw to end the measurement; `show` takes the first slice of each.
  /// Throws `ScanFailure` (usage) for what cannot be measured.
  package init(
    _ options: Options, interrupt: @escaping () throws -> Void = {}, show: ((Picture) throws -> Void)? = nil
  ) throws {
    try Self.check(options)
    (self.options, self.interrupt, self.show) = (options, interrupt, show)
  }

  /// Measures everything.
  package func run() throws -> QualityReport {
    var report = QualityReport(
      build: buildName, processor: Machine.processorName, slices: options.slices, columns: options.columns,
      seed: options.seed, tables: [])
    if let file = options.file {
      let row = try ScanRow(path: file.path, row: file.row, rotationAxis: file.rotationAxis)
      try check(columns: row.columns, angles: row.thetas.count)
      report.columns = row.columns
      report.tables = [try measure(row, path: file.path)]
    } else {
      for kind in options.kinds {
        for noise in options.noises {
          for angles in options.angles { report.tables.append(try measure(kind, noise, angles: angles)) }
        }
      }
    }
    return report
  }

  private func measure(
    _ kind: KnownSlice.Kind, _ noise: KnownSlice.Noise, angles: Int
  ) throws -> QualityReport.Table {
    try interrupt()
    let thetas = (0..<angles).map { .pi * Double($0) / Double(angles) }
    let truth = KnownSlice(kind, columns: options.columns, thetas: thetas, seed: options.seed)
    let scans = (0..<options.slices).map {
      truth.measured(noise, rings: options.rings, seed: options.seed, number: $0)
    }
    let bed = QualityBed(
      lines: scans.map(\.lines), thetas: thetas, rotationAxis: Double(options.columns) / 2 + options.axisError,
      noise: scans.map(\.noise),
      nonNegative: options.nonNegative)
    try show?(Picture(name: "\(kind.rawValue)-truth", pixels: truth.truth, columns: options.columns))
    try show?(Picture(name: "\(kind.rawValue)-data", pixels: scans[0].lines, columns: options.columns))
    let judge = TruthJudge(truth)
    func known() -> QualityReport.Known {
      let all = bed.slices.map(judge.compare)
      return QualityReport.Known(
        psnr: all.reduce(0) { $0 + $1.psnr } / Double(all.count),
        detail: all.reduce(0) { $0 + $1.detail } / Double(all.count))
    }
    var photons: Double?
    if case .photons(let count) = noise { photons = count }
    return QualityReport.Table(
      sample: kind.rawValue, angles: angles, photons: photons, noise: Double(scans[0].noise),
      largest: Double(scans[0].lines.max() ?? 0), rows: try pictures(on: bed, of: kind.rawValue) { $0.known = known() },
      grid: options.grid ? try QualityGrid(on: bed, interrupt: interrupt, judge: known) : nil)
  }

  private func measure(_ row: ScanRow, path: String) throws -> QualityReport.Table {
    let bed = QualityBed(
      lines: Array(repeating: row.lines, count: options.slices), thetas: row.thetas, rotationAxis: row.rotationAxis,
      noise: row.noise.map { Array(repeating: $0, count: options.slices) }, nonNegative: options.nonNegative)
    bed.iterate(.sirt, stops: [Self.maskIterations]) { _, _ in }
    let masks = SceneMasks(
      bed.slice(0), columns: row.columns, width: 2 * min(row.rotationAxis, Double(row.columns) - row.rotationAxis))
    let rows = try pictures(on: bed, of: "scan") { $0.looks = masks.look(at: bed.slice(0)) }
    return QualityReport.Table(
      sample: path, angles: row.thetas.count, noise: row.noise.map(Double.init), largest: Double(row.lines.max() ?? 0),
      rows: rows)
  }

  private static let maskIterations = 100

  /// What each method makes of the bed's data; `judge` adds what can be said of it.
  private func pictures(
    on bed: QualityBed, of sample: String, _ judge: (inout QualityReport.Row) -> Void
  ) throws -> [QualityReport.Row] {
    var rows: [QualityReport.Row] = []
    func add(_ method: String, _ variant: String?, sweeps: Double, seconds: Double) throws {
      var row = QualityReport.Row(
        method: method, variant: variant, sweeps: sweeps, seconds: seconds / Double(options.slices),
        residual: bed.residual)
      judge(&row)
      rows.append(row)
      let name = [sample, method, variant, sweeps < 1 ? nil : "\(Int(sweeps))"].compactMap(\.self)
      try show?(Picture(name: name.joined(separator: "-"), pixels: bed.slice(0), columns: bed.layout.columns))
      try interrupt()
    }
    for filter in FBPOptions.Filter.allCases {
      try add("fbp", filter.rawValue, sweeps: 0.5, seconds: bed.backproject(filter))
    }
    for method in [QualityMethod.sirt, .mlem] {
      try bed.iterate(method, stops: options.iterations) {
        try add(method.rawValue, nil, sweeps: Double($0), seconds: $1)
      }
    }
    for preset in SubsetOptions.Preset.allCases {
      // With fewer sweeps the last ones are relaxed as well: each is a picture that could be asked for.
      let chosen = bed.sweepCount(preset)
      for sweeps in preset == .standard ? 1...chosen : chosen...chosen {
        let seconds = bed.runSubsets(preset, sweeps: sweeps)
        try add("auto", preset.rawValue, sweeps: Double(sweeps), seconds: seconds)
      }
    }
    if options.checks {
      let sweeps = bed.sweepCount(.standard), seconds = bed.runSubsets(.standard, sweeps: sweeps, precision: .float)
      try add("auto", QualityReport.Table.floatVariant, sweeps: Double(sweeps), seconds: seconds)
    }
    return rows
  }

  private static func check(_ options: Options) throws(ScanFailure) {
    func check(_ name: String, _ value: Int, in range: ClosedRange<Int>) throws(ScanFailure) {
      guard range.contains(value) else {
        throw ScanFailure(.usage, "\(name) \(value) is outside \(range.lowerBound)…\(range.upperBound)")
      }
    }
    try check("--size", options.columns, in: 32...2048)
    for angles in options.angles { try check("--angles", angles, in: 4...10_000) }
    try check("--slices", options.slices, in: 1...64)
    if options.checks {
      guard options.file == nil, options.kinds == [.foam], options.noises == [.relative(0.01)], options.rings == 0,
        options.axisError == 0, (96...512).contains(options.columns), options.angles.allSatisfy({ $0 >= 90 })
      else {
        throw ScanFailure(
          .usage, "--check holds foams of 96 to 512 columns, 90 angles or more and noise 0.01 against what is committed"
        )
      }
    }
    guard (0...1).contains(options.rings) else { throw ScanFailure(.usage, "--rings \(options.rings) is outside 0…1") }
    guard abs(options.axisError) < 10 else {
      throw ScanFailure(.usage, "--axis-error \(options.axisError) is 10 pixels or more")
    }
    for iterations in options.iterations { try check("--iterations", iterations, in: 1...10_000) }
    guard !options.iterations.isEmpty, !options.kinds.isEmpty, !options.noises.isEmpty, !options.angles.isEmpty else {
      throw ScanFailure(.usage, "without iterations, phantoms, noise or angles there is nothing to measure")
    }
    guard !options.grid || options.file == nil else {
      throw ScanFailure(.usage, "--grid is about slices whose truth is known, and a scan file is measured")
    }
    for noise in options.noises {
      switch noise {
      case .relative(let part):
        guard part > 0, part <= 1 else { throw ScanFailure(.usage, "--noise \(part) is not above 0 and at most 1") }
      case .photons(let photons):
        guard photons >= 1, photons <= 1e7 else { throw ScanFailure(.usage, "--photons \(photons) is outside 1…1e7") }
      }
    }
  }

  /// Whether the data fit into a block of memory.
  private func check(columns: Int, angles: Int) throws(ScanFailure) {
    let layout = SliceLayout(columns: columns, rows: options.slices)
    guard angles <= layout.slotsMax else {
      throw ScanFailure(.usage, "\(angles) projections: at most \(layout.slotsMax) of this shape")
    }
  }
}
