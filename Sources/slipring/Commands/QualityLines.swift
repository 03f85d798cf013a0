import Benchmarks
import Foundation
import Host

/// What `bench quality` prints: a table for each scan, and of several what they have in common.
struct QualityLines {
  private let report: QualityReport

  init(_ report: QualityReport) { self.report = report }

  var all: [String] {
    [
      "\(report.processor), 1 thread, \(report.build) build; \(counted(report.slices, "slice")) of \(report.columns)²"
    ] + report.tables.flatMap(Self.lines) + (report.tables.count > 1 ? summary : [])
  }

  private static func lines(_ table: QualityReport.Table) -> [String] {
    let isKnown = table.rows.first?.known != nil
    var lines = [
      name(table)
        + (table.noise.map { ", noise \(digits(100 * $0 / table.largest, 2)) % of the largest line integral" } ?? ""),
      row("", "sweeps", "ms", "residual", isKnown ? ["PSNR dB", "detail"] : ["air e-3", "edges e-3", "ring e-3"]),
    ]
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
    if let grid = table.grid, let best = grid.best {
      lines.append(
        "the grid's best: \(digits(best.known.psnr, 2)) dB, detail \(digits(best.known.detail, 2)), with "
          + "\(digits(best.factor, 2)) times the weight and \(counted(best.sweeps, "sweep"))"
          + (best.isRelaxed ? "" : " that are not relaxed"))
    }
    return lines
  }

  private var summary: [String] {
    let summary = report.summary
    func line(_ what: String, _ span: QualitySummary.Span?, _ count: Int, _ rest: String = "") -> String? {
      span.map { span in
        "\(what): \(Self.digits(span.least, count)) … \(Self.digits(span.most, count))\(rest); least in "
          + Self.name(report.tables[span.leastTable])
      }
    }
    let grid = summary.overGrid.map { ", within 0.5 in \($0.count(atLeast: -0.5)) of \(report.tables.count)" } ?? ""
    return [
      line("dB of auto over the best fbp", summary.overFBP, 2), line("dB over the best sirt", summary.overSIRT, 2),
      line("detail over the best fbp's", summary.detailOverFBP, 3),
      line("detail over the best sirt's", summary.detailOverSIRT, 3),
      line("dB over the grid's best", summary.overGrid, 2, grid),
      line("dB that twice the sweeps add", summary.twice, 2),
    ].compactMap(\.self)
  }

  private static func name(_ table: QualityReport.Table) -> String {
    let photons = table.photons.map { ", \(digits($0, 0)) photons" } ?? ""
    return "\(table.sample), \(counted(table.angles, "angle"))\(photons)"
  }

  private static func line(_ figures: QualityReport.Row) -> String {
    let cells =
      figures.known.map { [digits($0.psnr, 2), digits($0.detail, 2)] }
      ?? figures.looks.map { [$0.air, $0.edges, $0.ring].map { digits(1000 * $0, 3) } } ?? []
    return row(
      [figures.method, figures.variant].compactMap(\.self).joined(separator: " "), digits(figures.sweeps, 1),
      digits(1000 * figures.seconds, 2), digits(figures.residual, 4), cells)
  }

  static func digits(_ value: Double, _ count: Int) -> String { String(format: "%.\(count)f", value) }

  private static func row(_ name: String, _ sweeps: String, _ time: String, _ residual: String, _ cells: [String])
    -> String
  {
    name + String(repeating: " ", count: max(1, 16 - name.count))
      + ([sweeps, time, residual] + cells).map { String(repeating: " ", count: max(1, 10 - $0.count)) + $0 }.joined()
  }
}
