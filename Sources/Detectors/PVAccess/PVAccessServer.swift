internal import CPVAccess

/// Serves process variables of EPICS over pvAccess: who asks for one by its name hears of every change. On this machine
/// alone, unless `EPICS_PVAS_INTF_ADDR_LIST` in the environment says more. Use from one thread.
package final class PVAccessServer {
  /// What a variable holds.
  package enum VariableKind: Equatable, Sendable {
    /// A number.
    case number
    /// A whole number.
    case count
    /// A line of text.
    case line
    /// One of these words.
    case choice([String])
    /// A picture of floats, as NTNDArray.
    case picture
    /// A whole number that others set.
    case command
  }

  /// Somebody set a variable.
  package struct VariableCommand: Equatable, Sendable {
    /// Its name.
    package let name: String
    /// What it was set to.
    package let value: Int32
    /// Who did, as its address says.
    package let peer: String
  }

  private let functions: slipring_pva_functions
  private let server: OpaquePointer
  private var text = [CChar](repeating: 0, count: 256)

  /// A server without variables.
  /// - Throws: `.withoutPVAccess` where the library is missing, `.refused` where it cannot serve.
  package init() throws(StreamError) {
    functions = try PVAccessLibrary.load().functions.pointee
    guard let server = functions.serve(&text, UInt64(text.count)) else {
      throw .refused(
        address: "a server of process variables (EPICS_PVAS_INTF_ADDR_LIST, EPICS_PVAS_SERVER_PORT)",
        reason: plainLine(text))
    }
    self.server = server
  }

  deinit { functions.end_server(server) }

  /// Adds a variable, which holds 0, or nothing. Throws `.refused`, after a second, for a command that another program
  /// serves already.
  package func add(_ name: String, _ kind: VariableKind) throws(StreamError) {
    let choices = if case .choice(let words) = kind { words.joined(separator: "\n") } else { "" }
    try check(name, functions.add(server, name, kind.code, choices, &text, UInt64(text.count)))
  }

  /// Changes a number, a count, a command, or a choice, by the number of its word.
  package func post(_ value: Double, to name: String) throws(StreamError) {
    try check(name, functions.post_number(server, name, value, &text, UInt64(text.count)))
  }

  /// Changes a line.
  package func post(_ value: String, to name: String) throws(StreamError) {
    try check(name, functions.post_line(server, name, value, &text, UInt64(text.count)))
  }

  /// Changes a picture of `rows` lines; `number` is its uniqueId.
  package func post(_ pixels: [Float], rows: Int, number: UInt64, to name: String) throws(StreamError) {
    precondition(rows > 0 && pixels.count.isMultiple(of: rows) && !pixels.isEmpty, "\(pixels.count) in \(rows) rows")
    let code = functions.post_picture(
      server, name, pixels, UInt32(pixels.count / rows), UInt32(rows), Int64(number & 0x7FFF_FFFF), &text,
      UInt64(text.count))
    try check(name, code)
  }

  /// The oldest command that was not taken yet.
  package func command() -> VariableCommand? {
    var (name, value) = ([CChar](repeating: 0, count: 256), Int32(0))
    guard functions.take(server, &value, &name, UInt64(name.count), &text, UInt64(text.count)) == 1 else { return nil }
    return VariableCommand(name: plainLine(name), value: value, peer: plainLine(text))
  }

  private func check(_ name: String, _ code: Int32) throws(StreamError) {
    guard code == 0 else { throw .refused(address: PVAccessAddress.scheme + name, reason: plainLine(text)) }
  }
}

extension PVAccessServer.VariableKind {
  fileprivate var code: slipring_pva_kind {
    switch self {
    case .number: SLIPRING_PVA_NUMBER
    case .count: SLIPRING_PVA_COUNT
    case .line: SLIPRING_PVA_LINE
    case .choice: SLIPRING_PVA_CHOICE
    case .picture: SLIPRING_PVA_PICTURE
    case .command: SLIPRING_PVA_COMMAND
    }
  }
}
