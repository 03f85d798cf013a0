/// How well the final iterations fit one row of the detector, and by which weights.
package struct RowFit: Equatable, Sendable {
  /// σ: standard deviation of a line integral of the row; no unit.
  package var noise: Float
  /// λ: the weight of the penalty, in 1/pixel.
  package var weight: Float
  /// m: attenuations that the slice has, in 1/pixel.
  var scale: Float
  /// Root mean square of b − A x in the last sweep, over the row's rays, in units of σ: about 1 where the slice
  /// explains the data.
  package var residual: Float
  /// Whether the slice's range was too wide for fixed point, and it was projected in float.
  package var isFloat = false
  /// Projections that were made once more, because voxels did not fit in fixed point.
  package var outgrownCount = 0

  /// A fit as a worker reports it.
  package init(
    noise: Float, weight: Float, scale: Float, residual: Float, isFloat: Bool = false, outgrownCount: Int = 0
  ) {
    (self.noise, self.weight, self.scale, self.residual) = (noise, weight, scale, residual)
    (self.isFloat, self.outgrownCount) = (isFloat, outgrownCount)
  }

  /// Bytes of metadata: σ, λ, m and the residual, f32 each; projections made once more u32, whether in float u32.
  static let byteCount = 24

  /// The fits of some rows, one behind the other.
  static func encode(_ fits: [RowFit], into metadata: UnsafeMutableRawBufferPointer, at offset: Int) {
    for (row, fit) in fits.enumerated() {
      for (word, value) in [fit.noise, fit.weight, fit.scale, fit.residual].enumerated() {
        metadata.store(value.bitPattern, at: offset + row * byteCount + word * 4)
      }
      metadata.store(UInt32(clamping: fit.outgrownCount), at: offset + row * byteCount + 16)
      metadata.store(UInt32(fit.isFloat ? 1 : 0), at: offset + row * byteCount + 20)
    }
  }

  /// Reads what `encode` wrote.
  static func decode(_ fields: MetadataFields, at offset: Int, count: Int) -> [RowFit] {
    (0..<count).map { row in
      func word(_ index: Int) -> UInt32 { fields.u32(at: offset + row * byteCount + index * 4) }
      func value(_ index: Int) -> Float { Float(bitPattern: word(index)) }
      return RowFit(
        noise: value(0), weight: value(1), scale: value(2), residual: value(3), isFloat: word(5) != 0,
        outgrownCount: Int(word(4)))
    }
  }
}

// In JSON four numbers, null for one that is none, the number of projections made once more, and 1 for float.
extension RowFit: Codable {
  /// A row of which nothing is known.
  package static let unknown = RowFit(noise: .nan, weight: .nan, scale: .nan, residual: .nan)

  /// Reads what `encode` wrote.
  package init(from decoder: any Decoder) throws {
    var values = try decoder.unkeyedContainer()
    func next() throws -> Float { try values.decodeNil() ? .nan : values.decode(Float.self) }
    self.init(noise: try next(), weight: try next(), scale: try next(), residual: try next())
    outgrownCount = try values.decode(Int.self)
    isFloat = try values.decode(Int.self) != 0
  }

  /// Writes an array.
  package func encode(to encoder: any Encoder) throws {
    var values = encoder.unkeyedContainer()
    for value in [noise, weight, scale, residual] {
      if value.isFinite { try values.encode(value) } else { try values.encodeNil() }
    }
    try values.encode(outgrownCount)
    try values.encode(isFloat ? 1 : 0)
  }
}
