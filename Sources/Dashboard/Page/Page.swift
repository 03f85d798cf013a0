import Run

/// The page with the figures of now in it, for whoever has no script.
enum Page {
  private static let template = String(decoding: PackageResources.page_html, as: UTF8.self)

  /// The page. With `token`, whoever gets it may end the run; where a server has many scans, `scan` is the number.
  static func html(_ report: RunReport, token: Token?, scan: Int? = nil) -> String {
    fill(template, values(report, token, scan))
  }

  /// Replaces each `{{name}}` once: what a value holds is never looked at.
  private static func fill(_ template: String, _ values: [String: String]) -> String {
    var parts = template.components(between: "{{", and: "}}")
    for index in parts.indices where parts[index].isName {
      guard let value = values[parts[index].text] else { preconditionFailure("the page asks for \(parts[index].text)") }
      parts[index].text = value
    }
    return parts.map(\.text).joined()
  }

  private static func values(_ report: RunReport, _ token: Token?, _ scan: Int?) -> [String: String] {
    let (volume, ending) = (report.volume, report.ending)
    let middle = (z: (volume?.slices ?? 1) / 2, edge: (volume?.columns ?? 1) / 2)
    return [
      "run": Text.html(report.run), "short": Text.html(String(report.run.prefix(8))), "state": Text.html(report.state),
      "fraction": Text.decimal(report.fraction, 3), "headline": Text.html(report.headline),
      "actions": actions(report, token), "words": LedgerWords.html,
      // Relative, so that a proxy may have it below a prefix.
      "home": scan.map {
        "<a href=\"../../../\">Slipring</a> <span class=\"faint\">›</span> <a href=\"../\">scan \($0)</a>"
      } ?? "Slipring",
      "columns": "\(volume?.columns ?? 0)", "slices": "\(volume?.slices ?? 0)",
      "generation": volume.map { "generation \($0.generations.map(String.init).joined(separator: ", "))" }
        ?? "not there yet",
      "pictureZ": "slices/z/\(middle.z).png", "pictureX": "slices/x/\(middle.edge).png",
      "pictureY": "slices/y/\(middle.edge).png",
      "middleZ": "\(middle.z)", "middleX": "\(middle.edge)", "middleY": "\(middle.edge)",
      "progress": figures(report.progress, known: RunReport.progressLabels),
      "ledger": figures(report.ledger, known: RunReport.ledgerLabels),
      "stageRows": report.stages.map {
        row([
          $0.name, $0.state, Text.decimal($0.rate), "\($0.lag)", "\($0.cursor)", "\($0.restarts)", "\($0.hangs)",
          "\($0.pid)",
        ])
      }.joined(),
      "ringRows": report.rings.map {
        let share = Double(min($0.waiting, UInt64($0.slots))) / Double(max($0.slots, 1))
        return row([$0.topic, Text.percent(share), "\($0.waiting)", "\($0.slots)", "\($0.published)", "\($0.spilled)"])
      }.joined(),
      "endingHidden": ending == nil ? " hidden" : "", "endingText": Text.html(ending?.text ?? ""),
      "outputs": list(ending?.outputs ?? []),
      "noticesHidden": report.notices.isEmpty ? " hidden" : "", "notices": list(report.notices),
    ]
  }

  /// A line for every figure that there will ever be, so that the script finds its place.
  private static func figures(_ figures: [RunReport.Figure], known: [(id: String, label: String)]) -> String {
    known.map { id, label in
      let text = figures.first { $0.id == id }?.text ?? "–"
      return "<div><dt>\(Text.html(label))</dt><dd id=\"figure-\(id)\">\(Text.html(text))</dd></div>"
    }.joined()
  }

  private static func row(_ cells: [String]) -> String {
    let rest = cells.dropFirst().map { "<td>\(Text.html($0))</td>" }.joined()
    return "<tr><th scope=\"row\">\(Text.html(cells[0]))</th>\(rest)</tr>"
  }

  private static func list(_ texts: [String]) -> String { texts.map { "<li>\(Text.html($0))</li>" }.joined() }

  private static func actions(_ report: RunReport, _ token: Token?) -> String {
    guard let token else { return "<p>To end the run from here, open the address that slipring printed.</p>" }
    let isOver = report.ending == nil ? "" : " disabled"
    func form(_ path: String, _ label: String, _ style: String, _ explanation: String) -> String {
      """
      <form method="post" action="\(path)" data-explanation="\(Text.html(explanation))">\
      <input type="hidden" name="token" value="\(token.text)"><button id="\(path)" \
      class="\(style)"\(isOver)>\(label)</button></form>
      """
    }
    return form("finalize", "Finalize", "", "The acquisition ends now. What was acquired is reconstructed and written.")
      + form(
        "abort", "Abort", "danger",
        "Everything stops now and no volume is written. What was acquired stays on disk, and resume goes on with it.")
  }
}

extension String {
  fileprivate struct Piece {
    var text: String
    let isName: Bool
  }

  /// The text outside and inside of marks, in order.
  fileprivate func components(between opening: String, and closing: String) -> [Piece] {
    var pieces: [Piece] = []
    var rest = self[...]
    while let start = rest.firstRange(of: opening), let end = rest[start.upperBound...].firstRange(of: closing) {
      pieces.append(Piece(text: String(rest[..<start.lowerBound]), isName: false))
      pieces.append(Piece(text: String(rest[start.upperBound..<end.lowerBound]), isName: true))
      rest = rest[end.upperBound...]
    }
    return pieces + [Piece(text: String(rest), isName: false)]
  }
}
