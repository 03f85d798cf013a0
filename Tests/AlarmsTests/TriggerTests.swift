import Testing

@testable import Alarms

@Suite struct TriggerTests {
  private static let records = [
    "beam-lost,watch=intensity,model=cusum:<20,then=notify+pause-windows",
    "a,watch=rate,model=threshold:<5.5", "b,watch=lag,model=holt:30s>lag-max,for=1s,then=log",
    "c,watch=dead-rows,model=quantile:0.99,for=10s,then=hook:/opt/alarm.sh,severity=critical",
    "d,watch=disk-spare,model=holt:600s<0,then=finalize", "e,watch=buffered,model=threshold:>disk-buffer,then=widen",
    "f,watch=residual,model=program:/opt/model.py", "g,watch=io-pressure,model=ewma:6,severity=notice",
  ]

  @Test func `A record is no longer than an event has room for, as it is written there`() throws {
    let start = "x,watch=rate,model=threshold:<5,for=1h,then=hook:/"
    let path = String(repeating: "a", count: 512 - start.utf8.count)
    #expect(throws: Trigger.Mistake.self) { try Trigger(parsing: start + path) }
    #expect(try Trigger(parsing: start + path.dropLast(3)).text.utf8.count == 512)
  }

  @Test(arguments: records) func `A record comes back as it was written`(text: String) throws {
    let trigger = try Trigger(parsing: text)
    #expect(try trigger.text == text && Trigger(parsing: trigger.text) == trigger)
  }

  @Test func `The standard set can be written, and its names are its own`() throws {
    for trigger in Trigger.standard { #expect(try Trigger(parsing: trigger.text) == trigger) }
    #expect(Set(Trigger.standard.map(\.name)).count == Trigger.standard.count)
  }

  @Test func `A name may be a key as well, and times have units`() throws {
    let trigger = try Trigger(parsing: "name=x,watch=rate,model=holt:2m<1,for=500ms")
    #expect(trigger.name == "x" && trigger.seconds == 0.5 && trigger.model == .holt(seconds: 120, .below, .number(1)))
  }

  @Test(arguments: [
    ("", "name"), ("X,watch=rate,model=cusum:5", "name"), ("x,watch=nothing,model=cusum:5", "intensity"),
    ("x,watch=rate", "model"), ("x,watch=rate,model=cusum", "model"), ("x,watch=rate,model=cusum:-5", "model"),
    ("x,watch=rate,model=holt:30>5", "model"), ("x,watch=rate,model=threshold:5", "model"),
    ("x,watch=rate,model=quantile:1", "model"), ("x,watch=rate,model=program:relative", "model"),
    ("x,watch=rate,model=threshold:>nan", "model"), ("x,watch=rate,model=cusum:5,watch=lag", "twice"),
    ("x,watch=rate,model=cusum:5,then=shout", "then"), ("x,watch=rate,model=cusum:5,then=log+log", "then"),
    ("x,watch=rate,model=cusum:5,for=2d", "for"), ("x,watch=rate,model=cusum:5,for=0x10s", "for=0x10s"),
    ("x,watch=rate,model=cusum:5,for=1e1s", "for=1e1s"), ("x,watch=rate,model=cusum:5,for=+5s", "for=+5s"),
    ("x,watch=rate,model=cusum:5,for=0.1ms", "for=0.1ms"), ("x,watch=rate,model=holt:0x10s<1", "model"),
    ("x,watch=rate,model=threshold:>0x10", "model"), ("x,watch=rate,model=quantile:0x1p-1", "model"),
    ("x,watch=rate,model=cusum:5,color=red", "color"),
    ("x,rate,model=cusum:5", "KEY=VALUE"), ("x,watch=rate,model=cusum:5,severity=high", "severity"),
  ]) func `A mistake is told by what is wrong`(text: String, word: String) {
    let mistake = #expect(throws: Trigger.Mistake.self) { try Trigger(parsing: text) }
    #expect(mistake?.description.contains(word) == true, "\(mistake?.description ?? "")")
  }

  @Test func `Places of gauges stay what they are on disk`() {
    #expect(Gauge.allCases.map(\.place) == Array(0..<24))
    #expect(Gauge.intensity.place == 0 && Gauge.diskSpare.place == 8 && Gauge.workerSpread.place == 22)
  }
}
