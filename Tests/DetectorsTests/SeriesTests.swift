import Host
import Testing

@testable import Detectors

/// Which series of a DECTRIS detector is the scan's.
@Suite struct SeriesTests {
  private let format = FrameFormat(rows: 1, columns: 4, pixel: .uint8)

  private enum Said: Equatable { case series(UInt64), frame(UInt64), end, other, refused }

  /// What a decoder makes of messages: `h7` and `s7` are headers, `i7.3` and `j7.3` images, `e7` and `f7` ends of
  /// series 7, the second of each as stream version 2.
  private func said(_ script: String, series: UInt64? = nil, firstImage: UInt64 = 0, goesOn: Bool = false)
    -> [Said]
  {
    var decoder = StreamDecoder(format: format, series: series, firstImage: firstImage)
    if goesOn { decoder.goOn() }
    return script.split(separator: " ").map { word in
      let numbers = word.dropFirst().split(separator: ".").compactMap { UInt64($0) }
      do {
        return try Parts(message(word.first, numbers)).with { parts in
          switch try decoder.decode(parts) {
          case .series(let series): .series(series)
          case .frame(let header, _): .frame(header.number)
          case .end: .end
          case .other: .other
          }
        }
      } catch {
        #expect(error as? MessageFault == .series, "\(word)")
        return .refused
      }
    }
  }

  private func message(_ kind: Character?, _ numbers: [UInt64]) -> [[UInt8]] {
    func json(_ text: String) -> [UInt8] { Array(text.utf8) }
    let (series, image) = (numbers[0], numbers.last ?? 0)
    switch kind {
    case "h": return [json(#"{"htype":"dheader-1.0","series":\#(series),"header_detail":"none"}"#)]
    case "e": return [json(#"{"htype":"dseries_end-1.0","series":\#(series)}"#)]
    case "i":
      return [
        json(#"{"htype":"dimage-1.0","series":\#(series),"frame":\#(image),"hash":""}"#),
        json(#"{"htype":"dimage_d-1.0","shape":[4,1],"type":"uint8","encoding":"<","size":4}"#), [1, 2, 3, 4],
        json(#"{"htype":"dconfig-1.0"}"#),
      ]
    case "j":
      return [
        CBORText.image(series: series, number: image, channels: [("t", .plane(1, 4, tag: 64, .data([1, 2, 3, 4])))])
          .bytes
      ]
    default:
      return [CBORText.map([("type", .text(kind == "s" ? "start" : "end")), ("series_id", .number(series))]).bytes]
    }
  }

  @Test(arguments: ["hie", "sjf"]) func `A series is its header, its images and its end`(kinds: String) {
    let (header, image, end) = (Array(kinds)[0], Array(kinds)[1], Array(kinds)[2])
    #expect(
      said("\(header)7 \(image)7.0 \(image)7.1 \(end)7") == [.series(7), .frame(0), .frame(1), .end])
    // What is left of another one.
    #expect(
      said("\(image)6.25 \(image)6.26 \(header)7 \(image)6.27 \(end)6 \(image)7.0 \(header)7")
        == [.refused, .refused, .series(7), .refused, .refused, .frame(0), .other])
    // Nobody saw the header.
    #expect(said("\(image)7.1 \(image)7.0 \(image)7.1") == [.refused, .frame(0), .frame(1)])
    #expect(said("\(image)7.25 \(image)7.26", firstImage: 25) == [.frame(25), .frame(26)])
    // A predecessor was in it, and somebody knows that or not.
    #expect(said("\(image)7.4 \(image)6.5", series: 7) == [.frame(4), .refused])
    #expect(said("\(image)7.4 \(image)6.5", goesOn: true) == [.frame(4), .refused])
    // The next one.
    #expect(said("\(header)7 \(image)7.0 \(header)8 \(image)8.0") == [.series(7), .frame(0), .series(8), .frame(0)])
  }
}
