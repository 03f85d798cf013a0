import Detectors
import Foundation
import Glibc
import Logging

/// What came of telling the detector that its scan was ended: the content of a run's `stop.json`.
package struct StopReport: Codable, Equatable, Sendable {
  /// Where it was told.
  var hook: String
  /// Whether it took the order.
  package var wasTold: Bool
  /// What it answered, or why it was not told.
  var answer: String

  /// For people.
  package var words: String {
    wasTold ? "told the detector to stop: \(answer)" : "the detector was not told to stop, see to it: \(answer)"
  }
}

/// Tells a detector that its scan was ended, so that it does not go on for nobody.
struct StopNotice {
  /// What it is told.
  private struct Order: Encodable {
    let command = "stop"
    let run: String
    let reason: String
  }

  let hook: StopHook
  let run: String
  let log: Logger

  /// Orders that are given to a detector that does not answer, how long each waits, and the pause behind it.
  private static let (attempts, timeout, pause) = (3, Duration.seconds(5), Duration.milliseconds(300))

  /// Tells it, and the log what came of it. A detector that cannot be told does not keep the volume from being
  /// finished.
  func send(reason: String) -> StopReport {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let bytes = try? encoder.encode(Order(run: run, reason: reason)) else {
      preconditionFailure("text is JSON")
    }
    let order = String(decoding: bytes, as: UTF8.self)
    var report = StopReport(hook: "\(hook)", wasTold: false, answer: "")
    for attempt in 1...Self.attempts where !report.wasTold {
      if attempt > 1 { usleep(UInt32(Self.pause / .microseconds(1))) }
      do throws(StreamError) {
        report = StopReport(hook: "\(hook)", wasTold: true, answer: try hook.tell(order, timeout: Self.timeout))
        log.notice("told the detector to stop", metadata: ["hook": "\(hook)", "answer": "\(report.answer)"])
      } catch {
        report.answer = "\(error)"
        log.warning("the detector was not told to stop", metadata: ["reason": "\(error)", "attempt": "\(attempt)"])
      }
    }
    return report
  }
}
