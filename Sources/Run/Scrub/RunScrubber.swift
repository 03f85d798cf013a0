import Foundation
import Host
import Journal
import RunModel
import ScanPlan
import Stages
import Synchronization

/// Reads a run's journals again now and then while it goes on, on a thread of its own that lets everybody else go
/// first. It shares nothing with the stages but the files, so that it may be ended at any point.
final class RunScrubber: Sendable {
  /// A place that is damaged.
  private struct Place: Hashable {
    let folder: String
    let segment: String?
    let record: UInt64?
    let through: UInt64?
  }

  private struct State {
    var status = ScrubStatus()
    /// Lines that nobody was told of yet.
    var lines: [String] = []
    /// What is known of each place.
    var outcomes: [Place: ScrubFinding.Outcome] = [:]
  }

  private let journals: RunJournals
  private let interval: Duration
  private let state = Mutex(State())
  private let isStopping = Atomic<Bool>(false)
  private let isOver = Atomic<Bool>(false)

  /// A tenth of what a slow disk reads, and little of a processor.
  private static let bytesPerSecond = 32 << 20
  private static let slice: Duration = .milliseconds(50)
  /// A thread that is in the middle of a call to a disk that hangs is not waited for.
  private static let stopLimit: Duration = .seconds(2)
  private static let (placesMax, findingsMax) = (10_000, 16)

  /// Begins a pass `interval` after now, and after the end of each pass.
  init(_ journals: RunJournals, interval: Duration) {
    (self.journals, self.interval) = (journals, interval)
    Thread.detachNewThread {
      Priority.yieldToAll()
      while self.rest() { self.pass() }
      self.isOver.store(true, ordering: .releasing)
    }
  }

  /// Ends it, and waits for the end of what it is at.
  func stop() {
    isStopping.store(true, ordering: .releasing)
    let deadline = Deadline(after: Self.stopLimit)
    while !isOver.load(ordering: .acquiring), !deadline.hasPassed { Thread.sleep(forTimeInterval: 0.005) }
  }

  /// How far it is; nil before anything was read. Hands over what people were not told of yet.
  func look() -> (status: ScrubStatus?, lines: [String]) {
    state.withLock { state in
      defer { state.lines = [] }
      return (state.status == ScrubStatus() ? nil : state.status, state.lines)
    }
  }

  private var mustStop: Bool { isStopping.load(ordering: .acquiring) }

  private func rest() -> Bool {
    let deadline = Deadline(after: interval)
    while !deadline.hasPassed, !mustStop {
      Thread.sleep(forTimeInterval: min(deadline.remaining, Self.slice) / .seconds(1))
    }
    return !mustStop
  }

  private func pass() {
    let pace = ScrubPace(bytesPerSecond: Self.bytesPerSecond) { self.mustStop }
    var (failure, isComplete): (String?, Bool) = (nil, true)
    for topic in journals.plan.wiring.topics where !mustStop {
      do {
        let report = try journals.scrub(topic, goesOn: pace.take) { self.note($0, of: topic) }
        isComplete = isComplete && report.isComplete
        state.withLock { state in
          state.status.segments += report.segments
          state.status.byteCount += report.byteCount
        }
      } catch {
        failure = "\(topic.name) cannot be read again: \(error)"
      }
    }
    state.withLock { state in
      if isComplete, failure == nil, !mustStop { state.status.passes += 1 }
      if let failure, state.status.failure != failure { state.lines.append(failure) }
      state.status.failure = failure
    }
  }

  /// Takes note of a damage, each place once, and of what became of it.
  private func note(_ finding: ScrubFinding, of topic: Topic) {
    let place = Place(
      folder: finding.folder, segment: finding.segment, record: finding.record, through: finding.through)
    state.withLock { state in
      let before = state.outcomes[place]
      // One that was mended, and is damaged again, is another one.
      guard before != finding.outcome || finding.outcome == .mended, state.outcomes.count < Self.placesMax else {
        return
      }
      if before == nil || before == .mended { state.status.found += 1 }
      if finding.outcome == .mended { state.status.mended += 1 }
      state.outcomes[place] = finding.outcome
      let line = "damage on disk, \(topic.name): \(finding)"
      state.lines.append(line)
      state.status.findings = Array((state.status.findings + [line]).suffix(Self.findingsMax))
    }
  }
}
