/// A process variable of EPICS that holds images, as in `pva://13SIM1:Pva1:Image`.
package struct PVAccessAddress: Equatable, Sendable, CustomStringConvertible {
  /// The process variable's name.
  let name: String

  /// What every address of a process variable begins with.
  package static let scheme = "pva://"
  private static let nameLengthMax = 255

  /// Reads an address. Throws `.address` where it is none.
  package init(_ text: String) throws(StreamError) {
    guard text.hasPrefix(Self.scheme) else { throw .address(text, "it begins with \(Self.scheme)") }
    let name = String(text.dropFirst(Self.scheme.count))
    guard !name.isEmpty else { throw .address(text, "it names no process variable, as in pva://13SIM1:Pva1:Image") }
    guard name.utf8.count <= Self.nameLengthMax, name.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) else {
      throw .address(
        text, "a process variable's name has up to \(Self.nameLengthMax) characters of ASCII and no blanks")
    }
    self.name = name
  }

  /// As it was read.
  package var description: String { Self.scheme + name }
}
