/// The mean of the voxels around each voxel, weighted by how much their surroundings look like its own.
///
/// A. Buades, B. Coll and J.-M. Morel, CVPR 2005, and Image Process. On Line 1 (2011) 208–212: the weight is
/// exp(−max(0, d² − 2σ²) / h²), d² the mean squared difference of two patches. Patches lie within a slice; voxels are
/// looked for in the slice and the two beside it. For each offset the squared differences of a band are summed over
/// patches first along rows and then along columns, so that the size of a patch costs nothing.
struct NonLocalMeans {
  /// A patch is a square of edge 2 · patchRadius + 1, the neighbourhood one of 2 · searchRadius + 1 in each of three
  /// slices.
  static let patchRadius = 2, searchRadius = 5
  /// h in units of σ at strength 1.
  static let filtering: Float = 0.9

  private let noise: Float
  private let strength: Float
  private let memory: UnsafeMutablePointer<Float>

  /// Columns with room for a patch on both sides.
  private static func pitch(_ columns: Int) -> Int { columns + 2 * patchRadius }
  private static let rowsMax = Denoiser.bandRows + 2 * patchRadius

  /// Floats of scratch memory: squared differences, their sums along rows, sums of weights and of weighted voxels, and
  /// a row of sums.
  static func floatCount(columns: Int) -> Int { 2 * rowsMax * pitch(columns) + (2 * Denoiser.bandRows + 1) * columns }

  init(noise: Float, strength: Float, memory: UnsafeMutablePointer<Float>) {
    self.noise = noise
    self.strength = strength
    self.memory = memory
  }

  /// Filters rows of one slice into `output`, which is their first.
  func average(_ stack: SliceStack, slice: Int, rows: Range<Int>, into output: UnsafeMutablePointer<Float>) {
    let columns = stack.columns, count = rows.count * columns
    let weights = memory + 2 * Self.rowsMax * Self.pitch(columns), sums = weights + Denoiser.bandRows * columns
    // The voxel itself weighs as much as one that looks the same.
    weights.update(repeating: 1, count: count)
    sums.update(from: stack.row(rows.lowerBound, ofSlice: slice), count: count)
    if noise > 0 {
      for z in -1...1 where (0..<stack.count).contains(slice + z) {
        for y in -Self.searchRadius...Self.searchRadius {
          for x in -Self.searchRadius...Self.searchRadius where z != 0 || y != 0 || x != 0 {
            add(stack, slice, rows, offset: (z, y, x), weights, sums)
          }
        }
      }
    }
    for index in 0..<count { output[index] = sums[index] / weights[index] }
  }

  private func add(
    _ stack: SliceStack, _ slice: Int, _ rows: Range<Int>, offset: (z: Int, y: Int, x: Int),
    _ weights: UnsafeMutablePointer<Float>,
    _ sums: UnsafeMutablePointer<Float>
  ) {
    let radius = Self.patchRadius, columns = stack.columns, pitch = Self.pitch(columns)
    let squares = memory, alongRows = memory + Self.rowsMax * pitch
    for line in 0..<rows.count + 2 * radius {
      let row = rows.lowerBound + line - radius
      squaredDifferences(
        stack.row(row, ofSlice: slice), stack.row(row + offset.y, ofSlice: slice + offset.z), shift: offset.x,
        columns: columns,
        into: squares + line * pitch)
      slidingSum(squares + line * pitch, count: columns, into: alongRows + line * pitch)
    }
    let line = sums + Denoiser.bandRows * columns
    for row in rows where (0..<columns).contains(row + offset.y) {
      let first = row - rows.lowerBound
      patchSums(alongRows + first * pitch, pitch: pitch, count: columns, into: line)
      let weigh = weights + first * columns, sum = sums + first * columns
      let there = stack.row(row + offset.y, ofSlice: slice + offset.z)
      accumulate(line, there, shift: offset.x, columns: columns, weigh, sum)
    }
  }

  /// (here − there)² for columns −patchRadius … columns + patchRadius − 1, the outermost columns repeated.
  private func squaredDifferences(
    _ here: UnsafePointer<Float>, _ there: UnsafePointer<Float>, shift: Int, columns: Int,
    into squares: UnsafeMutablePointer<Float>
  ) {
    let radius = Self.patchRadius, last = columns - 1
    func square(_ column: Int) -> Float {
      let difference = here[min(max(column, 0), last)] - there[min(max(column + shift, 0), last)]
      return difference * difference
    }
    let inner = max(0, -shift)..<max(max(0, -shift), min(columns, columns - shift))
    for column in -radius..<inner.lowerBound { squares[column + radius] = square(column) }
    var column = inner.lowerBound
    let (shifted, target) = (there + shift, squares + radius)
    while column < inner.upperBound {
      let difference = here[column] - shifted[column]
      target[column] = difference * difference
      column &+= 1
    }
    for column in inner.upperBound..<columns + radius { squares[column + radius] = square(column) }
  }

  /// The sum of each value and the 2 · patchRadius after it.
  private func slidingSum(_ values: UnsafePointer<Float>, count: Int, into sums: UnsafeMutablePointer<Float>) {
    var index = 0
    while index < count {
      sums[index] = values[index] + values[index &+ 1] + values[index &+ 2] + values[index &+ 3] + values[index &+ 4]
      index &+= 1
    }
  }

  /// The same down the columns.
  private func patchSums(_ values: UnsafePointer<Float>, pitch: Int, count: Int, into sums: UnsafeMutablePointer<Float>)
  {
    let (b, c, d, e) = (values + pitch, values + 2 * pitch, values + 3 * pitch, values + 4 * pitch)
    var index = 0
    while index < count {
      sums[index] = values[index] + b[index] + c[index] + d[index] + e[index]
      index &+= 1
    }
  }

  private func accumulate(
    _ distances: UnsafePointer<Float>, _ there: UnsafePointer<Float>, shift: Int, columns: Int,
    _ weights: UnsafeMutablePointer<Float>,
    _ sums: UnsafeMutablePointer<Float>
  ) {
    let edge = Float(2 * Self.patchRadius + 1), h = strength * Self.filtering * noise
    let scale = 1 / (edge * edge * h * h), free = 2 * noise * noise / (h * h)
    // Voxels beyond the slice's edges are not there.
    var column = max(0, -shift)
    let end = min(columns, columns - shift), shifted = there + shift
    while column < end {
      let excess = distances[column] * scale - free
      let weight = expMinus(excess > 0 ? excess : 0)
      weights[column] += weight
      sums[column] += weight * shifted[column]
      column &+= 1
    }
  }
}

/// e⁻ᵗ for t ≥ 0, wrong by 3e-6 + 1.5e-7 t of its value at most, 0 from t = 80 on. Without table, call or branch, so
/// that loops are vectorised, and without fused operations, so that the bits are those of every IEEE 754 machine.
@inline(__always) func expMinus(_ t: Float) -> Float {
  let u = t < 80 ? -t * 1.442_695 : -127
  // Adding and taking away 1.5 · 2²³ rounds to an integer, whose low bits are the sum's.
  let shifted = u + 12_582_912
  let f = (u - (shifted - 12_582_912)) * 0.693_147_2
  let power = Float(bitPattern: (shifted.bitPattern &+ 127) &<< 23)
  return power * (1 + f * (1 + f * (0.5 + f * (1 / 6 + f * (1 / 24 + f * (1 / 120))))))
}
