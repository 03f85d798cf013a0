import KernelTypes
import Testing

@Suite struct CutTests {
  private static let (columns, rows) = (9, 21)

  private static func value(_ z: Int, _ y: Int, _ x: Int) -> Float { Float(z * 10_000 + y * 100 + x) }

  /// A volume in which each voxel tells where it is; the last block is narrower than the first.
  private func withVolume(_ body: (SliceLayout, UnsafeRawPointer) -> Void) {
    let layout = SliceLayout(columns: Self.columns, rows: Self.rows, lanes: 16)
    let volume = UnsafeMutableRawPointer.allocate(byteCount: layout.volumeByteCount, alignment: 4096)
    defer { volume.deallocate() }
    volume.initializeMemory(as: UInt8.self, repeating: 0, count: layout.volumeByteCount)
    for z in 0..<Self.rows {
      let slice = (0..<Self.columns).flatMap { y in (0..<Self.columns).map { Self.value(z, y, $0) } }
      slice.withUnsafeBufferPointer { layout.setSlice(row: z, in: volume, from: $0) }
    }
    body(layout, UnsafeRawPointer(volume))
  }

  @Test(
    "A cut holds the voxels that its axis, place and step name, at its place in a larger picture",
    arguments: CutAxis.allCases, [1, 2, 4])
  func voxels(axis: CutAxis, step: Int) {
    withVolume { layout, volume in
      let pixels = Array(stride(from: step / 2, to: Self.columns, by: step))
      let rows = [3, 15, 16, 20]
      let at = axis == .z ? 17 : 7
      let (height, width) =
        switch axis {
        case .z: (pixels.count, pixels.count)
        case .y: (rows.count, pixels.count)
        case .x: (pixels.count, rows.count)
        }
      let (pitch, origin) = (width + 3, 2)
      var picture = [Float](repeating: -1, count: origin + height * pitch)
      picture.withUnsafeMutableBufferPointer {
        layout.copyCut(axis, at: at, rows: rows, step: step, from: volume, into: $0, origin: origin, pitch: pitch)
      }
      for i in 0..<height {
        for j in 0..<width {
          let expected =
            switch axis {
            case .z: Self.value(at, pixels[i], pixels[j])
            case .y: Self.value(rows[i], at, pixels[j])
            case .x: Self.value(rows[j], pixels[i], at)
            }
          #expect(picture[origin + i * pitch + j] == expected, "(\(i), \(j))")
        }
      }
      #expect(picture.count { $0 != -1 } == width * height)
    }
  }
}
