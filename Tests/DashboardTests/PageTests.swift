import Run
import RunModel
import Testing

import struct Foundation.Data
import class Foundation.JSONDecoder

@testable import Dashboard

@Suite struct PageTests {
  private func update(_ phase: UpdateEvent.Phase, _ index: Int, rows: Range<Int>, residual: Double, data: Double = 1)
    -> UpdateEvent
  {
    UpdateEvent(
      phase: phase, index: index, iterations: 1, cursor: 0, generation: 1, projections: 0..<1, rows: rows,
      residualSquared: residual,
      dataSquared: data, duration: 1, pixels: .init(nonFinite: rows.lowerBound, clamped: 1, dead: 0, negative: 0))
  }

  @Test("The residual is over the rows of all workers, and a report that comes again replaces the first")
  func curves() {
    var curves = Curves(updatesMax: 10, rows: [0..<2, 2..<4])
    curves.add(update(.window, 0, rows: 0..<2, residual: 5))
    curves.add(update(.window, 0, rows: 0..<2, residual: 1))
    curves.add(update(.window, 0, rows: 2..<4, residual: 3, data: 3))
    curves.add(update(.final, 0, rows: 0..<1, residual: 0.25))
    let lines = curves.lines(pointsMax: 5)
    #expect(lines.window == .init(indices: [0], residuals: [1]) && lines.final == .init(indices: [0], residuals: [0.5]))
    #expect(curves.latest == 0.5)
    #expect(curves.pixels == .init(nonFinite: 2, clamped: 2, dead: 0, negative: 0))
  }

  @Test("A long curve becomes one of few points that ends with the last; what no run can make is left out")
  func longCurve() {
    var curves = Curves(updatesMax: 1000, rows: [0..<1])
    for index in 0..<1000 { curves.add(update(.window, index, rows: 0..<1, residual: 1)) }
    let version = curves.version
    curves.add(update(.window, 1000, rows: 0..<1, residual: 1))
    curves.add(update(.window, 1, rows: 7..<9, residual: 1))
    curves.add(update(.window, 1, rows: 0..<1, residual: .nan))
    #expect(curves.version == version)
    let line = curves.lines(pointsMax: 100).window
    #expect(line.indices.count <= 101 && line.indices.last == 999)
  }

  private func score(_ worker: Int, _ projections: Int, _ similarity: Double?, truth: Double? = nil) -> ScoreEvent {
    let value = SliceScore(
      update: 0, projections: projections, against: nil, similarity: similarity, streak: 0, black: 0, white: 1)
    return ScoreEvent(worker: worker, value, truth: truth)
  }

  @Test func `What stages say are curves, of which the oldest points are thinned`() throws {
    var curves = StageCurves()
    let status = { (text: String) in try JSONDecoder().decode([ProgramStatus].self, from: Data(text.utf8)) }
    let say = { (value: Int) in
      try status(
        #"[{"name":"a","state":"runs","restarts":0,"said":1,"figures":{"pores":\#(value),"skipped":1}},"#
          + #"{"name":"b","state":"gaveUp","restarts":4,"said":0,"figures":{}}]"#)
    }
    curves.add(try say(7), projections: 10)
    curves.add(try say(7), projections: 20)
    #expect(curves.version == 1)
    curves.add(try say(8), projections: 30)
    #expect(
      curves.lines(pointsMax: 9)
        == [StageCurves.Line(stage: "a", name: "pores", projections: [10, 30], values: [7, 8])])
    for value in 9..<5009 { curves.add(try say(value), projections: value) }
    let line = try #require(curves.lines(pointsMax: 10_000).first)
    #expect(line.values.count <= 1000 && line.projections.count == line.values.count && line.values.last == 5008)
    #expect(curves.lines(pointsMax: 1)[0].values == [5008])
  }

  @Test(
    "The similarity is that of the worker that is least similar, over projections; what no run can have is left out")
  func similarity() {
    var curves = SimilarityCurves(projectionsMax: 40, workers: 2)
    #expect(curves.lines(pointsMax: 9).similarity == .init())
    for each in [
      score(0, 10, nil, truth: 0.5), score(0, 20, 0.25), score(0, 20, 0.75), score(1, 20, 0.875), score(0, 30, 0.9375),
    ] {
      curves.add(each)
    }
    let version = curves.version
    for each in [score(2, 30, 0.1), score(0, 41, 0.1)] { curves.add(each) }
    #expect(curves.version == version)
    let lines = curves.lines(pointsMax: 9)
    #expect(lines.similarity == .init(projections: [20, 30], scores: [0.75, 0.875]))
    #expect(lines.truth == .init(projections: [10], scores: [0.5]))
    #expect(curves.lines(pointsMax: 1).similarity == .init(projections: [30], scores: [0.875]))
  }

  @Test("A rate is over the last seconds")
  func rates() {
    var rates = Rates()
    let start = ContinuousClock.now
    for tenths in 0..<100 {
      rates.sample(["a": tenths < 50 ? 0 : Double(tenths - 50)], now: start + .milliseconds(100 * tenths))
    }
    #expect(abs(rates.rate("a") - 10) < 1, "\(rates.rate("a"))")
    #expect(rates.rate("b") == 0)
  }

