import CHDF5
import Host

/// Reads the first string of a dataset or attribute, of fixed or variable length.
struct HDF5Text {
  let file: HDF5File
  let name: String

  /// No text that a reader asks for (units, definition) is longer.
  private static let byteCountMax = 1 << 20

  /// `transfer` reads everything into memory of the given type. Returns nil when that is no text, or empty.
  func read(
    type: borrowing HDF5Handle, space: borrowing HDF5Handle, transfer: (hid_t, UnsafeMutableRawPointer) -> herr_t
  ) throws(FileError) -> String? {
    let (typeID, spaceID) = (type.id, space.id)
    let isString = try file.check(name) { H5Tget_class(typeID).rawValue } == H5T_STRING.rawValue
    let count = try file.check(name) { H5Sget_simple_extent_npoints(spaceID) }
    guard isString, count > 0 else { return nil }
    let isVariable = try file.check(name) { H5Tis_variable_str(typeID) } > 0
    let elementBytes =
      isVariable ? MemoryLayout<UnsafeMutablePointer<CChar>?>.size : try file.check(name) { Int(H5Tget_size(typeID)) }
    let (byteCount, overflow) = Int(count).multipliedReportingOverflow(by: elementBytes)
    guard !overflow, elementBytes > 0, byteCount <= Self.byteCountMax else {
      throw file.bad("\(name) is too long for a text")
    }
    let memory = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 8)
    defer { memory.deallocate() }
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
    _ = try file.check(name) { transfer(typeID, memory) }
    guard isVariable else {
      return String(
        decoding: UnsafeRawBufferPointer(start: memory, count: elementBytes).prefix { $0 != 0 }, as: UTF8.self
      ).trimmed
    }
    let first = memory.load(as: UnsafeMutablePointer<CChar>?.self).map { String(cString: $0).trimmed }
    _ = try file.check(name) { H5Dvlen_reclaim(typeID, spaceID, 0, memory) }
    return first
  }
}

extension String {
  /// The text in a buffer that a C function filled.
  init(upToNUL buffer: [CChar]) {
    self = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Without white space around it.
  var trimmed: String {
    let isInk = { (character: Character) in !character.isWhitespace }
    guard let first = firstIndex(where: isInk), let last = lastIndex(where: isInk) else { return "" }
    return String(self[first...last])
  }
}
