import Glibc
import Testing

@testable import Tomography

@Suite struct PaganinTests {
  /// A transmission t whose intensity behind the sample is I = t − a ∇²t, which is the formula's inverse: for t = 1 − A
  /// g with a Gaussian g of width s, ∇²g = (r² − 2 s²) / s⁴ · g.
  private static func gaussian(rows: Int, columns: Int, area: Double) -> (transmission: [Double], intensity: [Float]) {
    let (depth, width) = (0.8, 7.0)
    let pixels = (0..<rows * columns).map { index in
      let (x, y) = (Double(index % columns) - 0.45 * Double(columns), Double(index / columns) - 0.55 * Double(rows))
      let squared = x * x + y * y, g = exp(-squared / (2 * width * width))
      let laplacian = -depth * (squared - 2 * width * width) / (width * width * width * width) * g
      return (1 - depth * g, Float(1 - depth * g - area * laplacian))
    }
    return (pixels.map(\.0), pixels.map(\.1))
  }

  @Test(arguments: [(96, 90), (81, 101)], [0, 2, 20] as [Double])
  func `The filter undoes what free space did to a transmission`(shape: (Int, Int), area: Double) {
    let (truth, intensity) = Self.gaussian(rows: shape.0, columns: shape.1, area: area)
    var image = intensity
    PaganinFilter(rows: shape.0, columns: shape.1, area: area, workers: 1).apply(&image, executor: SerialExecutor())
    for index in image.indices { #expect(abs(Double(image[index]) - truth[index]) < 1e-4, "pixel \(index)") }
    var threaded = intensity
    PaganinFilter(rows: shape.0, columns: shape.1, area: area, workers: 3).apply(
      &threaded, executor: ThreadExecutor(width: 3))
    #expect(threaded == image)
  }

  @Test func `The area is that of the formula`() {
    // λ = 0.61992 Å at 20 keV; z λ (δ/β) / 4π = 0.5 m · 61.992 pm · 1000 / 4π = 2.4666e-9 m².
    let retrieval = PhaseRetrieval(energy: 20, distance: 500, pixel: 2, deltaBeta: 1000)
    #expect(abs(retrieval.wavelength - 6.1992e-5) < 1e-8)
    #expect(abs(retrieval.area - 2466.6 / 4) < 0.1)
  }

  /// A sphere of one material under the Fresnel transform: exp(−i π λ z f²) on the wave exp(−(μ/2 + 2πi δ/λ) T).
  @Test func `The thickness of a sphere comes back from its Fresnel diffraction pattern`() {
    let size = 128, radius = 40.0
    let retrieval = PhaseRetrieval(energy: 20, distance: 30, pixel: 1, deltaBeta: 300)
    let beta = 2e-9, delta = beta * retrieval.deltaBeta
    let attenuation = 4 * Double.pi * beta / retrieval.wavelength  // a µm
    let thickness = (0..<size * size).map { index in
      let (x, y) = (Double(index % size) - 63.5, Double(index / size) - 63.5)
      return 2 * max(0, radius * radius - x * x - y * y).squareRoot()
    }
    var wave = thickness.map { t in
      let (amplitude, phase) = (exp(-attenuation * t / 2), -2 * Double.pi * delta / retrieval.wavelength * t)
      return Complex(amplitude * cos(phase), amplitude * sin(phase))
    }
    Complex.transform(&wave, size: size, sign: -1)
    for index in wave.indices {
      let (u, v) = (index % size, index / size)
      let (x, y) = (Double(min(u, size - u)) / Double(size), Double(min(v, size - v)) / Double(size))
      let phase = -Double.pi * retrieval.wavelength * retrieval.distance * 1000 * (x * x + y * y)
      wave[index] = wave[index] * Complex(cos(phase), sin(phase))
    }
    Complex.transform(&wave, size: size, sign: 1)
    let scale = 1 / Double(size * size)
    let intensity = wave.map { Float(($0.real * $0.real + $0.imaginary * $0.imaginary) * scale * scale) }
    var image = intensity
    PaganinFilter(rows: size, columns: size, area: retrieval.area, workers: 1).apply(&image, executor: SerialExecutor())
    func error(_ image: [Float]) -> Double {
      let squares = zip(image, thickness).map {
        (-log(Double($0)) / attenuation - $1) * (-log(Double($0)) / attenuation - $1)
      }
      return (squares.reduce(0, +) / Double(squares.count)).squareRoot() / (2 * radius)
    }
    let (before, after) = (error(intensity), error(image))
    #expect(after < 0.02 && after < before / 5, "relative error of the thickness: \(before) → \(after)")
  }
}

/// Enough of the complex numbers.
private struct Complex {
  var (real, imaginary): (Double, Double)

  init(_ real: Double, _ imaginary: Double) { (self.real, self.imaginary) = (real, imaginary) }

  static func * (a: Complex, b: Complex) -> Complex {
    Complex(a.real * b.real - a.imaginary * b.imaginary, a.real * b.imaginary + a.imaginary * b.real)
  }

  /// The discrete Fourier transform of a square by its definition, rows and then columns.
  static func transform(_ values: inout [Complex], size: Int, sign: Double) {
    let roots = (0..<size).map {
      Complex(cos(2 * .pi * Double($0) / Double(size)), sign * sin(2 * .pi * Double($0) / Double(size)))
    }
    for (step, line) in [(1, size), (size, 1)] {
      let old = values
      for first in stride(from: 0, to: size * line, by: line) {
        for k in 0..<size {
          var (real, imaginary) = (0.0, 0.0)
          for n in 0..<size {
            let product = old[first + n * step] * roots[k * n % size]
            real += product.real
            imaginary += product.imaginary
          }
          values[first + k * step] = Complex(real, imaginary)
        }
      }
    }
  }
}
