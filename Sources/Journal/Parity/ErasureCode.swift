internal import CISAL

/// A Reed-Solomon code over GF(2⁸): `data` pieces get `parity` more of the same size, and any `data` of them all give
/// the others back.
///
/// ```
///            data columns
///          ┌───────────────┐
///   data   │ 1  0  …       │   the pieces themselves
///          │ 0  1  …       │
///          ├───────────────┤
///   parity │ 1 / (row ⊕ j) │   a Cauchy matrix: every square part of it can be inverted, so any `data` rows can
///          └───────────────┘
/// ```
package struct ErasureCode: Sendable, Equatable {
  /// Pieces that hold the bytes.
  let data: Int
  /// Pieces that stand in for any others.
  let parity: Int

  /// The most pieces of both kinds.
  package static let countMax = 16

  /// A row of `data` coefficients for each piece.
  private let matrix: [UInt8]
  /// The parity's rows as the library multiplies by them.
  private let tables: [UInt8]

  /// All pieces.
  var count: Int { data + parity }

  /// Whether there is such a code.
  package static func isPossible(data: Int, parity: Int) -> Bool {
    (1..<countMax).contains(data) && (1..<countMax).contains(parity) && data + parity <= countMax
  }

  /// The code of `data` and `parity` pieces, at most `countMax` together.
  package init(data: Int, parity: Int) {
    precondition(Self.isPossible(data: data, parity: parity), "a code of \(data) + \(parity) pieces")
    (self.data, self.parity) = (data, parity)
    var matrix = [UInt8](repeating: 0, count: (data + parity) * data)
    gf_gen_cauchy1_matrix(&matrix, Int32(data + parity), Int32(data))
    self.matrix = matrix
    tables = Self.tables(rows: Array(matrix[(data * data)...]), data: data)
  }

  /// Fills the parity of `data` pieces; all are of one size.
  func encode(_ pieces: [UnsafeRawBufferPointer], into others: [UnsafeMutableRawBufferPointer]) {
    precondition(pieces.count == data && others.count == parity, "\(pieces.count) + \(others.count) pieces")
    Self.multiply(tables, pieces, into: others)
  }

  /// Makes `wanted` pieces from `present` ones, which are exactly `data` different ones.
  func recovery(of wanted: [Int], from present: [Int]) -> Recovery {
    precondition(
      present.count == data && Set(present).count == data && (present + wanted).allSatisfy((0..<count).contains),
      "pieces \(wanted) from \(present) of \(data) + \(parity)")
    var given = present.flatMap { matrix[($0 * data)..<(($0 + 1) * data)] }
    var inverse = [UInt8](repeating: 0, count: data * data)
    let isSingular = gf_invert_matrix(&given, &inverse, Int32(data)) != 0
    precondition(!isSingular, "pieces \(present) of \(data) + \(parity) do not determine the others")
    let rows = wanted.flatMap { row in
      (0..<data).map { column in
        (0..<data).reduce(into: UInt8(0)) { sum, index in
          sum ^= gf_mul(matrix[row * data + index], inverse[index * data + column])
        }
      }
    }
    return Recovery(tables: Self.tables(rows: rows, data: data), data: data, count: wanted.count)
  }

  /// What makes certain pieces from others.
  struct Recovery: Sendable {
    fileprivate let tables: [UInt8]
    let data: Int
    let count: Int

    /// Fills the pieces that are wanted from those that are present, both in the order in which they were named.
    func apply(_ present: [UnsafeRawBufferPointer], into wanted: [UnsafeMutableRawBufferPointer]) {
      precondition(present.count == data && wanted.count == count, "\(wanted.count) pieces from \(present.count)")
      guard count > 0 else { return }
      ErasureCode.multiply(tables, present, into: wanted)
    }
  }

  /// Bytes of the library's table for a coefficient.
  private static let tableByteCount = 32

  private static func tables(rows: [UInt8], data: Int) -> [UInt8] {
    guard !rows.isEmpty else { return [] }
    var (rows, tables) = (rows, [UInt8](repeating: 0, count: rows.count * tableByteCount))
    ec_init_tables(Int32(data), Int32(rows.count / data), &rows, &tables)
    return tables
  }

  private static func multiply(
    _ tables: [UInt8], _ sources: [UnsafeRawBufferPointer], into targets: [UnsafeMutableRawBufferPointer]
  ) {
    let byteCount = targets[0].count
    precondition(
      byteCount > 0 && byteCount <= Int(Int32.max) && sources.allSatisfy { $0.count == byteCount }
        && targets.allSatisfy { $0.count == byteCount }, "pieces of other sizes than \(byteCount) B")
    // The library takes pointers to what it reads as if it wrote there.
    var inputs = sources.map { UnsafeMutableRawPointer(mutating: $0.baseAddress)?.assumingMemoryBound(to: UInt8.self) }
    var outputs = targets.map { $0.baseAddress?.assumingMemoryBound(to: UInt8.self) }
    tables.withUnsafeBufferPointer { tables in
      ec_encode_data(
        Int32(byteCount), Int32(sources.count), Int32(targets.count),
        UnsafeMutablePointer(mutating: tables.baseAddress),
        &inputs, &outputs)
    }
  }
}
