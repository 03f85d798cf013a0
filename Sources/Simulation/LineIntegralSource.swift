import Glibc
import Host
import KernelTypes
import ScanFiles
import ScanPlan
import Tomography

/// Delivers projections as line integrals, in order, with all of a pool's threads.
protocol LineIntegralSource {
  /// Writes projection `index`, rows × columns.
  mutating func read(_ index: Int, into projection: UnsafeMutableBufferPointer<Float>) throws
}

/// Exact line integrals of a phantom.
struct PhantomSource: LineIntegralSource {
  let phantom: any Phantom
  let simulation: Simulation
  let pool: ThreadPool

  func read(_ index: Int, into projection: UnsafeMutableBufferPointer<Float>) {
    let theta = simulation.thetas[index] * .pi / 180
    let columns = simulation.columns
    // Sound: each item writes its own row.
    nonisolated(unsafe) let target = projection
    pool.forEach(count: simulation.rows) { row in
      phantom.lineIntegrals(
        row: row, theta: theta, columns: columns, rotationAxis: simulation.rotationAxis,
        into: UnsafeMutableBufferPointer(rebasing: target[row * columns..<(row + 1) * columns]))
    }
  }
}

/// Line integrals of a volume by the projector that the reconstruction uses, some angles at a time.
final class VolumeProjections: LineIntegralSource {
  private let simulation: Simulation
  private let pool: ThreadPool
  private let layout: SliceLayout
  private let projector: Projector
  private let volume: UnsafeMutableRawPointer
  private let sinogram: UnsafeMutableRawPointer
  private var ready = 0..<0

  private static let batch = 32

  /// Reads the whole volume. Throws `ScanFailure` where it holds what no detector could measure.
  init(path: String, simulation: Simulation, pool: ThreadPool) throws {
    let reader = try VolumeReader(path: path)
    guard reader.columns == simulation.columns, reader.slices == simulation.rows else {
      preconditionFailure("the simulation was planned for another volume")
    }
    layout = SliceLayout(columns: simulation.columns, rows: simulation.rows)
    projector = Projector(
      layout: layout, beam: ParallelBeam(columns: simulation.columns, rotationAxis: simulation.rotationAxis))
    let sinogramBytes = layout.blockCount * layout.sinogramBlockByteCount(slots: Self.batch)
    volume = .allocate(byteCount: layout.volumeByteCount, alignment: 4096)
    sinogram = .allocate(byteCount: sinogramBytes, alignment: 4096)
    memset(volume, 0, layout.volumeByteCount)
    memset(sinogram, 0, sinogramBytes)
    self.simulation = simulation
    self.pool = pool
    let slice = UnsafeMutableBufferPointer<Float>.allocate(capacity: simulation.columns * simulation.columns)
    defer { slice.deallocate() }
    for row in 0..<simulation.rows {
      try reader.readSlice(row, into: slice)
      guard slice.allSatisfy(\.isFinite) else {
        throw ScanFailure(
          .data, "\(path): slice \(row) of \(reader.datasetName) has NaN or infinite voxels, which cannot be measured")
      }
      layout.setSlice(row: row, in: volume, from: UnsafeBufferPointer(slice))
    }
  }

  deinit {
    volume.deallocate()
    sinogram.deallocate()
  }

  func read(_ index: Int, into projection: UnsafeMutableBufferPointer<Float>) {
    if !ready.contains(index) {
      ready = index..<min(index + Self.batch, simulation.thetas.count)
      let angles = ready.enumerated().map { WindowAngle(theta: simulation.thetas[$1] * .pi / 180, slot: $0) }
      projector.forward(
        volume: UnsafeRawPointer(volume), sinogram: sinogram, slots: Self.batch, blocks: 0..<layout.blockCount,
        angles: angles,
        executor: PoolExecutor(pool: pool))
    }
    layout.copyProjection(
      slot: index - ready.lowerBound, slots: Self.batch, from: UnsafeRawPointer(sinogram),
      blocks: 0..<layout.blockCount,
      into: projection.baseAddress!)
  }
}
