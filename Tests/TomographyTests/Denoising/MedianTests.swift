import Host
import Testing

@testable import Simulation
@testable import Tomography

@Suite struct MedianTests {
  @Test func `The median is the middle one of the sorted values`() {
    var random = SplitMix64(seed: 8)
    for count in [1, 2, 3, 9, 25, 27, 125] {
      for round in 0..<50 {
        var values = (0..<count).map { _ in Float(random.next() % (round < 25 ? 4 : 1000)) }
        let sorted = values.sorted()
        #expect(median(&values, count: count) == sorted[count / 2], "\(count) values, round \(round)")
        #expect(values.sorted() == sorted)
      }
    }
    var broken: [Float] = [1, .nan, 3, .nan, 2]
    _ = median(&broken, count: 5)
  }

  @Test(arguments: [1, 2]) func `A voxel becomes the median of the cube around it`(radius: Int) {
    let columns = 9, count = 4, size = columns * columns
    var random = SplitMix64(seed: 6)
    let stack = (0..<count * size).map { _ in Float(random.unit()) }
    let found = Denoiser(.median(radius: radius), columns: columns, noise: 0).apply(stack)
    for index in stack.indices {
      let (z, y, x) = (index / size, index % size / columns, index % columns)
      var cube: [Float] = []
      for w in z - radius...z + radius {
        for v in y - radius...y + radius {
          for u in x - radius...x + radius {
            cube.append(
              stack[
                min(max(w, 0), count - 1) * size + min(max(v, 0), columns - 1) * columns + min(max(u, 0), columns - 1)])
          }
        }
      }
      #expect(found[index] == cube.sorted()[cube.count / 2], "voxel \(index)")
    }
  }
}
