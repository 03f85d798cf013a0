import Stages

extension RunStatus {
  /// How images stand on their way to nodes, in words; nil where none do.
  package var uplinkWords: String? { uplink?.words }

  /// The same as a figure.
  package var uplinkFigure: String {
    uplink.map { report in
      "\(report.acknowledged) of \(report.events)"
        + (report.away != nil ? ", waiting" : report.lagSeconds.map { $0 >= 1 ? ", \(Int($0)) s behind" : "" } ?? "")
    } ?? "–"
  }

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

  /// How nodes stand, a line each; none where there are none.
  package var nodeLines: [String] {
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
      }
  }
}
