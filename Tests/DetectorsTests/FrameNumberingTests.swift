import Testing

@testable import Detectors

/// Which frame of the scan a detector's number is.
@Suite struct FrameNumberingTests {
  /// The frames of the scan that numbers are, the first of which decides.
  private func indices(
    _ numbers: [UInt64], of total: Int = 10, first: UInt64? = nil, known: FrameNumbering.FirstNumber = .unknown,
    saysAll: Bool = false
  ) -> [UInt64?] {
    var numbering = FrameNumbering(total: total, first: first)
    var header = FrameHeader(number: numbers[0])
    if saysAll { (header.key, header.theta) = (.projection, 1) }
    _ = numbering.decide(header, known)
    return numbers.map { numbering.index(of: $0, slack: 0) }
  }

  @Test func `The first frame that comes decides, wherever the detector begins`() {
    for first: UInt64 in [0, 1, 2, 1001, 5001, 1 << 33] {
      #expect(indices([first, first + 1, first + 3, first + 9, first + 10]) == [0, 1, 3, 9, nil])
    }
    #expect(indices([7, 6, 5]) == [0, nil, nil])
  }

  @Test func `What was said or is known of the detector decides where the first frames are lost`() {
    #expect(indices([3, 4], first: 1) == [2, 3] && indices([0, 4], first: 1) == [nil, 3])
    #expect(indices([3, 4], known: .exactly(0)) == [3, 4] && indices([12], known: .exactly(0)) == [nil])
    // An EPICS detector counts on from what its variable held, if it does not begin anew, or far from there.
    #expect(indices([31, 32], known: .expected(31)) == [0, 1] && indices([33, 34], known: .expected(31)) == [2, 3])
    #expect(indices([0, 1], known: .expected(31)) == [0, 1] && indices([36, 37], known: .expected(31)) == [0, 1])
    // A frame that says what it is and where needs no number for that: others may have been lost, or come late.
    #expect(indices([3, 1, 0], saysAll: true) == [3, 1, 0] && indices([1, 2], saysAll: true) == [0, 1])
    #expect(indices([900, 901], saysAll: true) == [0, 1])
  }

  @Test(arguments: [16, 31, 32]) func `A counter that begins again at 0 goes on`(bits: UInt64) {
    let end: UInt64 = 1 << bits
    #expect(indices([end - 4, end - 1, 0, 5, 6, end - 5]) == [0, 3, 4, 9, nil, nil])
    // A scan that does not reach the counter's end has nothing to do with its beginning.
    #expect(indices([end - 10, 0]) == [0, nil])
  }

  @Test func `A counter of 32 bits with a sign goes on below zero`() {
    let numbers = [Int64(Int32.max) - 1, Int64(Int32.max), Int64(Int32.min), Int64(Int32.min) + 1].compactMap(
      frameNumber)
    #expect(indices(numbers) == [0, 1, 2, 3])
    #expect(indices([-2, -1, 0, 1].compactMap(frameNumber)) == [0, 1, 2, 3])
    #expect(frameNumber(Int64(Int32.min) - 1) == nil && frameNumber(.max) == nil && frameNumber(.min) == nil)
  }
}
