import Host
import Testing
import Tomography

/// Which images show nothing, by how bright others are.
@Suite struct BeamLevelTests {
  private func total(_ values: [Double], _ type: PixelType = .uint16) -> ImageTotal {
    pixelBytes(values, as: type).withUnsafeBytes { ImageTotal($0, type: type) }
  }

  private func image(_ value: Double, _ type: PixelType = .uint16) -> ImageTotal {
    total([Double](repeating: value, count: 12), type)
  }

  /// Darks of 100 and flats of 20,100 a pixel.
  private let level = BeamLevel(darks: (3 * 1200, 3), flats: (2 * 241_200, 2))

  @Test(arguments: PixelType.allCases)
  func `The total of an image is that of its pixels, whatever they are`(type: PixelType) {
    let sum = total([1, 2, 3, 250], type)
    #expect(sum.sum == 256 && !sum.isZero)
    #expect(total([0, 0, 0], type).isZero && total([0, 0, 0], type).sum == 0)
  }

  @Test func `A projection is empty at or below the dark field, and with less than 1/256 of the beam above it`() {
    for value in [0.0, 50, 100, 101, 178] { #expect(level.isEmpty(projection: image(value)), "\(value)") }
    for value in [179.0, 1000, 20_100, 60_000] { #expect(!level.isEmpty(projection: image(value)), "\(value)") }
    // One bright pixel in twelve is much for a frame that shows nothing.
    #expect(!level.isEmpty(projection: total([20_100] + [Double](repeating: 100, count: 11))))
  }

  @Test func `A flat field is empty where it is zero or at the dark field, and not where it is below`() {
    for value in [0.0, 100] { #expect(level.isEmpty(flat: image(value)), "\(value)") }
    // Below it, flats and darks are swapped: that is told of elsewhere.
    for value in [10.0, 102, 20_100] { #expect(!level.isEmpty(flat: image(value)), "\(value)") }
  }

  @Test func `Without flats the dark field is all that is known, and without both only zeros are empty`() {
    let darks = BeamLevel(darks: (1200, 1), flats: (0, 0))
    #expect(darks.isEmpty(projection: image(100)) && !darks.isEmpty(projection: image(103)))
    let nothing = BeamLevel(darks: (0, 0), flats: (0, 0))
    #expect(nothing.isEmpty(projection: image(0)) && !nothing.isEmpty(projection: image(1)))
    #expect(nothing.isEmpty(flat: image(0)) && !nothing.isEmpty(flat: image(1)))
  }

  @Test func `Pixels that are no numbers say nothing, and where there are no others the image is not called empty`() {
    let half = total([.nan, 20_100, .infinity, 20_100], .float32)
    #expect(half.sum == 40_200)
    #expect(!level.isEmpty(projection: image(.nan, .float32)) && !level.isEmpty(flat: image(.nan, .float32)))
  }
}
