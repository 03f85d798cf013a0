import Host
import Testing

@testable import Detectors
@testable import Spools

/// Where one scan of a stream ends and the next begins, by what frames say.
@Suite struct ScanBordersTests {
  private static let format = FrameFormat(rows: 4, columns: 8, pixel: .uint16)

  /// Cuts a stream of frames into scans: the numbers of each. `total` is announced of every scan.
  private func scans(_ numbers: [UInt64], total: Int? = nil, series: [UInt64?] = [], keys: [ImageKey?] = [])
    -> [[UInt64]]
  {
    var (scans, borders) = ([[UInt64]](), ScanBorders?.none)
    for (index, number) in numbers.enumerated() {
      var header = FrameHeader(number: number)
      header.series = index < series.count ? series[index] : nil
      header.key = index < keys.count ? keys[index] : nil
      if let open = borders, open.ending(before: header, Self.format) != nil { borders = nil }
      if borders == nil {
        var announced = ScanAnnouncement()
        announced.images = total
        borders = ScanBorders(header, Self.format, announced: announced)
        scans.append([])
      }
      borders?.note(header)
      scans[scans.count - 1].append(number)
      if borders?.isComplete == true { borders = nil }
    }
    return scans
  }

  @Test func `A frame that is marked as invalid takes no projection's place`() {
    var announced = ScanAnnouncement()
    announced.projections = 3
    func header(_ number: UInt64, _ key: ImageKey) -> FrameHeader {
      var header = FrameHeader(number: number)
      header.key = key
      return header
    }
    var borders = ScanBorders(header(0, .projection), Self.format, announced: announced)
    for (number, key) in [(UInt64(0), ImageKey.projection), (1, .invalid), (2, .projection)] {
      borders.note(header(number, key))
    }
    #expect(!borders.isComplete && borders.ending(before: header(3, .projection), Self.format) == nil)
    borders.note(header(3, .projection))
    #expect(borders.isComplete && borders.ending(before: header(4, .projection), Self.format) == .numbers)
  }

  @Test func `Counters that begin anew begin a scan`() {
    let one = Array(UInt64(0)..<30)
    #expect(scans(one + one + one).map(\.count) == [30, 30, 30])
  }

  @Test func `Counters that go on begin one where all came that was announced`() {
    #expect(scans(Array(100..<160), total: 20).map(\.first) == [100, 120, 140])
  }

  @Test func `A counter that begins again at its end goes on with the scan, and one that begins anew does not`() {
    for width in [16, 31, 32] as [UInt64] {
      let end = UInt64(1) << width
      let wrapped = Array(end - 30..<end) + Array(0..<30)
      #expect(scans(wrapped).map(\.count) == [60])
      // With what came around the end missing, late or twice.
      let odd = wrapped.filter { $0 != end - 1 && $0 != 0 } + [0, 29, 28]
      #expect(scans(odd).map(\.count) == [61])
      #expect(scans(wrapped + wrapped).map(\.count) == [60, 60])
    }
    #expect(scans(Array(1000..<1100) + Array(0..<100)).map(\.count) == [100, 100])
    #expect(scans(Array(65_000..<65_100) + Array(0..<100)).map(\.count) == [100, 100])
  }

  @Test func `A scan that lost its last frames ends with the first frame behind it`() {
    #expect(
      scans([0, 1, 2, 3, 4, 5, 6] + [10, 11, 12, 13, 14, 15, 16, 17, 18, 19], total: 10).map(\.count) == [7, 10])
  }

  @Test func `A scan that lost its first frames begins with the first that came`() {
    // The next scan lost its frames 0 to 3: its first frame has a number that came before.
    #expect(scans(Array(0..<30) + Array(4..<30)).map(\.count) == [30, 26])
  }

  @Test func `Frames that are late or come twice belong to the scan that is open`() {
    #expect(scans([0, 1, 2, 3, 5, 6, 4, 7, 7, 6, 8, 9, 10, 11, 12]).count == 1)
    #expect(scans([2, 1, 0, 3, 4, 5]).count == 1)
  }

  @Test func `Another series and another shape begin a scan`() {
    #expect(scans([0, 1, 2, 0, 1], series: [7, 7, 7, 8, 8]).map(\.count) == [3, 2])
    let borders = ScanBorders(FrameHeader(number: 0), Self.format, announced: ScanAnnouncement())
    let wider = FrameFormat(rows: 4, columns: 9, pixel: .uint16)
    #expect(borders.ending(before: FrameHeader(number: 1), wider) == .format)
  }

  @Test func `Silence ends a scan, sooner where all numbers were passed`() {
    var announced = ScanAnnouncement()
    announced.images = 4
    let start = ContinuousClock.now
    var borders = ScanBorders(FrameHeader(number: 0), Self.format, announced: announced, now: start)
    for number in [0, 1, 3] as [UInt64] { borders.note(FrameHeader(number: number), now: start) }
    #expect(!borders.isComplete)
    #expect(borders.ending(at: start + .milliseconds(900), silenceMax: .seconds(10)) == nil)
    #expect(borders.ending(at: start + .milliseconds(1100), silenceMax: .seconds(10)) == .complete)
    let unknown = ScanBorders(FrameHeader(number: 0), Self.format, announced: ScanAnnouncement(), now: start)
    #expect(unknown.ending(at: start + .seconds(9), silenceMax: .seconds(10)) == nil)
    #expect(unknown.ending(at: start + .seconds(11), silenceMax: .seconds(10)) == .silence)
  }

  @Test func `What did not come counts among the projections`() {
    var borders = ScanBorders(FrameHeader(number: 10), Self.format, announced: ScanAnnouncement())
    for (number, key) in [(10, ImageKey.dark), (11, .flat), (12, .flat), (13, .projection), (16, .projection)] {
      var header = FrameHeader(number: UInt64(number))
      header.key = key
      borders.note(header)
    }
    #expect(borders.counts(otherwise: (0, 0)) == (4, 2, 1))
    var silent = ScanBorders(FrameHeader(number: 0), Self.format, announced: ScanAnnouncement())
    for number in 0..<20 as Range<UInt64> { silent.note(FrameHeader(number: number)) }
    #expect(silent.counts(otherwise: (flats: 3, darks: 2)) == (15, 3, 2))
  }

  @Test func `A frame that comes when its scan has ended begins none`() {
    var announced = ScanAnnouncement()
    announced.images = 100
    var borders = ScanBorders(FrameHeader(number: 0), Self.format, announced: announced)
    for number in 0..<100 as Range<UInt64> { borders.note(FrameHeader(number: number)) }
    #expect(borders.isPast(FrameHeader(number: 99), Self.format))
    #expect(!borders.isPast(FrameHeader(number: 0), Self.format))
    #expect(!borders.isPast(FrameHeader(number: 100), Self.format))
  }
}
