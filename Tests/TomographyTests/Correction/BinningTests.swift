import Host
import Testing
import Tomography

struct BinningTests {
  private func binned(_ values: [Double], type: PixelType, rows: Int, columns: Int, by factor: Int) -> [Float] {
    var output = [Float](repeating: -1, count: (rows / factor) * (columns / factor))
    pixelBytes(values, as: type).withUnsafeBytes { bytes in
      output.withUnsafeMutableBufferPointer {
        bin(bytes.baseAddress!, type: type, rows: rows, columns: columns, by: factor, into: $0.baseAddress!)
      }
    }
    return output
  }

  @Test(arguments: PixelType.allCases)
  func `blocks are averaged and the remainder is dropped`(type: PixelType) {
    let values: [Double] = [
      1, 2, 3, 4, 90,
      5, 6, 7, 9, 90,
      90, 90, 90, 90, 90,
    ]
    #expect(binned(values, type: type, rows: 3, columns: 5, by: 2) == [3.5, 5.75])
    #expect(binned(values, type: type, rows: 3, columns: 5, by: 3) == [(1 + 2 + 3 + 5 + 6 + 7 + 270) / 9])
    #expect(binned(values, type: type, rows: 3, columns: 5, by: 1) == values.map { Float($0) })
  }

  @Test func `pixels that are not finite are left out of their block`() {
    let values: [Double] = [.nan, 2, .nan, .infinity, 4, .infinity, .nan, -.infinity]
    let output = binned(values, type: .float32, rows: 2, columns: 4, by: 2)
    #expect(output[0] == 3)
    #expect(output[1].isNaN)
  }
}
