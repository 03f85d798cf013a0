import Stages
import Testing

@Suite struct ViewRecordTests {
  private func mistake(_ text: String) -> String? {
    do throws(ViewRecord.Mistake) {
      _ = try ViewRecord(parsing: text)
      return nil
    } catch { return error.description }
  }

  @Test(arguments: [
    "pairs,from=projections,with=updates,match=window,copy=volume:8", "p2,from=projections,with=updates.3,match=window",
    "a,from=projections:2,with=corrected:3,match=order", "a-b,from=corrected,with=corrected,match=theta:180±0.1",
    "s,from=projections,with=scores,match=order",
    "c,from=corrected,with=updates,match=window,copy=volume:3-7,store=0.5",
  ])
  func `A record reads back as it is written`(text: String) throws {
    let record = try ViewRecord(parsing: text)
    #expect(record.text == text)
    #expect(try ViewRecord(parsing: record.text) == record)
  }

  @Test func `What is left out has a meaning`() throws {
    let record = try ViewRecord(parsing: "name=axis,match=theta:180+-0.1,from=projections")
    #expect(record.match == .angle(180, 0.1) && record.with == .projections && record.name == "axis")
    #expect(try ViewRecord(parsing: "a,from=projections,with=updates,match=window,copy=volume:4").copied == 4..<5)
  }

  @Test(arguments: [
    ("", "its name"), ("Pairs,from=projections", "its name"), ("1a,from=projections,match=order", "its name"),
    ("a,from=projections,with=updates", "match is not"),
    ("a,from=projections,with=updates,match=halves", "match is not"),
    ("a,from=projections,match=theta:180", "match is not"), ("a,from=projections,match=theta:361±1", "match is not"),
    ("a,from=nothing,match=order", "from is not"), ("a,from=projections,match=order", "with is not"),
    ("a,from=projections:0,with=scores,match=order", "1 to 16"),
    ("a,from=projections:17,with=scores,match=order", "1 to 16"),
    ("a,from=projections,with=updates,match=order", "one worker"),
    ("a,from=projections,with=updates.x,match=order", "with is"),
    ("a,from=updates.0,with=updates.1,match=window", "joins from=projections"),
    ("a,from=projections:2,with=updates,match=window", "no numbers"),
    ("a,from=projections,with=corrected,match=theta:180±1", "with the same"),
    ("a,from=projections,with=scores,match=order,copy=volume:1", "match=window"),
    ("a,from=projections,with=updates,match=window,copy=volume", "volume:ROW"),
    ("a,from=projections,with=updates,match=window,copy=volume:7-3", "volume:ROW"),
    ("a,from=projections,with=updates,match=window,copy=volume:0-64", "at most 64 rows"),
    ("a,from=projections,with=updates,match=window,store=2", "goes with copy="),
    ("a,from=projections,with=updates,match=window,copy=volume:1,store=0", "GiB"),
    ("a,from=projections,from=projections,match=order", "twice"), ("a,to=projections", "no to="), ("a,x", "KEY=VALUE"),
    ("a,from=" + String(repeating: "x", count: 300), "longer"),
  ])
  func `What is no record is told`(text: String, words: String) {
    #expect(mistake(text)?.contains(words) == true, "\(mistake(text) ?? "none")")
  }
}
