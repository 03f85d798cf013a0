import Testing

@testable import Stages

/// When an uplink that may choose packs rows.
struct PackingChoiceTests {
  /// Looks one after the other; gives after each whether rows are packed.
  private func looks(_ looks: [(lag: UInt64, idle: Double?)], _ choice: inout PackingChoice) -> [Bool] {
    looks.map {
      choice.look(lag: $0.lag, idleCores: $0.idle)
      return choice.packs
    }
  }

  /// One that packs, with 40 events that wait.
  private var packing: PackingChoice {
    var choice = PackingChoice()
    #expect(looks([(20, 2), (30, 2), (40, 2)], &choice) == [false, false, true])
    return choice
  }

  @Test func `Rows are packed once more and more wait for three looks and a core idles`() {
    _ = packing
    var choice = PackingChoice()
    // A lag that stands still, one that is what is under way, cores that work, and cores that nobody knows of.
    #expect(!looks((0..<9).map { _ in (50, 2) }, &choice).contains(true))
    #expect(!looks((0..<8).map { (UInt64($0), 2) }, &choice).contains(true))
    #expect(!looks((0..<9).map { (UInt64(20 + $0), 0.9) }, &choice).contains(true))
    #expect(!looks((0..<9).map { (UInt64(40 + $0), nil) }, &choice).contains(true))
    // Not three in a row.
    #expect(!looks([(60, 2), (70, 2), (70, 2), (80, 2), (90, 0.5), (95, 2), (99, 2)], &choice).contains(true))
  }

  @Test func `They stay packed while events wait, and until nothing waited for ten looks`() {
    var choice = packing
    #expect(!looks((0..<50).map { _ in (40, 0.6) }, &choice).contains(false))
    #expect(!looks((0..<9).map { _ in (0, 2) } + [(9, 2)], &choice).contains(false))
    #expect(looks((0..<10).map { _ in (7, 2) }, &choice) == Array(repeating: true, count: 9) + [false])
    // And begin again only as at first.
    #expect(looks([(20, 2), (30, 2), (40, 2)], &choice) == [false, false, true])
  }

  @Test func `They go as they are where others need the cores for three looks`() {
    var choice = packing
    #expect(looks([(50, 0.4), (60, 0.4), (70, 0.5), (80, 0.4), (90, 0.4), (95, 0.4)], &choice).last == false)
    choice = packing
    #expect(!looks([(50, 0.4), (60, 0.4), (70, 0.5), (80, 0.4), (90, 0.4)], &choice).contains(false))
    choice = packing
    #expect(looks([(50, nil), (60, nil), (70, nil)], &choice) == [true, true, false])
  }

  @Test func `Idle time is that of the cores that may be used`() throws {
    let text =
      "cpu  9 9 9 99 9 0 0\ncpu0 1 2 3 40 5 6 7\ncpu1 1 2 3 100 20 6 7\ncpu10 1 1 1 1000 1 1 1\nintr 5 6 7 8 9 10\n"
    #expect(IdleCores.idleTicks(text, of: [0]) == 45 && IdleCores.idleTicks(text, of: [0, 1]) == 165)
    #expect(IdleCores.idleTicks(text, of: [0, 2]) == nil && IdleCores.idleTicks(text, of: []) == nil)
    #expect(IdleCores.idleTicks("cpu0 1 2 3 x 5 6", of: [0]) == nil)
    var idle = IdleCores()
    #expect(idle.look() == nil)
  }
}
