import Host
import ScanFiles

/// Lets the virtual detector measure a whole scan into a DXchange file.
package struct Simulator {
  private let simulation: Simulation
  private let pool: ThreadPool

  /// All cores work on one projection at a time.
  package init(_ simulation: Simulation) throws {
    self.simulation = simulation
    pool = try ThreadPool(threads: max(1, Affinity.current().count))
  }

  /// Writes the scan to `path`: complete, or not there. `progress` hears of every projection, and ends the simulation
  /// by throwing.
  package func write(to path: String, progress: (Int) throws -> Void) throws {
    switch simulation.sample {
    case .phantom(let phantom):
      var source = PhantomSource(phantom: phantom, simulation: simulation, pool: pool)
      try write(to: path, &source, progress)
    case .volume(let volume):
      var source = try VolumeProjections(path: volume, simulation: simulation, pool: pool)
      try write(to: path, &source, progress)
    }
  }

  private func write(to path: String, _ source: inout some LineIntegralSource, _ progress: (Int) throws -> Void) throws
  {
    let pixels = simulation.rows * simulation.columns
    let projection = UnsafeMutableBufferPointer<Float>.allocate(capacity: pixels)
    let counts = UnsafeMutableBufferPointer<UInt16>.allocate(capacity: pixels)
    defer {
      projection.deallocate()
      counts.deallocate()
    }
    let writer = try makeWriter(path)
    do {
      let detector = try writeFields(writer, counts)
      for index in simulation.thetas.indices {
        try source.read(index, into: projection)
        if let detector {
          expose(counts) { row, target in
            detector.projection(
              index: index, row: row,
              lineIntegrals: UnsafeBufferPointer(rebasing: UnsafeBufferPointer(projection)[range(row)]),
              into: target)
          }
          try writer.writeProjection(index, UnsafeRawBufferPointer(counts))
        } else {
          try writer.writeProjection(index, UnsafeRawBufferPointer(projection))
        }
        try progress(index + 1)
      }
      try writer.finish()
    } catch {
      writer.abandon()
      throw error
    }
  }

  private func makeWriter(_ path: String) throws -> DXchangeWriter {
    let (pixel, flats, darks): (PixelType, Int, Int) =
      switch simulation.signal {
      case .counts(_, _, let flats, let darks, _): (.uint16, flats, darks)
      case .lineIntegrals: (.float32, 0, 0)
      }
    return try DXchangeWriter(
      path: path, projectionCount: simulation.thetas.count, rows: simulation.rows, columns: simulation.columns,
      pixel: pixel,
      flatCount: flats,
      darkCount: darks, thetasDegrees: simulation.thetas)
  }

  /// Writes flats and darks; returns the detector that made them, nil for line integrals.
  private func writeFields(_ writer: DXchangeWriter, _ counts: UnsafeMutableBufferPointer<UInt16>) throws
    -> DetectorModel?
  {
    guard case .counts(let photons, let darkLevel, let flats, let darks, let seed) = simulation.signal else {
      return nil
    }
    let detector = DetectorModel(
      rows: simulation.rows, columns: simulation.columns, incidentPhotons: photons, darkLevel: darkLevel, seed: seed)
    for index in 0..<darks {
      expose(counts) { row, target in detector.dark(index: index, row: row, into: target) }
      try writer.writeDark(index, UnsafeRawBufferPointer(counts))
    }
    for index in 0..<flats {
      expose(counts) { row, target in detector.flat(index: index, row: row, into: target) }
      try writer.writeFlat(index, UnsafeRawBufferPointer(counts))
    }
    return detector
  }

  private func expose(
    _ counts: UnsafeMutableBufferPointer<UInt16>, _ body: (Int, UnsafeMutableBufferPointer<UInt16>) -> Void
  ) {
    // Sound: each item writes its own row.
    nonisolated(unsafe) let target = counts
    pool.forEach(count: simulation.rows) { row in body(row, UnsafeMutableBufferPointer(rebasing: target[range(row)])) }
  }

  private func range(_ row: Int) -> Range<Int> { row * simulation.columns..<(row + 1) * simulation.columns }
}
