import Testing
import Tomography

@Suite struct AngleOrderTests {
  private static let orders: [AngleOrder] = [
    .sequential, .interleaved(1), .interleaved(4), .interleaved(7), .bitReversal, .golden,
    .interleavedOptimised(90), .interleavedOptimised(6), .interleavedOptimised(0.5),
    .interleavedOptimised(.leastNonzeroMagnitude),
  ]

  private func thetas(_ count: Int, range: Double = .pi) -> [Double] {
    (0..<count).map { Double($0) * range / Double(count) }
  }

  private func degrees(_ order: AngleOrder, _ count: Int) -> [Double] {
    order.visits(thetas: thetas(count)).map { Double($0) * 180 / Double(count) }
  }

  @Test(arguments: orders) func `Every angle is visited once`(order: AngleOrder) {
    for count in Array(0...70) + [128, 180, 181, 359, 720, 1000] {
      for range in [Double.pi, -Double.pi, 2 * Double.pi, 7] {
        let visits = order.visits(thetas: thetas(count, range: range))
        #expect(visits.sorted() == Array(0..<count), "\(order), \(count) angles over \(range)")
      }
    }
  }

  @Test func `Bit reversal halves the gaps`() {
    #expect(degrees(.bitReversal, 8) == [0, 90, 45, 135, 22.5, 112.5, 67.5, 157.5])
    // The nearest of whole degrees, none twice.
    #expect(Array(degrees(.bitReversal, 180).prefix(8)) == [0, 90, 45, 135, 23, 113, 68, 158])
    for count in [64, 180, 181, 1000] {
      let visits = AngleOrder.bitReversal.visits(thetas: thetas(count)), step = Double.pi / Double(count)
      for power in 1..<6 {
        let first = visits.prefix(1 << power).map { Double($0) * step }
        #expect(
          directionsCovered(thetas: first, gap: .pi / Double(1 << power) + step) == 1 << power,
          "\(count) angles, \(1 << power) visits")
      }
    }
  }

  @Test func `The golden order takes multiples of the golden angle`() {
    let count = 1800
    for (number, angle) in degrees(.golden, count).prefix(200).enumerated() {
      let exact = (Double(number) * 111.246117975).truncatingRemainder(dividingBy: 180)
      let miss = abs(angle - exact)
      #expect(min(miss, 180 - miss) <= 0.1, "visit \(number): \(angle)°, exactly \(exact)°")
    }
  }

  @Test func `Interleaved angles come in passes`() {
    #expect(AngleOrder.interleaved(3).visits(thetas: thetas(8)) == [0, 3, 6, 1, 4, 7, 2, 5])
  }

  @Test(arguments: [90.0, 45, 24, 5.625, 1]) func `Optimised interleaving never turns back within a pass`(least: Double)
  {
    let angles = degrees(.interleavedOptimised(least), 180)
    // A pass ends where an angle is below the one before.
    var passes: [[Double]] = []
    for angle in angles {
      if let last = passes.last?.last, angle > last {
        passes[passes.count - 1].append(angle)
      } else {
        passes.append([angle])
      }
    }
    // Places between whole degrees go to one of them.
    for pass in passes { #expect(zip(pass, pass.dropFirst()).allSatisfy { $1 - $0 >= least - 1 }, "\(pass)") }
    #expect(Array(angles.prefix(2)) == [0, 90])
    if least <= 45 { #expect(Array(angles.prefix(4)) == [0, 90, 45, 135]) }
    if least <= 22.5 { #expect(Array(angles.prefix(8)) == [0, 90, 45, 135, 23, 68, 113, 158]) }
  }

  @Test func `Over a whole turn opposite angles count as the same direction`() {
    let thetas = thetas(360, range: 2 * .pi)
    let first = AngleOrder.bitReversal.visits(thetas: thetas).prefix(16).map { thetas[$0] }
    #expect(directionsCovered(thetas: first, gap: .pi / 15) == 16)
  }

  @Test func `All directions are covered when no gap is too wide`() {
    #expect(directionsCovered(thetas: thetas(180), gap: .pi / 12) == 166)
    #expect(directionsCovered(thetas: thetas(180), gap: .pi) == 1)
    #expect(directionsCovered(thetas: thetas(180), gap: .pi / 180) == 180)
    #expect(directionsCovered(thetas: thetas(180), gap: .pi / 181) == nil)
    #expect(directionsCovered(thetas: thetas(90, range: .pi / 2), gap: .pi / 12) == nil)
    #expect(directionsCovered(thetas: [], gap: .pi) == nil)
    let spread = AngleOrder.bitReversal.visits(thetas: thetas(180)).map { thetas(180)[$0] }
    #expect(directionsCovered(thetas: spread, gap: .pi / 12) == 16)
  }
}
