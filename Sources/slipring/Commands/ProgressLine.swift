import Run
import ScanPlan

/// A progress bar on a terminal, a line now and then elsewhere.
final class ProgressLine: RunMonitor {
  private let isQuiet: Bool
  private let hasProgress: Bool
  private var nextLine = ContinuousClock.now
  private var hasBar = false
  /// Seconds of the run when the final iterations began: what came before says nothing about how long it takes.
  private var sweepStart: Double?
  /// What was there when the first projection was: time that passed before says nothing about how long the scan takes.
  private var scanStart: RunStatus?
  /// Where the source's frames come from; nil for a file.
  private var address: String?
  private var lastLine = ""

  private static let barWidth = 24
  private static let linePeriod: Duration = .seconds(5)

  /// Without progress there are only the notices.
  init(isQuiet: Bool, hasProgress: Bool = true) { (self.isQuiet, self.hasProgress) = (isQuiet, hasProgress) }

  func began(_ view: RunView) { address = view.plan.live == nil ? nil : view.plan.scan.input }

  func progress(_ status: RunStatus) {
    guard !isQuiet, hasProgress else { return }
    if status.acquired > 0, scanStart == nil { scanStart = status }
    if status.phase == .finalIterations, sweepStart == nil { sweepStart = status.seconds }
    if Console.isTerminal {
      Console.write("\r\u{1B}[K" + Self.bar(status) + " " + text(status))
      hasBar = true
    } else if ContinuousClock.now >= nextLine {
      let line = text(status)
      // While nothing happens, it is said once.
      if line != lastLine { Console.notice(line) }
      lastLine = line
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
    case .scanning where status.acquired == 0:
      return address.map { "waits for the first frame at \($0)" } ?? "waits for the first projection"
    case .scanning:
      return
        "projection \(status.acquired)/\(status.projections) · \(Self.oneDecimal(status.rate))/s · lag \(status.lag)"
        + " · update \(status.updates)/\(status.updatesExpected)\(eta(scanLeft(status)))\(residual)"
    case .finalIterations:
      let spent = status.seconds - (sweepStart ?? status.seconds)
      let left = status.sweptFraction > 0 ? spent * (1 - status.sweptFraction) / status.sweptFraction : nil
      return "final iterations \(Self.percent(status.sweptFraction))\(eta(left))\(residual)"
    case .exporting, .finished, .failed: return status.phase.rawValue
    }
  }

  private func eta(_ seconds: Double?) -> String { seconds.map { " · ETA \(Int($0.rounded(.up))) s" } ?? "" }

  /// Seconds until the slowest of what is going on has all projections; nil where nobody can know, or has them.
  private func scanLeft(_ status: RunStatus) -> Double? {
    guard let start = scanStart, status.seconds > start.seconds else { return nil }
    let parts = [(start.acquired, status.acquired), (start.reconstructed, status.reconstructed)]
    let waits = parts.filter { $0.1 < status.projections }.map { before, now -> Double? in
      let rate = Double(now - before) / (status.seconds - start.seconds)
      return rate > 0 ? Double(status.projections - now) / rate : nil
    }
    return waits.contains(nil) ? nil : waits.compactMap(\.self).max()
  }

  private static func percent(_ fraction: Double) -> String { oneDecimal(fraction * 100) + " %" }

  /// A number with one decimal.
  static func oneDecimal(_ value: Double) -> String {
    guard value.isFinite, abs(value) < 1e15 else { return "\(value)" }
    let tenths = Int((value * 10).rounded())
    return "\(tenths / 10).\(abs(tenths % 10))"
  }
}
