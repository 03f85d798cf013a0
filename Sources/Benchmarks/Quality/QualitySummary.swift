/// What the tables of known slices have in common: how auto does beside the others in the worst and the best of them.
package struct QualitySummary {
  /// The least and the most of the tables, and which table has the least.
  package struct Span {
    /// Of all tables.
    package let least, most: Double
    /// A table, as an index.
    package let leastTable: Int
    /// Of each table.
    let values: [Double]

    init?(_ values: [Double?]) {
      let all = values.compactMap(\.self)
      guard all.count == values.count, let least = all.min(), let most = all.max() else { return nil }
      (self.least, self.most, self.values) = (least, most, all)
      leastTable = all.firstIndex(of: least) ?? 0
    }

    /// How many tables have at least so much.
    package func count(atLeast limit: Double) -> Int { values.count { $0 >= limit } }
  }

  /// dB of auto over the best filter of fbp, and over the best of sirt.
  package let overFBP, overSIRT: Span?
  /// Detail of auto less theirs.
  package let detailOverFBP, detailOverSIRT: Span?
  /// dB of auto over the best of the grid: below zero where the grid has a better one.
  package let overGrid: Span?
  /// dB that twice the sweeps add.
  package let twice: Span?

  init(_ tables: [QualityReport.Table]) {
    func span(
      _ other: (QualityReport.Table) -> QualityReport.Known?,
      _ difference: (_ auto: QualityReport.Known, _ other: QualityReport.Known) -> Double
    ) -> Span? {
      Span(
        tables.map { table in
          table.auto("standard")?.known.flatMap { auto in other(table).map { difference(auto, $0) } }
        })
    }
    overFBP = span({ $0.best("fbp")?.known }, { $0.psnr - $1.psnr })
    overSIRT = span({ $0.best("sirt")?.known }, { $0.psnr - $1.psnr })
    detailOverFBP = span({ $0.best("fbp")?.known }, { $0.detail - $1.detail })
    detailOverSIRT = span({ $0.best("sirt")?.known }, { $0.detail - $1.detail })
    overGrid = span({ $0.grid?.best?.known }, { $0.psnr - $1.psnr })
    twice = span({ $0.grid?.twice }, { $1.psnr - $0.psnr })
  }
}

extension QualityReport {
  /// Of all tables.
  package var summary: QualitySummary { QualitySummary(tables) }
}
