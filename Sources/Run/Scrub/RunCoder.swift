import Foundation
import Host
import Journal
import RunModel
import ScanPlan
import Stages
import Synchronization

/// Codes what is sealed of a run's journals while it goes on, and the rest at its end, on a thread of its own that lets
/// everybody else go first. It shares nothing with the stages but the files, so that it may be ended at any point.
final class RunCoder: Sendable {
  private struct State {
    var status: CodingStatus
    /// Lines that nobody was told of yet, and those that people know.
    var lines: [String] = []
    var told: Set<String> = []
    /// By topic.
    var reports: [String: CodingReport] = [:]
    /// Devices that people were told of, as long as they fail.
    var toldLost: Set<String> = []
    /// When something was read or written last.
    var lastStep: ContinuousClock.Instant = .now
  }

  private let journals: RunJournals
  private let parity: RunParity
  private let scrub: Duration?
  private let state: Mutex<State>
  private let isStopping = Atomic<Bool>(false)
  private let isFinishing = Atomic<Bool>(false)
  private let isOver = Atomic<Bool>(false)

  /// From the end of a look to the next one; after one that failed it takes longer.
  private static let (period, retryPeriod): (Duration, Duration) = (.milliseconds(500), .seconds(5))
  private static let slice: Duration = .milliseconds(50)
  /// Reading every piece again is in nobody's way.
  private static let verifiedBytesPerSecond = 32 << 20
  /// A device that completes nothing for so long, while the run waits for its end, is not waited for.
  private static let stallLimit: Duration = .seconds(60)
  private static let stopLimit: Duration = .seconds(2)
  private static let (linesMax, uncodedMax) = (1000, 16)

  /// Begins to look for sealed segments; every piece of the shards is read again each `scrub`.
  init(_ journals: RunJournals, _ parity: RunParity, scrub: Duration?) {
    (self.journals, self.parity, self.scrub) = (journals, parity, scrub)
    state = Mutex(State(status: CodingStatus(data: parity.parity.data, parity: parity.parity.parity)))
    Thread.detachNewThread {
      Priority.yieldToAll()
      self.work()
      self.isOver.store(true, ordering: .releasing)
    }
  }

  /// Has it code all that there is, now that nobody writes, and waits for that; `lookUp` is called now and then, and
  /// may throw, which ends it.
  func finish(_ lookUp: () throws -> Void) throws {
    isFinishing.store(true, ordering: .releasing)
    while !isOver.load(ordering: .acquiring) {
      do { try lookUp() } catch {
        stop()
        throw error
      }
      let idle = state.withLock { .now - $0.lastStep }
      if idle > Self.stallLimit {
        fail("the devices of shards completed nothing for \(Self.stallLimit): what they lack is not waited for")
        return stop()
      }
      Thread.sleep(forTimeInterval: 0.02)
    }
  }

  /// Ends it, and waits for the end of what it is at; a device that hangs is not waited for.
  func stop() {
    isStopping.store(true, ordering: .releasing)
    let deadline = Deadline(after: Self.stopLimit)
    while !isOver.load(ordering: .acquiring), !deadline.hasPassed { Thread.sleep(forTimeInterval: 0.005) }
  }

  /// How far it is. Hands over what people were not told of yet.
  func look() -> (status: CodingStatus, lines: [String]) {
    state.withLock { state in
      defer { state.lines = [] }
      return (state.status, state.lines)
    }
  }

  private var mustStop: Bool { isStopping.load(ordering: .acquiring) }

  private func work() {
    var known: [String: Set<String>] = [:]
    var verifyDue = scrub.map { ContinuousClock.now + $0 }
    while !mustStop {
      let isLast = isFinishing.load(ordering: .acquiring)
      let verifies = !isLast && verifyDue.map { $0 <= .now } ?? false
      let isWell = pass(isLast ? .everything : .sealed, verifies: verifies, &known)
      if verifies { verifyDue = scrub.map { .now + $0 } }
      if isLast { return }
      rest(isWell ? Self.period : Self.retryPeriod)
    }
  }

  private func rest(_ time: Duration) {
    let deadline = Deadline(after: time)
    while !deadline.hasPassed, !mustStop, !isFinishing.load(ordering: .acquiring) {
      Thread.sleep(forTimeInterval: min(deadline.remaining, Self.slice) / .seconds(1))
    }
  }

