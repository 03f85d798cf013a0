/// What the names of process variables begin with that are served, as `BL10:Slipring` of `BL10:Slipring:State`.
package struct VariablePrefix: Equatable, Sendable, CustomStringConvertible {
  /// As it was read.
  package let description: String

  /// Leaves room in a name for that of a source and that of a variable.
  private static let lengthMax = 150

  /// Reads what a person wrote. Throws `.prefix` where no variable's name may begin so.
  package init(_ text: String) throws(StreamError) {
    guard 1...Self.lengthMax ~= text.utf8.count, text.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) else {
      throw .prefix(text, "it has 1 to \(Self.lengthMax) characters of ASCII and no blanks, as in BL10:Slipring")
    }
    description = text
  }

  /// The prefix of one of several sources, whose name has been checked.
  package func adding(_ source: String) -> VariablePrefix { VariablePrefix(checked: "\(self):\(source)") }

  private init(checked: String) { description = checked }
}
