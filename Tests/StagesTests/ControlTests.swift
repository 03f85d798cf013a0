import RunModel
import Stages
import Testing

/// The decisions of `control`, made of updates and slices that the test makes up.
@Suite struct ControlTests {
  private typealias Bench = ControlBench

  /// Noise that fades, slowly at first, and is gone after 40 updates.
  private func fading(_ index: Int) -> [Float] { Bench.image(index, noise: max(0, 0.8 - 0.02 * Float(index))) }

  @Test func `A volume that settles ends the scan, once, after enough scores in a row`() throws {
    let (commands, scores) = try Bench.decide(Bench.configuration(similarityMin: 0.9), .init(slice: fading))
    let command = try #require(commands.first)
    #expect(
      commands.count == 1 && command.cause == .similarity && command.words.hasPrefix("control: MS-SSIM "),
      "\(commands)")
    #expect(command.late.map { $0 >= 2 } == true, "\(commands)")
    let decisive = try #require(scores.firstIndex { $0.streak == 2 })
    #expect(command.projections == scores[decisive].projections)
    for score in scores {
      let similarity = try #require(score.similarity)
      #expect(
        score.worker == 0 && score.truth == nil && score.update == score.projections - 1
          && (score.streak > 0) == (similarity >= 0.9 && score.projections >= 20 && score.isSettled))
      // Windows of eight projections without a common one; the first was not full.
      #expect(score.against.map { score.projections - $0 == 8 } ?? false)
    }
    #expect(zip(scores, scores.dropFirst()).allSatisfy { $1.projections == $0.projections + 2 })
    #expect(Set(scores.filter(\.isSettled).map(\.range)).count == 1)
  }

  @Test func `A volume that settled early is ended where that is allowed, with the scores that it had by then`() throws
  {
    let (commands, scores) = try Bench.decide(
      Bench.configuration(similarityMin: 0.9, endedFrom: 41), .init { _ in Bench.image(1, noise: 0.1) })
    // Looked at every two projections, first at 8; the range has settled a window later.
    #expect(scores.first { $0.isSettled }?.projections == 16 && commands.map(\.projections) == [42])
    #expect(scores.first { $0.projections == 42 }?.streak == 12)
  }

  @Test func `Nine tenths of a scan suffice`() {
    #expect([1, 9, 10, 180, 1001].map(ControlConfiguration.projectionsSufficing) == [1, 9, 9, 162, 901])
  }

  @Test func `A volume that never settles, or one without a threshold, does not end the scan`() throws {
    let noisy = Bench.Course { Bench.image($0, noise: 0.8) }
    #expect(try Bench.decide(Bench.configuration(similarityMin: 0.9), noisy).commands.isEmpty)
    let (commands, scores) = try Bench.decide(Bench.configuration(), .init { _ in Bench.image(1, noise: 0.1) })
    #expect(commands.isEmpty && scores.allSatisfy { $0.streak == 0 && ($0.similarity ?? 0) > 0.999 } && !scores.isEmpty)
    // All the same from the start: there is no grey range to compare in.
    let plain = Bench.Course { _ in Array(repeating: 1, count: Bench.columns * Bench.columns) }
    #expect(try Bench.decide(Bench.configuration(similarityMin: 0.5), plain).scores.isEmpty)
  }

  @Test func `A residual that rises so often in a row ends the scan`() throws {
    // Up and down, then up for good.
    var course = Bench.Course { Bench.image($0, noise: 0.1) }
    course.residual = { $0 < 30 ? 1 + 0.1 * Double($0 % 5) : 1 + 0.01 * Double($0) }
    let (commands, _) = try Bench.decide(Bench.configuration(risesMax: 5), course)
    #expect(
      commands.count == 1 && commands[0].cause == .divergence && commands[0].words.contains("rose 5 times"),
      "\(commands)")
    #expect(commands.first?.projections == 36, "\(commands)")
    course.residual = { 1 + 0.1 * Double($0 % 5) }
    #expect(try Bench.decide(Bench.configuration(risesMax: 5), course).commands.isEmpty)
  }

  @Test func `A request ends the scan, and no later score says anything else`() throws {
    var course = Bench.Course { _ in Bench.image(1, noise: 0.1) }
    course.requestAt = 10
    let (commands, scores) = try Bench.decide(Bench.configuration(similarityMin: 0.5), course)
    #expect(commands == [CommandEvent(cause: .person, words: "anna")] && !scores.isEmpty)
  }
}
