import Run

/// A progress bar on a terminal, a line now and then elsewhere.
final class ProgressLine: RunMonitor {
  private let isQuiet: Bool
  private var nextLine = ContinuousClock.now
  private var hasBar = false
  /// Seconds of the run when the final iterations began: what came before says nothing about how long it takes.
  private var sweepStart: Double?

  private static let barWidth = 24
  private static let linePeriod: Duration = .seconds(5)

  init(isQuiet: Bool) { self.isQuiet = isQuiet }

  func progress(_ status: RunStatus) {
    guard !isQuiet else { return }
    if status.phase == .finalIterations, sweepStart == nil { sweepStart = status.seconds }
    if Console.isTerminal {
      Console.write("\r\u{1B}[K" + Self.bar(status) + " " + text(status))
      hasBar = true
    } else if ContinuousClock.now >= nextLine {
      Console.notice(text(status))
      nextLine = .now + Self.linePeriod
    }
  }

  func notice(_ text: String) {
    end()
    if !isQuiet { Console.notice(text) }
  }

  /// Leaves the bar's line, so that what follows begins on its own.
  func end() {
    if hasBar { Console.write("\r\u{1B}[K") }
    hasBar = false
  }

  private static func bar(_ status: RunStatus) -> String {
    let done = Int(status.phaseFraction * Double(barWidth))
    return "[" + String(repeating: "█", count: done) + String(repeating: "·", count: barWidth - done) + "]"
  }

  private func text(_ status: RunStatus) -> String {
    phaseText(status) + (status.withoutRoom.isEmpty ? "" : " · no room on disk")
  }

  private func phaseText(_ status: RunStatus) -> String {
    let residual = status.residual.map { " · residual \(Self.percent($0))" } ?? ""
    switch status.phase {
    case .scanning:
      let left = status.rate > 0 ? Double(status.projections - status.acquired) / status.rate : 0
      return
        "projection \(status.acquired)/\(status.projections) · \(Self.oneDecimal(status.rate))/s · lag \(status.lag)"
        + " · update \(status.updates)/\(status.updatesExpected) · ETA \(Int(left.rounded(.up))) s\(residual)"
    case .finalIterations:
      let spent = status.seconds - (sweepStart ?? status.seconds)
      let left = status.sweptFraction > 0 ? spent * (1 - status.sweptFraction) / status.sweptFraction : 0
      return "final sweep \(Self.percent(status.sweptFraction)) · ETA \(Int(left.rounded(.up))) s\(residual)"
    case .exporting, .finished, .failed: return status.phase.rawValue
    }
  }

  private static func percent(_ fraction: Double) -> String { oneDecimal(fraction * 100) + " %" }

  /// A number with one decimal.
  static func oneDecimal(_ value: Double) -> String {
    guard value.isFinite, abs(value) < 1e15 else { return "\(value)" }
    let tenths = Int((value * 10).rounded())
    return "\(tenths / 10).\(abs(tenths % 10))"
  }
}
