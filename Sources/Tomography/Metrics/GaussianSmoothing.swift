import Glibc

/// An image smoothed by a Gaussian of `sigma` pixels, which is cut off at 4 σ. Beyond its edges it goes on as it ends
/// there.
///
/// - Parameters:
///   - image: rows of `columns` pixels.
///   - sigma: above 0.
package func gaussianSmoothed(_ image: [Float], columns: Int, sigma: Double) -> [Float] {
  precondition(columns > 0 && image.count % columns == 0, "\(image.count) pixels in rows of \(columns)")
  precondition(sigma > 0 && sigma < 1000, "a Gaussian of \(sigma) pixels")
  let reach = Int((4 * sigma).rounded(.up)), rows = image.count / columns
  var weights = (0...reach).map { Float(exp(-0.5 * Double($0 * $0) / (sigma * sigma))) }
  let sum = 2 * weights.reduce(0, +) - weights[0]
  for index in weights.indices { weights[index] /= sum }

  /// Σ of weighted lines around each line; a line is `length` values, `pitch` lines there are `count` of.
  func smoothed(_ source: [Float], lines: Int, length: Int) -> [Float] {
    var result = [Float](repeating: 0, count: source.count)
    source.withUnsafeBufferPointer { source in
      result.withUnsafeMutableBufferPointer { result in
        for line in 0..<lines {
          let target = result.baseAddress! + line * length
          for offset in -reach...reach {
            let from = source.baseAddress! + min(max(line + offset, 0), lines - 1) * length
            let weight = weights[abs(offset)]
            for index in 0..<length { target[index] += weight * from[index] }
          }
        }
      }
    }
    return result
  }

  let across = smoothed(image, lines: rows, length: columns)
  return transposed(
    smoothed(transposed(across, columns: columns), lines: columns, length: rows), columns: rows)
}

/// Rows become columns.
private func transposed(_ image: [Float], columns: Int) -> [Float] {
  let rows = image.count / columns
  return [Float](unsafeUninitializedCapacity: image.count) { buffer, count in
    for row in 0..<rows {
      for column in 0..<columns { buffer[column * rows + row] = image[row * columns + column] }
    }
    count = image.count
  }
}
