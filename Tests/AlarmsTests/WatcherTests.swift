import Testing

@testable import Alarms

@Suite struct WatcherTests {
  private func watcher(_ records: String...) throws -> Watcher {
    Watcher(try records.map { try Trigger(parsing: $0) }, limits: [.lagMax: 48]) { _ in
      ThresholdModel(side: .above, limit: 0)
    }
  }

  private func look(_ watcher: inout Watcher, _ values: [(Gauge, Double)], times: Int = 1) -> [Watcher.Alarm] {
    (0..<times).flatMap { _ in
      var sample = GaugeSample(at: 1)
      for (gauge, value) in values { sample[gauge] = value }
      return watcher.look(sample)
    }
  }

  @Test func `An alarm begins when it has held, and ends when it was quiet for five seconds`() throws {
    var watcher = try watcher("x,watch=rate,model=threshold:<5,for=1s")
    #expect(look(&watcher, [(.rate, 4)], times: 9).isEmpty)
    #expect(look(&watcher, [(.rate, 6)]).isEmpty && look(&watcher, [(.rate, 4)], times: 9).isEmpty)
    let begun = look(&watcher, [(.rate, 4)])
    #expect(begun.map(\.isRaised) == [true] && begun.first?.value == 4 && watcher.isRaised(0))
    #expect(look(&watcher, [(.rate, 4)], times: 100).isEmpty)
    #expect(look(&watcher, [(.rate, 6)], times: 49).isEmpty)
    #expect(look(&watcher, [(.rate, 6)]).map(\.isRaised) == [false] && !watcher.isRaised(0))
  }

  @Test func `What has nothing new stays as it was`() throws {
    var watcher = try watcher("x,watch=rate,model=threshold:<5")
    #expect(look(&watcher, [], times: 10).isEmpty)
    #expect(look(&watcher, [(.rate, 4)]).count == 1 && look(&watcher, [], times: 100).isEmpty)
  }

  @Test func `An alarm that was told of ends for a successor that does not see why it began, and none is told twice`()
    throws
  {
    let records = ["x,watch=rate,model=threshold:<5", "y,watch=lag,model=threshold:>5"]
    var watcher = try Watcher(records.map { try Trigger(parsing: $0) }, limits: [:]) { _ in
      preconditionFailure("no program is asked")
    }
    watcher.takeOver(raised: [0: 4])
    #expect(watcher.isRaised(0) && !watcher.isRaised(1))
    #expect(look(&watcher, [(.rate, 6), (.lag, 1)], times: 49).isEmpty)
    #expect(look(&watcher, [(.rate, 6), (.lag, 1)]).map(\.isRaised) == [false] && !watcher.isRaised(0))
    // What began while nobody looked is told by who sees it still.
    #expect(look(&watcher, [(.lag, 6)]).map(\.trigger) == [1])
    watcher.takeOver(raised: [:])
    #expect(look(&watcher, [(.lag, 6)]).map(\.isRaised) == [true])
  }

  @Test func `Nothing holds in a resumed run before it is seen there, and what lasts then ends with the run`() throws {
    let record = "x,watch=rate,model=threshold:<5"
    var watcher = try watcher(record)
    _ = look(&watcher, [(.rate, 4)])
    watcher.takeOver(raised: [:])
    #expect(look(&watcher, []).map(\.isRaised) == [true], "who follows in the same run goes on")
    watcher.takeOver(raised: [:], isResumed: true)
    #expect(look(&watcher, [], times: 100).isEmpty && watcher.end().isEmpty)
    var other = try self.watcher(record)
    other.takeOver(raised: [0: 3], isResumed: true)
    #expect(other.end() == [Watcher.Alarm(trigger: 0, isRaised: false, value: 3, forecast: nil)])
    #expect(!other.isRaised(0) && other.end().isEmpty)
  }

  @Test func `A limit that the run does not have leaves its trigger out`() throws {
    let watcher = try watcher("x,watch=buffered,model=threshold:>disk-buffer", "y,watch=lag,model=threshold:>lag-max")
    #expect(watcher.triggers.map(\.name) == ["y"])
  }

  @Test func `The same samples give the same alarms`() throws {
    let records =
      "a,watch=rate,model=cusum:10 b,watch=lag,model=holt:10s>lag-max c,watch=rate,model=quantile:0.9,for=1s"
    func alarms() throws -> [Watcher.Alarm] {
      var watcher = Watcher(
        try records.split(separator: " ").map { try Trigger(parsing: String($0)) }, limits: [.lagMax: 48]
      ) { _ in ThresholdModel(side: .above, limit: 0) }
      var noise = Noise(seed: 9)
      return (0..<3000).flatMap { i in
        look(&watcher, [(.rate, 100 + noise.normal() - (i > 2000 ? 20 : 0)), (.lag, Double(max(0, i - 1500)) / 20)])
      }
    }
    let first = try alarms()
    #expect(try first == alarms() && Set(first.map(\.trigger)).isSuperset(of: [0, 1]))
  }

  @Test func `A forecast tells before the limit is reached`() throws {
    var watcher = try watcher("x,watch=lag,model=holt:30s>lag-max,for=1s")
    #expect(look(&watcher, [(.lag, 2)], times: 100).isEmpty)
    // Two projections a second more: the limit is reached after 23 s.
    let alarm = (1...230).first { !look(&watcher, [(.lag, 2 + 0.2 * Double($0))]).isEmpty }
    #expect((alarm ?? 230) < 120, "after \(alarm ?? 0) looks")
  }
}
