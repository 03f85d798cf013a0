import Testing
import Viewing

@Suite struct OverviewTests {
  private func overview(of volume: MadeVolume, edge: Int) throws -> Overview {
    let builder = OverviewBuilder(volume, edge: edge)
    while !builder.isComplete { try builder.step() }
    return builder.finish()
  }

  @Test("A small volume is its own overview, in 8 bits")
  func small() throws {
    let made = MadeVolume(slices: 5, columns: 20) { Float($0 * 400 + $1 * 20 + $2) }
    let overview = try overview(of: made, edge: 64)
    #expect(overview.columns == 20 && overview.slices == 5 && overview.bytes.count == 2000)
    let (low, high) = (overview.low, overview.high)
    for (place, byte) in overview.bytes.enumerated() {
      let share: Float = (Float(place) - low) / (high - low) * 255
      let expected: Float = min(255, max(0, share))
      #expect(abs(Float(byte) - expected) <= 0.501)
    }
  }

  @Test("Where it covers 2 × 2 × 2 voxels, it is their mean")
  func means() throws {
    let made = MadeVolume(slices: 32, columns: 32) { z, y, x in Float((z / 2 + y / 2 + x / 2) * 8 + z % 2 - y % 2) }
    let overview = try overview(of: made, edge: 16)
    let (low, high) = (overview.low, overview.high)
    for z in 0..<16 {
      for y in 0..<16 {
        for x in 0..<16 {
          let mean: Float = min(high, max(low, Float((z + y + x) * 8)))
          let expected: Float = (mean - low) / (high - low) * 255
          let byte = overview.bytes[(z * 16 + y) * 16 + x]
          #expect(abs(Float(byte) - expected) <= 0.501)
        }
      }
    }
  }

  @Test("It keeps the volume's proportions and takes any shape", arguments: [(1, 300), (100, 65), (3, 17)])
  func shapes(slices: Int, columns: Int) throws {
    let overview = try overview(of: MadeVolume(slices: slices, columns: columns) { Float($0 + $1 + $2) }, edge: 16)
    #expect(overview.columns == 16 && overview.slices == min(16, slices))
  }

  @Test("A version's name is 16 digits, differs with the volume and with each generation, and is read back")
  func tags() throws {
    let tags = [
      VersionTag(of: 1, [2]), VersionTag(of: 2, [2]), VersionTag(of: 1, [3]), VersionTag(of: 1, [2, 2]),
    ]
    #expect(Set(tags).count == 4)
    for tag in tags { #expect(tag.description.count == 16 && VersionTag(tag.description) == tag) }
    for text in ["", "1", "xxxxxxxxxxxxxxxx", "00000000000000000", "+000000000000001"] {
      #expect(VersionTag(text) == nil)
    }
  }
}
