import Host
import Run
import Stages

/// What was seen of a rehearsed run, by what may be expected of it.
struct RehearsalOutcome {
  /// What it came to; nil where it has failed.
  let result: RunResult?
  /// How it ended.
  let exit: ExitStatus?
  /// From its start to its end.
  let seconds: Double
  /// Frames that the detector had no place for; nil where it has not sent the rest.
  let overrun: Int?
  /// What it said last where it failed.
  let failure: String?
  /// Whether the volume is that of a run without faults; nil where that is not known.
  var isSame: Bool?
  /// Why that is not known.
  var volumeWords = "unknown"

  init(result: RunResult?, exit: ExitStatus?, seconds: Double, overrun: Int?, failure: String?) {
    (self.result, self.exit, self.seconds, self.overrun) = (result, exit, seconds, overrun)
    self.failure = result == nil ? failure : nil
  }

  /// What became of an expectation.
  func row(_ expectation: Expectation) -> RehearsalReport.ExpectationRow {
    let (value, words) = seen(expectation.subject)
    return RehearsalReport.ExpectationRow(
      expectation: expectation.text, seen: words ?? "unknown", verdict: expectation.verdict(value))
  }

  private func seen(_ subject: Expectation.Subject) -> (Double?, String?) {
    func count(_ count: Int?) -> (Double?, String?) { (count.map(Double.init), count.map(String.init)) }
    func time(_ seconds: Double?) -> (Double?, String?) { (seconds, seconds.map(PlanWords.text)) }
    switch subject {
    case .lost: return count(result?.lost)
    case .overrun: return count(overrun)
    case .updates: return count(result?.updates)
    case .restarts: return count(result?.restarts.values.reduce(0, +))
    case .latency: return time(result?.pace?.latencyP99)
    case .seconds: return time(seconds)
    case .exit:
      switch exit {
      case .exited(let code): return count(Int(code))
      case .killed(let signal): return count(128 + Int(signal))
      case nil: return (nil, nil)
      }
    case .volume:
      return (isSame.map { $0 ? 1 : 0 }, isSame.map { $0 ? "same" : "another" } ?? volumeWords)
    }
  }
}