  /// Looks at every topic; false where something is not as it should be, and is tried again later.
  private func pass(_ extent: JournalCoder.Extent, verifies: Bool, _ known: inout [String: Set<String>]) -> Bool {
    var isWell = true
    let pace = ScrubPace(bytesPerSecond: Self.verifiedBytesPerSecond) {
      self.mustStop || self.isFinishing.load(ordering: .acquiring)
    }
    state.withLock { $0.status.failure = nil }
    for topic in journals.plan.wiring.topics where !mustStop {
      step()
      var whole = known[topic.name] ?? []
      if extent == .sealed, !verifies, !hasNews(topic, whole) { continue }
      do {
        let report = try journals.code(topic, parity, extent, verifies: verifies, known: &whole) { count in
          self.step()
          return verifies ? pace.take(count) : !self.mustStop
        }
        known[topic.name] = whole
        isWell = isWell && report.isWhole
        note(report, topic, isLast: extent == .everything, verified: verifies)
      } catch {
        isWell = false
        fail("\(topic.name) cannot be coded: \(error)")
      }
    }
    return isWell
  }

  private func step() { state.withLock { $0.lastStep = .now } }

  /// Whether a segment but the last is not known to be whole.
  private func hasNews(_ topic: Topic, _ whole: Set<String>) -> Bool {
    guard let names = try? Folder(journals.folder.journal(topic)).names() else { return true }
    return !names.filter { $0.hasSuffix(".segment") }.sorted().dropLast().allSatisfy(whole.contains)
  }

  private func fail(_ line: String) {
    state.withLock { state in
      state.status.failure = line
      Self.tell(line, &state)
    }
  }

  private static func tell(_ line: String, _ state: inout State) {
    guard state.told.count < linesMax, state.told.insert(line).inserted else { return }
    state.lines.append(line)
  }

  private func note(_ report: CodingReport, _ topic: Topic, isLast: Bool, verified: Bool) {
    state.withLock { state in
      state.status.segments += report.coded
      state.status.byteCount += report.codedByteCount
      state.status.healed += report.faults.count(where: \.isHealed)
      state.reports[topic.name] = report
      var lost: [CodingStatus.Lost] = []
      for failure in state.reports.values.flatMap(\.failures) {
        // Each topic has a folder of its own on the device.
        let folder = parity.root(of: failure.folder)
        if !lost.contains(where: { $0.folder == folder }) { lost.append(.init(folder: folder, reason: failure.reason)) }
      }
      lost.sort { $0.folder < $1.folder }
      state.status.lost = lost
      // In each topic it has other words for the same.
      state.toldLost.formIntersection(lost.map(\.folder))
      for loss in lost where state.toldLost.insert(loss.folder).inserted {
        Self.tell(
          "a device of shards fails, \(loss.folder): \(loss.reason); segments that are coded meanwhile lack its shard, "
            + "and of \(state.status.data + state.status.parity) any \(state.status.parity) may be gone; slipring "
            + "journal mend \(journals.folder.path) writes what is missing", &state)
      }
      let uncoded = state.reports.sorted { $0.key < $1.key }.flatMap { name, report in
        report.lost.map { "\(name), \($0.segment): \($0.reason)" }
      }
      state.status.uncoded = Array(uncoded.prefix(Self.uncodedMax))
      for line in uncoded { Self.tell("not coded: \(line)", &state) }
      for line in report.foreignWords { Self.tell(line, &state) }
      for fault in report.faults where fault.isHealed {
        Self.tell(
          "a shard was \(verified ? "damaged or missing" : "missing"), \(fault.folder), shard \(fault.shard) of "
            + "\(fault.segment): it was written again from the others", &state)
      }
    }
  }
}

extension CodingReport {
  /// A line for each folder that has files of other journals.
  package var foreignWords: [String] {
    Dictionary(grouping: foreign, by: \.folder).sorted { $0.key < $1.key }.map { folder, files in
      "\(folder) has \(counted(files.count, "file")) of another journal, \(files[0].name) of \(files[0].owner)"
        + "\(files.count > 1 ? " the first" : ""): left as it is, and no part of this run"
    }
  }
}

extension RunJournals {
  /// Codes one topic's journal.
  func code(
    _ topic: Topic, _ parity: RunParity, _ extent: JournalCoder.Extent, verifies: Bool = false, writes: Bool = true,
    known: inout Set<String>, goesOn: @escaping (Int) -> Bool = { _ in true }
  ) throws -> CodingReport {
    try JournalCoder(copies(topic), into: parity.shards(of: topic, plan), writes: writes, goesOn: goesOn).run(
      extent, verifies: verifies, known: &known)
  }
}
