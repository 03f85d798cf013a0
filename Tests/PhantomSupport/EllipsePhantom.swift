package import Simulation

/// A phantom of given ellipses, the same in every row.
package struct EllipsePhantom: Phantom {
  package var fullWidthIntegral: Double
  private let shapes: [Ellipse]

  package init(fullWidthIntegral: Double = 2, shapes: [Ellipse]) {
    self.fullWidthIntegral = fullWidthIntegral
    self.shapes = shapes
  }

  package func ellipses(row: Int) -> [Ellipse] { shapes }
}

extension Phantom {
  /// Line integrals of one row at several thetas, one after the other.
  package func sinogram(row: Int = 0, thetas: [Double], columns: Int, rotationAxis: Double, samplesPerBin: Int = 1)
    -> [Float]
  {
    thetas.flatMap { theta in
      [Float](unsafeUninitializedCapacity: columns) { buffer, count in
        let line = UnsafeMutableBufferPointer(rebasing: buffer[0..<columns])
        lineIntegrals(
          row: row, theta: theta, columns: columns, rotationAxis: rotationAxis, samplesPerBin: samplesPerBin, into: line
        )
        count = columns
      }
    }
  }

  /// The true slice of a row.
  package func truth(row: Int = 0, columns: Int, supersampling: Int = 8) -> [Float] {
    [Float](unsafeUninitializedCapacity: columns * columns) { buffer, count in
      let pixels = UnsafeMutableBufferPointer(rebasing: buffer[0..<columns * columns])
      slice(row: row, columns: columns, supersampling: supersampling, into: pixels)
      count = columns * columns
    }
  }
}
