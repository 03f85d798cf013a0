import RunModel
import Stages
import Testing

/// Scores mean the same whatever else is known, however late they are made, and whoever makes them.
@Suite struct ScoreComparabilityTests {
  private typealias Bench = ControlBench

  /// Streaks that fade fast, and noise that fades slowly.
  private func slice(_ index: Int) -> [Float] {
    let streaks = Float(index < 20 ? 20 - index : 0) / 10
    return Bench.image(index, noise: 0.3 - 0.004 * Float(index)).enumerated().map { pixel, value in
      pixel % 7 == 0 ? value + streaks : value
    }
  }

  private var course: Bench.Course { Bench.Course(slice: slice) }
  private let configuration = Bench.configuration(similarityMin: 0.7, patience: 3, endedFrom: 30)

  @Test func `A reference changes neither scores nor grey values nor the decision`() throws {
    let plain = try Bench.decide(configuration, course)
    var known = course
    known.truth = Bench.image(0, noise: 0)
    let watched = try Bench.decide(configuration, known)
    #expect(plain.scores.count > 10 && plain.commands.count == 1)
    // Compared with the truth is also what there is no earlier slice for.
    let compared = watched.scores.filter { $0.similarity != nil }
    #expect(compared.map(\.similarity) == plain.scores.map(\.similarity))
    #expect(compared.map(\.range) == plain.scores.map(\.range))
    #expect(compared.map(\.streak) == plain.scores.map(\.streak))
    #expect(watched.commands.map(\.projections) == plain.commands.map(\.projections))
    let truths = watched.scores.compactMap(\.truth)
    #expect(truths.count == watched.scores.count && (truths.last ?? 0) > (truths.first ?? 1), "\(truths)")
  }

  @Test func `The grey range is that of slices that have settled, not of the first streaks`() throws {
    let scores = try Bench.decide(configuration, course).scores
    let settled = scores.filter(\.isSettled)
    let range = try #require(settled.first?.range)
    // With streaks it would reach to 2 and beyond; compared with that, everything is similar.
    #expect(range.lowerBound > -0.3 && range.upperBound < 1.3, "\(range)")
    #expect(settled.allSatisfy { $0.range == range })
    // Those from 20 on have no streaks; before, no score counts.
    #expect(try #require(settled.first).update >= 20 && scores.first?.isSettled == false)
    #expect(scores.allSatisfy { $0.isSettled || $0.streak == 0 })
  }

  @Test(arguments: [2, 7, 20, 61]) func `A control that looks late scores the same`(burst: Int) throws {
    let prompt = try Bench.decide(configuration, course)
    var late = course
    late.burst = burst
    let found = try Bench.decide(configuration, late)
    #expect(found.scores == prompt.scores)
    #expect(found.commands.map(\.projections) == prompt.commands.map(\.projections))
  }

  @Test(arguments: Array(stride(from: 3, through: 57, by: 3)))
  func `A control that takes a dead one's place scores and decides the same`(death: Int) throws {
    let undisturbed = try Bench.decide(configuration, course)
    let bench = try ControlBench(configuration)
    var first = course
    first.deathAt = death
    #expect(throws: Bench.Death.self) { try bench.live(first) }
    try bench.live(course)
    let found = try bench.told()
    #expect(found.scores == undisturbed.scores)
    #expect(found.commands.map(\.projections) == undisturbed.commands.map(\.projections))
  }

  @Test func `Volumes are compared as many updates apart where the step is widened, and no such score counts`() throws {
    // From update 30 to 34 windows end four projections apart.
    var widened = course
    let first = { (index: Int) in index + 1 + 3 * max(0, min(index - 29, 5)) }
    widened.end = first
    widened.slice = { _ in Bench.image(1, noise: 0.1) }
    let (commands, scores) = try Bench.decide(
      Bench.configuration(similarityMin: 0.9, patience: 3, endedFrom: 30), widened)
    #expect(scores.count > 15)
    for score in scores {
      #expect(try score.projections - #require(score.against) == first(score.update) - first(score.update - 8))
      // Between update 29 and 34 + 8 one of the two steps lies in between.
      let isComparable = score.update < 30 || score.update - 8 >= 34
      #expect((score.streak > 0) == (isComparable && score.projections >= 20), "\(score)")
    }
    // The streak began again.
    #expect(scores.first { $0.update >= 42 }?.streak == 1)
    #expect(commands.map(\.projections) == [first(29)])
  }

  @Test func `The distance can be given`() throws {
    let schedules = [1, 2, 7, 8, 9, 24, 25, 23].map { LookSchedule(updates: $0) }
    #expect(schedules.map(\.distance) == [1, 2, 7, 8, 10, 24, 25, 25])
    #expect(schedules.map(\.spacing) == [1, 1, 1, 2, 2, 6, 5, 5])
    let scores = try Bench.decide(Bench.configuration(distance: 3), course).scores
    #expect(scores.allSatisfy { $0.projections - 3 == $0.against } && scores.count > 40)
  }
}
