internal import CLinux
internal import Glibc
internal import Synchronization

/// Places where a test can have a process killed, to see that nothing is lost there. Without an order in the environment,
/// `reach` does nothing.
public enum FaultPoint: String, Sendable, CaseIterable {
  /// A slot is claimed and still empty.
  case claimed
  /// A payload is written and has no header yet.
  case payloadWritten = "payload-written"
  /// An event is committed.
  case committed
  /// A chunk event was sent to one worker and not yet to the next.
  case chunksHalf = "chunks-half"
  /// An event was handled and its slot is not given back yet.
  case unreleased
  /// An update is computed and the volume not yet flipped.
  case flipBefore = "flip-before"
  /// The volume is flipped and the update not yet reported.
  case flipAfter = "flip-after"
  /// A block of the final sweep is complete and the volume not yet flipped.
  case blockSwept = "block-swept"
  /// Everything was followed, and nothing is written yet.
  case exportBefore = "export-before"
  /// Some files are written and others not.
  case exportHalf = "export-half"
  /// All files are written and the report is not.
  case exportAfter = "export-after"

  /// The environment variable with the order: `point:n` kills this process when it reaches the point for the n-th time, from 1;
  /// `time:ms` kills it so many milliseconds after `arm`, wherever it is then.
  public static let environmentName = "SLIPRING_FAULT"

  /// Whether `order` is one that this type understands.
  public static func isOrder(_ order: String) -> Bool { parse(order) != nil }

  /// Starts the timer of a `time` order. To be called when a stage begins.
  public static func arm() {
    if let (point, milliseconds) = order, point == nil { clinux_kill_self_after(UInt64(milliseconds) * 1_000_000) }
  }

  /// Says that the process is at this point.
  public func reach() {
    guard let (point, count) = Self.order, point == self else { return }
    if Self.reached.wrappingAdd(1, ordering: .relaxed).newValue == count { kill(getpid(), SIGKILL) }
  }

  /// A nil point is the timer.
  private static let order: (point: FaultPoint?, count: Int)? = getenv(environmentName).flatMap { parse(String(cString: $0)) }
  private static let reached = Atomic<Int>(0)

  private static func parse(_ text: String) -> (point: FaultPoint?, count: Int)? {
    let words = text.split(separator: ":")
    guard words.count == 2, let count = Int(words[1]), (1...1_000_000).contains(count) else { return nil }
    if words[0] == "time" { return (nil, count) }
    return FaultPoint(rawValue: String(words[0])).map { ($0, count) }
  }
}
