import Foundation
import PhantomSupport
import Testing

@testable import Simulation

struct PhantomTests {
  @Test func `a disc's line integrals are its chords`() {
    let columns = 100
    let phantom = EllipsePhantom(fullWidthIntegral: 3, shapes: [Ellipse(x: 0, y: 0, a: 0.6, value: 2)])
    for axis in [50.0, 41.25, 70] {
      let sinogram = phantom.sinogram(thetas: [0, 0.7, 2], columns: columns, rotationAxis: axis)
      for (index, value) in sinogram.enumerated() {
        let t = Double(index % columns) + 0.5 - axis
        let chord = 2 * max(0, 30 * 30 - t * t).squareRoot()
        #expect(abs(Double(value) - chord * 2 * 3 / 100) < 1e-5)
      }
    }
  }

  @Test func `a small disc at row 5, column 20 falls into bin 20 at zero and bin 26 at a quarter turn`() {
    let columns = 32
    let disc = Ellipse(x: (20.5 - 16) / 16, y: (16 - 5.5) / 16, a: 0.02, value: 1)
    let phantom = EllipsePhantom(shapes: [disc])
    let sinogram = phantom.sinogram(thetas: [0, .pi / 2], columns: columns, rotationAxis: 16)
    #expect(sinogram.indices.filter { sinogram[$0] > 0 } == [20, columns + 26])
    let slice = phantom.truth(columns: columns)
    #expect(slice.indices.filter { slice[$0] > 0 } == [5 * columns + 20])
  }

  @Test func `line integrals agree with sums along the finely rasterised slice`() {
    let columns = 64
    let fine = 16
    for phantom: any Phantom in [SheppLogan(), Foam(rows: 4, columns: columns, seed: 5)] {
      // Along columns (theta 0) and rows (theta π/2), where the raster needs no interpolation, averaged over a bin on
      // both sides.
      let slice = phantom.truth(row: 2, columns: columns, supersampling: fine)
      let sinogram = phantom.sinogram(
        row: 2, thetas: [0, .pi / 2], columns: columns, rotationAxis: 32, samplesPerBin: fine)
      for bin in 0..<columns {
        let down = (0..<columns).reduce(Float(0)) { $0 + slice[$1 * columns + bin] }
        let across = (0..<columns).reduce(Float(0)) { $0 + slice[(columns - 1 - bin) * columns + $1] }
        #expect(abs(down - sinogram[bin]) < 0.01, "\(phantom), column \(bin)")
        #expect(abs(across - sinogram[columns + bin]) < 0.01, "\(phantom), row \(columns - 1 - bin)")
      }
    }
  }

  @Test func `a tilted ellipse's line integrals agree with numerical integration`() {
    let ellipse = Ellipse(x: 0.2, y: -0.3, a: 0.5, b: 0.15, angle: 0.6, value: 1.5)
    let columns = 40
    let thetas = [0.0, 0.3, 1.1, 2.6]
    let sinogram = EllipsePhantom(shapes: [ellipse]).sinogram(thetas: thetas, columns: columns, rotationAxis: 18.3)
    let step = 1e-4
    for (angle, theta) in thetas.enumerated() {
      for bin in 0..<columns {
        let t = (Double(bin) + 0.5 - 18.3) / 20
        var inside = 0
        for sample in -14_000...14_000 {
          let s = (Double(sample) + 0.5) * step
          let (x, y) = (t * cos(theta) - s * sin(theta) - 0.2, t * sin(theta) + s * cos(theta) + 0.3)
          let (u, v) = (x * cos(0.6) + y * sin(0.6), -x * sin(0.6) + y * cos(0.6))
          if u * u / 0.25 + v * v / 0.0225 < 1 { inside += 1 }
        }
        // The length in pixels times value 1.5 at 2/40 per pixel.
        let expected = Double(inside) * step * 20 * 1.5 * 2 / 40
        #expect(abs(Double(sinogram[angle * columns + bin]) - expected) < 1e-3)
      }
    }
  }

  @Test func `a slice sums to the ellipses' areas`() {
    let columns = 50
    let shapes = [
      Ellipse(x: 0.1, y: -0.2, a: 0.5, b: 0.3, angle: 0.4, value: 1), Ellipse(x: -0.5, y: 0.6, a: 0.11, value: -0.5),
    ]
    let sum = EllipsePhantom(fullWidthIntegral: 5, shapes: shapes).truth(columns: columns, supersampling: 16).reduce(
      0.0
    ) {
      $0 + Double($1)
    }
    let area = Double.pi * (0.5 * 0.3 - 0.5 * 0.11 * 0.11) * 25 * 25
    #expect(abs(sum / (area * 5 / 50) - 1) < 1e-3)
  }

  @Test func `line integrals do not depend on the resolution and are of order one`() {
    for phantom: any Phantom in [SheppLogan(), Foam(rows: 1, columns: 1, seed: 3)] {
      for columns in [64, 65, 1000] {
        let sinogram = phantom.sinogram(thetas: [0, 1, 2], columns: columns, rotationAxis: Double(columns) / 2)
        let largest = sinogram.max() ?? 0
        #expect(largest > 1 && largest < 3)
        #expect(sinogram.allSatisfy { $0 >= -1e-6 })
      }
    }
  }
}
