import Foundation
import Host
import RunModel
import ScanPlan

/// Orders to kill stages at named points, for tests:
/// `SLIPRING_FAULTS="acquire=committed:3,claimed:1:stop;export=export-half:2"` kills the first process of acquire when
/// it has committed three events, stops its second one at its first claim, and so on; with `:trap` a process crashes. A
/// run without the variable has none.
struct FaultOrders {
  static let environmentName = "SLIPRING_FAULTS"
  private var orders: [String: [String]] = [:]

  /// Reads the environment; refuses an order without meaning.
  init() throws(ScanFailure) {
    let text = ProcessInfo.processInfo.environment[Self.environmentName] ?? ""
    for part in text.split(separator: ";") {
      let words = part.split(separator: "=")
      guard words.count == 2 else {
        throw ScanFailure(.usage, "\(Self.environmentName): \(part) is not STAGE=POINT:N[:stop|:trap|:fail],…")
      }
      let lives = words[1].split(separator: ",").map(String.init)
      for life in lives where !FaultPoint.isOrder(life) {
        let known = FaultPoint.allCases.map(\.rawValue).joined(separator: ", ")
        throw ScanFailure(
          .usage,
          "\(Self.environmentName): \(life) is not POINT:N[:stop|:trap|:fail]; the points are time (N in ms), \(known)")
      }
      orders[String(words[0])] = lives
    }
  }

  /// The environment of a stage's process: the supervisor's own, with the order for this life and no other.
  func environment(of stage: StageName, life: Int) -> [String: String] {
    let lives = orders["\(stage)"] ?? []
    var environment = ProcessInfo.processInfo.environment
    // The service manager hears from the supervisor only.
    for name in ServiceManager.environmentNames { environment[name] = nil }
    environment[FaultPoint.environmentName] = life < lives.count ? lives[life] : nil
    // A stage reports its crash itself. A debugger that the runtime starts would hold a process that is to be replaced,
    // and stay behind when that is killed.
    environment[CrashReport.runtimeVariable.name] = CrashReport.runtimeVariable.value
    return environment
  }
}
