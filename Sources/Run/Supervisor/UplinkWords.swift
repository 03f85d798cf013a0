import Stages

extension RunStatus {
  /// How images stand on their way to nodes, a line each; none where none do.
  package var uplinkLines: [String] {
    guard let uplink else { return [] }
    return ["uplink: \(uplink.words)"] + (uplink.preview.map { ["preview: \($0.words)"] } ?? []) + nodeLines
  }

  /// The same as a figure.
  package var uplinkFigure: String {
    uplink.map { report in
      "\(report.acknowledged) of \(report.events)"
        + (report.away != nil ? ", waiting" : report.lagSeconds.map { $0 >= 1 ? ", \(Int($0)) s behind" : "" } ?? "")
    } ?? "–"
  }

  /// Projections that were not shown in fewer pixels.
  package var previewFigure: String { uplink?.preview.map { "\($0.skipped)" } ?? "–" }

  /// Nodes that are alive, and the granules that each is at.
  package var nodesFigure: String {
    guard let uplink, let nodes = uplink.nodes else { return "–" }
    let each = nodes.map { node in
      node.name + (node.granules.isEmpty ? "" : " (\(node.granules.map(String.init).joined(separator: ", ")))")
    }
    let expected = uplink.nodesExpected.map { " of \($0)" } ?? ""
    return "\(nodes.count)\(expected)" + (each.isEmpty ? "" : ": \(each.joined(separator: ", "))")
  }

  /// Granules by what becomes of them.
  package var granulesFigure: String { uplink?.granuleWords ?? "–" }

  /// What nodes say of their slices: the lowest similarity, and of which granule; of those that are silent how many.
  package var granuleScoresFigure: String {
    guard let granules = uplink?.scores, !granules.isEmpty else { return "–" }
    let silent = granules.count(where: \.isSilent), unsaid = granules.count { $0.score == nil && !$0.isSilent }
    let scores = granules.filter { !$0.isSilent }.compactMap { granule in
      granule.similarity.map { (granule: granule.granule, similarity: $0) }
    }
    return [
      scores.min { $0.similarity < $1.similarity }.map {
        "\(UplinkReport.rounded($0.similarity)) of granule \($0.granule)"
      },
      unsaid > 0 ? "\(unsaid) without" : nil, silent > 0 ? "\(silent) silent" : nil,
    ].compactMap { $0 }.joined(separator: ", ")
  }

  /// How nodes stand, a line each; none where there are none.
  private var nodeLines: [String] {
    guard let uplink, let words = uplink.nodeWords else { return [] }
    let lag =
      uplink.lag == 0
      ? []
      : [
        "uplink: \(uplink.lag) events behind"
          + (uplink.lagSeconds.map { ", \(Int($0.rounded(.up))) s at \(Int(uplink.bytesPerSecond / 1e6)) MB/s" } ?? "")
      ]
    return lag + [
      "nodes: \(words)"
    ]
      + (uplink.nodes ?? []).map { node in
        "node \(node.name): \(node.cores) cores, "
          + (node.granules.isEmpty ? "idle" : "granules \(node.granules.map(String.init).joined(separator: ", "))")
      } + uplink.scoreLines
  }
}

extension UplinkReport {
  /// What nodes say of their slices, a line each granule.
  fileprivate var scoreLines: [String] {
    let damaged = scoresDamaged ?? 0
    return (scores ?? []).map { granule in
      let score = granule.projections.map { projections in
        (granule.similarity.map { "similarity \(Self.rounded($0))" } ?? "no similarity")
          + " after \(projections) projections, \(granule.streak) in a row"
      }
      return "granule \(granule.granule) of \(granule.node): \(score ?? "no score yet")"
        + (granule.isSilent ? "; silent, and not waited for" : "")
    } + (damaged > 0 ? ["scores of nodes that were none: \(damaged)"] : [])
  }

  /// To four decimals, down: what reached a limit does not look higher than it is.
  fileprivate static func rounded(_ score: Double) -> Double { (score * 1e4).rounded(.down) / 1e4 }
}