  @Test("Numbers are written for people")
  func text() {
    #expect(
      Text.decimal(12.345) == "12.3" && Text.decimal(-0.04) == "0.0" && Text.decimal(-1.25, 2) == "−1.25"
        && Text.decimal(.nan) == "–")
    #expect(Text.decimal(0.05, 3) == "0.050" && Text.decimal(7.6, 0) == "8" && Text.percent(0.123) == "12.3 %")
    #expect(Text.duration(59.9) == "0:59" && Text.duration(3661) == "1:01:01")
  }

  @Test("The page without its script says all that is known, and what others wrote does no harm in it")
  func html() throws {
    var latest = SupervisorState()
    latest.notices = ["<script>alert('1')</script> {{run}}"]
    let status = """
      {"run": "0123456789abcdef", "phase": "scanning", "acquired": 12, "reconstructed": 10, "projections": 180, \
      "spilled": 0, "buffered": 193, "step": 1,
       "updates": 9, "updatesExpected": 203, "sweptFraction": 0, "residual": 0.5, "seconds": 61,
       "withoutRoom": ["journal of acquire"], "secondsWithoutRoom": 2.04, "notices": ["no unit: taken as <radians>"],
       "stages": [
        {"name": "acquire", "pid": 77, "isRunning": true, "restarts": 3, "hangs": 0, "epoch": 1, \
      "cursor": 17, "lag": 0}]}
      """
    latest.status = try JSONDecoder().decode(RunStatus.self, from: Data(status.utf8))
    let report = RunReport(
      latest, curves: nil, similarity: nil, rates: Rates(), window: nil, pace: .init(events: 250, pictures: 500))
    let html = Page.html(report, token: nil)
    for part in ["no room on disk for journal of acquire, 193 images in memory; projection 12", "2.0 s</dd>"] {
      #expect(html.contains(part), "\(part) is missing")
    }
    #expect(report.notices.count == 2 && report.notices[0] == "no unit: taken as <radians>")
    #expect(html.contains("<li>no unit: taken as &lt;radians&gt;</li>"))
    for part in ["12 of 180", "50.0 %", "<th scope=\"row\">acquire</th><td>runs</td>", "1:01", "scanning"] {
      #expect(html.contains(part), "\(part) is missing")
    }
    #expect(html.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; {{run}}") && !html.contains("<script>alert"))
    #expect(!html.contains("name=\"token\""))
    let token = Token()
    #expect(Page.html(report, token: token).contains("name=\"token\" value=\"\(token.text)\""))
  }

  @Test(
    "What a run is doing is said in plain words, and how long its slowest work takes",
    arguments: [
      ("scanning", 0, 0, "waiting", "reads the flat and dark fields"),
      ("scanning", 90, 40, "scanning", "projection 90 of 180, 9.0 a second, 0:28 left"),
      ("scanning", 180, 40, "catching up", "all 180 projections are there, 140 wait to be reconstructed, 0:28 left"),
      (
        "scanning", 180, 180, "final iterations",
        "all 180 projections are in the volume; iterations over all of them begin"
      ),
      ("final sweep", 180, 180, "final iterations", "25.0 % of the final iterations, 0:15 left"),
      ("exporting", 180, 180, "writing", "the volume is complete and goes to its files"),
    ])
  func states(_ phase: String, _ acquired: Int, _ used: Int, _ state: String, _ headline: String) throws {
    let status = """
      {"run": "0123", "phase": "\(phase)", "acquired": \(acquired), "reconstructed": \(used), "projections": 180,
       "spilled": 0, "buffered": 0, "step": 1, "updates": 9, "updatesExpected": 203, "sweptFraction": 0.25,
       "seconds": 61, "withoutRoom": [], "secondsWithoutRoom": 0, "stages": []}
      """
    var (latest, rates) = (SupervisorState(), Rates())
    latest.status = try JSONDecoder().decode(RunStatus.self, from: Data(status.utf8))
    let start = ContinuousClock.now
    for second in [0.0, 1] {
      rates.sample(["acquired": 9 * second, "used": 5 * second, "swept": second / 20], now: start + .seconds(second))
    }
    let report = RunReport(
      latest, curves: nil, similarity: nil, rates: rates, window: nil, pace: .init(events: 250, pictures: 500))
    #expect(report.state == state && report.headline == headline)
  }

  @Test("Each figure that a report may have has a place in the page, and the page asks for no other")
  func figures() {
    let report = RunReport(
      SupervisorState(), curves: nil, similarity: nil, rates: Rates(), window: nil,
      pace: .init(events: 250, pictures: 500))
    let html = Page.html(report, token: nil)
    for id in (RunReport.progressLabels + RunReport.ledgerLabels).map(\.0) {
      #expect(html.contains("id=\"figure-\(id)\""))
    }
    #expect(Set(LedgerWords.sentences.keys) == Set(RunReport.ledgerLabels.map(\.0)))
    #expect(html.contains("<h1>Slipring <span"))
    let ofScan = Page.html(report, token: nil, scan: 17)
    #expect(ofScan.contains("<a href=\"../../../\">Slipring</a>") && ofScan.contains("<a href=\"../\">scan 17</a>"))
    #expect(report.state == "planning")
  }
}
