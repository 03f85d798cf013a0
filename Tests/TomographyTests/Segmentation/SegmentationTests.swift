import Host
import Testing
import Tomography

@Suite struct SegmentationTests {
  @Test func `Otsu's threshold parts the classes that differ most, as trying each one shows`() throws {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SplitMix64(seed: seed)
    for _ in 0..<50 {
      let bins = (0..<40).map { bin in (value: Double(bin) + random.unit() / 2, count: UInt64(20 * random.unit())) }
      let values = bins.flatMap { bin in (0..<bin.count).map { _ in bin.value } }
      let found = try #require(otsuThreshold(bins), "seed \(seed)")
      func difference(_ threshold: Double) -> Double {
        let (low, high) = (values.filter { $0 < threshold }, values.filter { $0 >= threshold })
        guard !low.isEmpty, !high.isEmpty else { return 0 }
        let apart = low.reduce(0, +) / Double(low.count) - high.reduce(0, +) / Double(high.count)
        return Double(low.count) * Double(high.count) * apart * apart
      }
      let best = bins.map { difference($0.value) }.max() ?? 0
      #expect(abs(difference(found) - best) <= 1e-9 * best, "seed \(seed)")
    }
    #expect(otsuThreshold([(1, 5), (2, 0), (4, 1)]) == 2.5)
    #expect(otsuThreshold([(1, 5)]) == nil && otsuThreshold([]) == nil)
  }

  @Test func `Components are what touches by faces, as filling from each voxel shows`() {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SplitMix64(seed: seed)
    for round in 0..<60 {
      let (slices, columns) = (1 + round % 7, 1 + round % 11)
      let density = random.unit()
      let mask = (0..<slices * columns * columns).map { _ in random.unit() < density ? UInt8(1) : UInt8(2) }
      var components = ConnectedComponents(columns: columns)
      for slice in 0..<slices {
        Array(mask[slice * columns * columns..<(slice + 1) * columns * columns]).withUnsafeBufferPointer {
          components.add($0, label: 1)
        }
      }
      #expect(components.sizes() == filled(mask, slices, columns), "seed \(seed), round \(round)")
    }
  }

  @Test func `A spiral that closes late is one component`() {
    // Two combs that only the last row joins, in every slice but the first.
    let columns = 9
    var components = ConnectedComponents(columns: columns)
    for slice in 0..<3 {
      let mask = (0..<columns * columns).map { voxel -> UInt8 in
        voxel % columns % 2 == 0 || (slice > 0 && voxel / columns == columns - 1) ? 1 : 0
      }
      mask.withUnsafeBufferPointer { components.add($0, label: 1) }
    }
    #expect(components.sizes() == [3 * 5 * 9 + 2 * 4])
  }

  /// Sizes in the order of the first voxels.
  private func filled(_ mask: [UInt8], _ slices: Int, _ columns: Int) -> [Int] {
    var (mask, sizes) = (mask, [Int]())
    for start in mask.indices where mask[start] == 1 {
      var (open, size) = ([start], 0)
      mask[start] = 0
      while let voxel = open.popLast() {
        size += 1
        let (z, y, x) = (voxel / (columns * columns), voxel / columns % columns, voxel % columns)
        for (dz, dy, dx) in [(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)]
        where 0..<slices ~= z + dz && 0..<columns ~= y + dy && 0..<columns ~= x + dx {
          let next = voxel + (dz * columns + dy) * columns + dx
          guard mask[next] == 1 else { continue }
          mask[next] = 0
          open.append(next)
        }
      }
      sizes.append(size)
    }
    return sizes
  }
}
