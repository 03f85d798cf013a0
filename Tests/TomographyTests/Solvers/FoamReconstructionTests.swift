import Glibc
import Testing
import Tomography

@Suite struct FoamReconstructionTests {
  /// PSNR in decibels of ASTRA's SIRT (`linear` projector, 50 iterations from zero) on the same line integrals and truth.
  private static let publicCode = 24.77

  @Test func `SIRT-50 of a foam is as good as a public code's`() {
    let (columns, angleCount) = (256, 180)
    let foam = Foam(rows: 1, columns: columns, seed: 1)
    let layout = SliceLayout(columns: columns, rows: 1)
    let volume = UnsafeMutableRawPointer.allocate(byteCount: layout.volumeByteCount, alignment: 4096)
    let sinogram = UnsafeMutableRawPointer.allocate(byteCount: layout.sinogramBlockByteCount(slots: angleCount), alignment: 4096)
    defer {
      volume.deallocate()
      sinogram.deallocate()
    }
    memset(volume, 0, layout.volumeByteCount)
    let angles = (0..<angleCount).map { WindowAngle(theta: Double($0) * .pi / Double(angleCount), slot: $0) }
    var line = [Float](repeating: 0, count: columns)
    for angle in angles {
      line.withUnsafeMutableBufferPointer {
        foam.lineIntegrals(row: 0, theta: angle.theta, columns: columns, rotationAxis: Double(columns) / 2, into: $0)
      }
      layout.storeProjection(line, blocks: 0..<1, slot: angle.slot, slots: angleCount, into: sinogram)
    }
    let solver = SIRTSolver(
      layout: layout, beam: ParallelBeam(columns: columns, rotationAxis: Double(columns) / 2), options: SIRTOptions(), anglesMax: angleCount
    )
    let residual = solver.update(
      volume: volume, next: volume, sinogram: sinogram, slots: angleCount, blocks: 0..<1, angles: angles, iterations: 50,
      executor: SerialExecutor())
    #expect(residual.relative < 0.01)
    var (slice, truth) = ([Float](repeating: 0, count: columns * columns), [Float](repeating: 0, count: columns * columns))
    slice.withUnsafeMutableBufferPointer { layout.copySlice(row: 0, from: volume, into: $0) }
    truth.withUnsafeMutableBufferPointer { foam.slice(row: 0, columns: columns, supersampling: 8, into: $0) }
    let quality = slice.withUnsafeBufferPointer { slice in
      truth.withUnsafeBufferPointer { psnr(slice, reference: $0, columns: columns, radiusFraction: 0.475) }
    }
    #expect(quality >= 24 && abs(quality - Self.publicCode) < 0.3, "\(quality) dB")
  }
}
