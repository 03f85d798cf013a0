import Glibc
import KernelTypes
import RunModel
import Testing

/// Slices of binned projections, seen in the shape of the finished volume.
@Suite struct GenerationSlicesTests {
  private static let rows = 19
  private static let shapes = [(16, 8, 2), (17, 8, 2), (20, 5, 4), (23, 5, 4), (26, 3, 8), (104, 54, 2)]

  private static func voxel(_ row: Int, _ y: Int, _ x: Int) -> Float { Float(1 + row * 10_000 + y * 100 + x) }

  /// What pixel (y, x) of slice `row` shows: both slices have the axis in the middle.
  private static func expected(_ row: Int, _ y: Int, _ x: Int, columns: Int, binned: Int, factor: Int) -> Float {
    func place(_ pixel: Int) -> Int {
      let fromAxis = Double(pixel) + 0.5 - 0.5 * Double(columns)
      let place = (fromAxis / Double(factor) + 0.5 * Double(binned)).rounded(.down)
      return min(max(Int(place), 0), binned - 1)
    }
    return voxel(row / factor, place(y), place(x)) / Float(factor)
  }

  private func slices(_ columns: Int, _ binned: Int, _ factor: Int) -> (GenerationSlices, UnsafeMutableRawPointer) {
    let layout = SliceLayout(columns: columns, rows: Self.rows, lanes: 16)
    let live = LiveLayout(
      layout: SliceLayout(columns: binned, rows: LiveLayout.rows(of: Self.rows, factor: factor), lanes: 4),
      factor: factor)
    let memory = UnsafeMutableRawPointer.allocate(byteCount: live.layout.volumeByteCount, alignment: 4096)
    memset(memory, 0, live.layout.volumeByteCount)
    for row in 0..<live.layout.rows {
      let slice = (0..<binned * binned).map { Self.voxel(row, $0 / binned, $0 % binned) }
      slice.withUnsafeBufferPointer { live.layout.setSlice(row: row, in: memory, from: $0) }
    }
    return (GenerationSlices(layout: layout, live: live, base: UnsafeRawPointer(memory)), memory)
  }

  @Test(arguments: shapes) func `Each pixel shows the voxel that covers it, in the unit of the finished volume`(
    columns: Int, binned: Int, factor: Int
  ) {
    let (slices, memory) = slices(columns, binned, factor)
    defer { memory.deallocate() }
    let size = columns * columns
    var slice = [Float](repeating: -1, count: size)
    var group = [Float](repeating: -1, count: 3 * size)
    for row in [0, 1, 7, Self.rows - 1] {
      slice.withUnsafeMutableBufferPointer { slices.copySlice(row: row, into: $0) }
      for pixel in 0..<size {
        let expected = Self.expected(
          row, pixel / columns, pixel % columns, columns: columns, binned: binned, factor: factor)
        #expect(slice[pixel] == expected, "\(row), \(pixel)")
      }
    }
    // In parts, as an export reads it.
    for lines in [0..<5, 5..<6, 6..<columns] {
      group.withUnsafeMutableBufferPointer { slices.copySlices(rows: 5..<8, lines: lines, into: $0) }
    }
    for number in 0..<3 {
      slice.withUnsafeMutableBufferPointer { slices.copySlice(row: 5 + number, into: $0) }
      #expect(Array(group[number * size..<(number + 1) * size]) == slice)
    }
  }

  @Test(arguments: shapes, [1, 3]) func `Cuts are those of the slices`(
    shape: (columns: Int, binned: Int, factor: Int), step: Int
  ) {
    let (slices, memory) = slices(shape.columns, shape.binned, shape.factor), columns = shape.columns
    defer { memory.deallocate() }
    let pixels = Array(stride(from: step / 2, to: columns, by: step)), rows = [0, 3, 4, Self.rows - 1]
    func value(_ row: Int, _ y: Int, _ x: Int) -> Float {
      Self.expected(row, y, x, columns: columns, binned: shape.binned, factor: shape.factor)
    }
    for (axis, index) in [(CutAxis.z, 5), (.y, columns / 2), (.x, columns - 1)] {
      let (width, height) =
        switch axis {
        case .z: (pixels.count, pixels.count)
        case .y: (pixels.count, rows.count)
        case .x: (rows.count, pixels.count)
        }
      var picture = [Float](repeating: -1, count: width * height)
      picture.withUnsafeMutableBufferPointer {
        slices.copyCut(axis, at: index, rows: rows, step: step, into: $0, origin: 0, pitch: width)
      }
      let expected = (0..<height).flatMap { i in
        (0..<width).map { j in
          switch axis {
          case .z: value(index, pixels[i], pixels[j])
          case .y: value(rows[i], index, pixels[j])
          case .x: value(rows[j], pixels[i], index)
          }
        }
      }
      #expect(picture == expected, "\(axis)")
    }
  }
}
