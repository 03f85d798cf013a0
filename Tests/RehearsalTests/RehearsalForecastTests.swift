import ScanPlan
import Testing

@testable import Rehearsal

/// What is said of a rehearsal before it begins.
@Suite struct RehearsalForecastTests {
  /// 50 frames a second of 32 KiB for four seconds.
  private func forecast(
    _ faults: [(String, String)], memory: Int = 20, timeout: Double? = nil, buffer: Double? = nil
  ) -> RehearsalForecast {
    var scan = ScanDescription.standard
    (scan.sourceTimeout, scan.diskBuffer) = (timeout, buffer)
    return RehearsalForecast(
      scan, rate: 50, frames: 200, frameByteCount: 32 << 10, memory: memory,
      faults: faults.compactMap { RehearsalFault(moment: $0.0, action: $0.1) })
  }

  @Test func `Nothing is lost where nothing happens`() {
    let forecast = forecast([])
    #expect(forecast.lost == 0)
    #expect(
      forecast.lines == [
        "detector: 50.0 frames a second of 32.0 KiB, 13.1 Mbit/s; its memory holds 20 frames, 0.4 s",
        "lost: none for want of room",
      ], "\(forecast.lines)")
  }

  @Test func `A cut costs what does not fit into the memory`() {
    let short = forecast([("at 1s", "link down 300ms")]), long = forecast([("at 1s", "link down 2s")])
    #expect(short.lost == 0)
    #expect((78...82).contains(long.lost), "\(long.lost)")
    #expect(short.lines[1].contains("15 frames pile up") && short.lines[1].hasSuffix("none is lost"), "\(short.lines)")
    #expect(long.lines[1].contains("100 frames pile up") && long.lines[1].hasSuffix("about 80 are lost"))
    // Two cuts with no time between them are one.
    #expect(forecast([("at 1s", "link down 300ms"), ("at 1.3s", "link down 300ms")]).lost > 5)
  }

  @Test func `A cut that is longer than the source may be silent ends the scan`() {
    let lines = forecast([("at 1s", "link down 2s")], timeout: 1.5).lines
    #expect(lines.contains { $0.contains("longer than source-timeout, 1.5 s") }, "\(lines)")
    #expect(!lines.contains { $0.contains("lost with the connection") })
    let closed = forecast([("at 1s", "link closed 2s")], timeout: 1.5)
    #expect(closed.lines.count == lines.count + 1 && closed.lines.contains { $0.hasSuffix("lost with the connection") })
    #expect(closed.lost == forecast([("at 1s", "link down 2s")]).lost)
  }

  @Test func `A link that is too slow is seen, and one that is free again ends the losses`() {
    // 25 frames a second.
    let slow = forecast([("at 0s", "link 6.5536mbit")])
    #expect((75...85).contains(slow.lost), "\(slow.lost)")
    #expect(slow.lines[1].contains("carries 25.0 of 50.0 frames a second"), "\(slow.lines)")
    #expect(slow.lines[1].hasSuffix("full 0.8 s later"), "\(slow.lines)")
    #expect(forecast([("at 0s", "link 6.5536mbit"), ("at 0.7s", "link free")]).lost == 0)
    #expect(forecast([("at 0s", "link 100mbit")]).lost == 0)
  }

  @Test func `A full disk costs what fits neither into the run nor into the detector`() {
    let fault = [("at 0s", "disk full 3s")]
    #expect(forecast(fault).lost == 0)
    // 1000 messages wait in any case, so that nothing of this scan is lost.
    #expect(forecast(fault, buffer: 0).lost == 0)
    var scan = ScanDescription.standard
    scan.diskBuffer = 0
    let wide = RehearsalForecast(
      scan, rate: 100, frames: 1000, frameByteCount: 8 << 20, memory: 20,
      faults: fault.compactMap { RehearsalFault(moment: $0.0, action: $0.1) })
    #expect(wide.buffer == 8 && (265...275).contains(wide.lost), "\(wide.buffer), \(wide.lost)")
  }

  @Test func `What is beyond any number is said all the same`() {
    let forecast = RehearsalForecast(
      ScanDescription.standard, rate: 1e6, frames: 10, frameByteCount: 65_536 * 65_536 * 4, memory: 1_000_000,
      faults: [("at 0s", "link down 1440m"), ("at 0s", "disk full 1440m"), ("at 0s", "link 8kbit")].compactMap {
        RehearsalFault(moment: $0.0, action: $0.1)
      })
    #expect(forecast.lines[1].contains("86400000000 frames pile up"), "\(forecast.lines)")
    #expect(PlanWords.text(1e30) == "more than 1000000000 s" && PlanWords.text(.infinity) == PlanWords.text(1e30))
  }

  @Test func `What dies with a process, and what comes too late, is said`() {
    let lines = forecast([
      ("at 1s", "kill acquire"), ("at 2s", "kill distribute"), ("at 3s", "kill any"), ("at 9s", "machine"),
    ]).lines
    #expect(lines.count { $0.contains("lost with the process") } == 3)
    #expect(lines.count { $0.contains("where it is acquire, frames") } == 1)
    #expect(lines.contains("at 9s: machine: comes after the last frame, which is due at 4 s"), "\(lines)")
  }
}
