import Foundation
import Glibc
import Host
import Logging
import Rings
import Streams

/// Tells a detector that its scan was ended, so that it does not go on for nobody.
struct StopNotice {
  /// What it is told.
  private struct Order: Encodable {
    let command = "stop"
    let run: String
    let reason: String
  }

  let hook: StopHook
  let runID: RunID
  let log: Logger

  /// Orders that are given to a detector that does not answer, how long each waits, and the pause behind it.
  private static let (attempts, timeout, pause) = (3, Duration.milliseconds(1500), Duration.milliseconds(300))

  /// Tells it, and the log what came of it. A detector that cannot be told does not keep the volume from being finished.
  func send(reason: String) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let bytes = try? encoder.encode(Order(run: "\(runID)", reason: reason)) else { preconditionFailure("text is JSON") }
    let order = String(decoding: bytes, as: UTF8.self)
    for attempt in 1...Self.attempts {
      do throws(StreamError) {
        let answer = try hook.tell(order, timeout: Self.timeout)
        return log.notice("told the detector to stop", metadata: ["hook": "\(hook)", "answer": "\(answer)"])
      } catch {
        log.warning("the detector was not told to stop", metadata: ["reason": "\(error)", "attempt": "\(attempt)"])
      }
      if attempt < Self.attempts { usleep(UInt32(Self.pause / .microseconds(1))) }
    }
  }
}
