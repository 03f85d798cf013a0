internal import CLinux
internal import Glibc
internal import Synchronization

/// Places where a test can have a process killed, stopped or held up, to see that nothing is lost there. Without an
/// order in the environment, `reach` does nothing.
package enum FaultPoint: String, Sendable, CaseIterable {
  /// A scan file is to be opened.
  case sourceOpening = "source-opening"
  /// A scan is open and nothing is planned yet.
  case planning
  /// A rotation axis is to be found.
  case axisSearch = "axis-search"
  /// A disk's speed is to be measured.
  case diskProbe = "disk-probe"
  /// Some of a run's shared memory is made.
  case regionsHalf = "regions-half"
  /// A slot is claimed and still empty.
  case claimed
  /// Half of a payload is written; the other half is noise.
  case payloadHalf = "payload-half"
  /// A payload is written and has no header yet.
  case payloadWritten = "payload-written"
  /// An event is committed.
  case committed
  /// Records were handed to the journal, which has submitted them if its device was idle. Counts every hand-over of the
  /// process.
  case submit
  /// Records are durable and the ring has not published them. Counts every such step of the process.
  case completion
  /// A file is whole and durable under its temporary name. Counts every file of the process.
  case renameBefore = "rename-before"
  /// A file has its name, which is not yet durable.
  case renameAfter = "rename-after"
  /// An order was sent to one worker and not yet to the next.
  case ordersHalf = "orders-half"
  /// An event was handled and its slot is not given back yet.
  case unreleased
  /// The rotation axis of a scan that goes on is found, and nobody was told.
  case axisFound = "axis-found"
  /// An update is computed and the volume not yet flipped.
  case flipBefore = "flip-before"
  /// The volume is flipped and the update not yet reported.
  case flipAfter = "flip-after"
  /// A block of the final iterations is complete and the volume not yet flipped.
  case blockSwept = "block-swept"
  /// Half of what the solver of the final iterations knows after a subset is saved.
  case subsetHalf = "subset-half"
  /// All of it is saved.
  case subsetSaved = "subset-saved"
  /// A score was committed.
  case scored
  /// A run is to be finalized, and nobody was told yet.
  case commandBefore = "command-before"
  /// The command to finalize is durable.
  case commandAfter = "command-after"
  /// The acquisition is to end early, a detector that can be told was, and the end is not written yet.
  case stopTold = "stop-told"
  /// Some slices are denoised and others not.
  case slicesDenoised = "slices-denoised"
  /// Everything was followed, and nothing is written yet.
  case exportBefore = "export-before"
  /// Some files are written and others not.
  case exportHalf = "export-half"
  /// All files are written and the report is not.
  case exportAfter = "export-after"

  /// The environment variable with the order: `point:n` kills this process when it reaches the point for the n-th time,
  /// from 1; `time:ms` kills it so many milliseconds after `arm`, wherever it is then. With `:stop` behind it the
  /// process is stopped (SIGSTOP) instead, and looks as one that hangs; with `:trap` it crashes (SIGILL); with `:fail`
  /// it ends with the exit status of an error of reading or writing. With `:pause` behind a point only the thread waits
  /// there, as for a disk that does not answer, and says so on standard error.
  package static let environmentName = "SLIPRING_FAULT"

  /// Whether `order` is one that this type understands.
  package static func isOrder(_ order: String) -> Bool { parse(order) != nil }

  /// Starts the timer of a `time` order. To be called when a stage begins.
  package static func arm() {
    if let order, order.point == nil, case .signal(let signal) = order.action {
      clinux_signal_self_after(UInt64(order.count) * 1_000_000, signal)
    }
  }

  /// Says that the process is at this point. Where it is ordered to end here, `spoil` is called first: it leaves behind
  /// what a death in the middle of the work would leave.
  package func reach(spoil: () -> Void = {}) {
    guard let order = Self.order, order.point == self else { return }
    guard Self.reached.wrappingAdd(1, ordering: .relaxed).newValue == order.count else { return }
    spoil()
    switch order.action {
    // To this thread, not to the process, so that it does not run a step further while another thread takes the signal.
    case .signal(let signal): raise(signal)
    case .fail: _exit(SysExit.inputOutput.rawValue)
    case .pause: pause()
    }
  }

  private func pause() {
    let line = "paused at \(rawValue)\n"
    _ = write(2, line, line.utf8.count)
    let deadline = Deadline(after: Self.pauseLimit)
    while !deadline.hasPassed { usleep(10_000) }
  }

  private static let pauseLimit: Duration = .seconds(60)

  private enum Action {
    case signal(Int32)
    case fail
    case pause
  }

  private struct Order {
    /// Nil for the timer.
    var point: FaultPoint?
    var count: Int
    var action: Action
  }

  private static let order = getenv(environmentName).flatMap { parse(String(cString: $0)) }
  private static let reached = Atomic<Int>(0)

  private static func parse(_ text: String) -> Order? {
    let words = text.split(separator: ":", omittingEmptySubsequences: false)
    let actions = [
      "": Action.signal(SIGKILL), "stop": .signal(SIGSTOP), "trap": .signal(SIGILL), "fail": .fail, "pause": .pause,
    ]
    guard (2...3).contains(words.count), let count = Int(words[1]), (1...1_000_000).contains(count),
      let action = actions[words.count == 3 ? String(words[2]) : ""], words.last != ""
    else { return nil }
    let point = FaultPoint(rawValue: String(words[0]))
    if point == nil, words[0] != "time" || ["pause", "fail"].contains(words.last) { return nil }
    return Order(point: point, count: count, action: action)
  }
}
