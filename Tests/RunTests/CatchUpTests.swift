import Testing

@testable import Run

@Suite struct CatchUpTests {
  private let start = ContinuousClock.now
  private static let behind = CatchUp.Backlog(lag: 41, latency: nil, isSlowed: false)
  private static let ahead = CatchUp.Backlog(lag: 9, latency: nil, isSlowed: false)

  /// Looks ten times a second from the first second up to the last, and does what is to be done. The steps, and the
  /// tenths at which they came.
  private func look(
    _ catchUp: inout CatchUp, _ present: inout Set<Int>, seconds: Range<Int>, _ backlog: (Int) -> CatchUp.Backlog
  ) -> [(tenth: Int, step: CatchUp.Step)] {
    var steps: [(tenth: Int, step: CatchUp.Step)] = []
    for tenth in seconds.lowerBound * 10..<seconds.upperBound * 10 {
      let now = start + .milliseconds(100) * tenth
      guard let step = catchUp.next(backlog(tenth), present: present, at: now) else { continue }
      steps.append((tenth, step))
      switch step {
      case .add:
        let number = (present.max() ?? 0) + 1
        present.insert(number)
        catchUp.didAdd(number, at: now)
      case .drain(let number):
        present.remove(number)
        catchUp.didDrain(number, at: now)
      }
    }
    return steps
  }

  @Test func `workers come while the run is behind, one in a period, and go when it has caught up`() {
    var catchUp = CatchUp(most: 2, lagMax: 40, latencyMax: nil), present: Set = [0]
    let came = look(&catchUp, &present, seconds: 0..<20) { _ in Self.behind }
    #expect(came.map(\.step) == [.add, .add] && came.map(\.tenth) == [0, 30])
    #expect(catchUp.report == CatchUpStatus(workers: [1, 2], added: 2, drained: 0, refusal: nil))
    // In between, nothing changes; nor while updates are made less often.
    let between = look(&catchUp, &present, seconds: 20..<40) { .init(lag: $0 % 2 == 0 ? 40 : 10, isSlowed: false) }
    #expect(between.isEmpty)
    let slowed = look(&catchUp, &present, seconds: 40..<60) { _ in .init(lag: 0, isSlowed: true) }
    #expect(slowed.isEmpty)
    let went = look(&catchUp, &present, seconds: 60..<80) { _ in Self.ahead }
    // What was calm for the one that went begins anew for the next: at the look behind.
    #expect(went.map(\.step) == [.drain(2), .drain(1)] && went.map(\.tenth) == [630, 661])
    #expect(catchUp.report == CatchUpStatus(workers: [], added: 2, drained: 2, refusal: nil) && present == [0])
  }

  @Test func `a worker that has to come back again and again stays longer each time`() {
    var catchUp = CatchUp(most: 1, lagMax: 40, latencyMax: nil), present: Set = [0]
    // Behind whenever it is alone.
    var there = false
    var steps: [(tenth: Int, step: CatchUp.Step)] = []
    for second in 0..<600 {
      let now = look(&catchUp, &present, seconds: second..<second + 1) { _ in there ? Self.ahead : Self.behind }
      steps += now
      there = !catchUp.workers.isEmpty
    }
    let stays = zip(steps, steps.dropFirst()).filter { $0.0.step == .add }.map { $1.tenth - $0.tenth }
    #expect(stays.count >= 5, "\(stays)")
    #expect(zip(stays, stays.dropFirst()).allSatisfy { $1 > $0 + $0 / 2 }, "\(stays)")
  }

  @Test func `seconds count as projections do`() {
    var catchUp = CatchUp(most: 1, lagMax: 0, latencyMax: 2), present: Set = [0]
    let before = look(&catchUp, &present, seconds: 0..<5) { _ in .init(lag: 9999, latency: 2, isSlowed: false) }
    #expect(before.isEmpty)
    let came = look(&catchUp, &present, seconds: 5..<6) { _ in .init(lag: 0, latency: 2.1, isSlowed: false) }
    #expect(came.map(\.step) == [.add])
    let waiting = look(&catchUp, &present, seconds: 6..<20) { _ in .init(lag: 0, latency: 0.5, isSlowed: false) }
    #expect(waiting.isEmpty)
    let went = look(&catchUp, &present, seconds: 20..<30) { _ in .init(lag: 0, latency: 0.4, isSlowed: false) }
    #expect(went.map(\.step) == [.drain(1)])
  }

  @Test func `what cannot be done is said once, and what a person did stays for a while`() {
    var catchUp = CatchUp(most: 1, lagMax: 40, latencyMax: nil), present: Set = [0]
    let first = catchUp.next(Self.behind, present: present, at: start)
    #expect(first == .add)
    let isNew = catchUp.didRefuse("no core", at: start)
    #expect(isNew)
    let early = catchUp.next(Self.behind, present: present, at: start + .seconds(1))
    #expect(early == nil)
    let second = catchUp.next(Self.behind, present: present, at: start + CatchUp.period)
    #expect(second == .add)
    let isNewAgain = catchUp.didRefuse("no core", at: start + CatchUp.period)
    #expect(!isNewAgain)
    #expect(catchUp.report.refusal == "no core")
    let third = look(&catchUp, &present, seconds: 6..<7) { _ in Self.behind }
    #expect(third.map(\.step) == [.add])
    // A person takes it away.
    catchUp.rest(at: start + .seconds(10))
    let ahead = look(&catchUp, &present, seconds: 10..<60) { _ in Self.ahead }
    #expect(ahead.isEmpty)
    catchUp.rest(at: start + .seconds(60))
    present = [0]
    let behind = look(&catchUp, &present, seconds: 60..<119) { _ in Self.behind }
    #expect(behind.isEmpty && catchUp.workers.isEmpty)
    let last = look(&catchUp, &present, seconds: 119..<121) { _ in Self.behind }
    #expect(last.map(\.tenth) == [1200])
  }
}
