/// How a stage beside the run does: a program of `--stage`, or a work of Slipring's own.
package struct ProgramStatus: Codable, Equatable, Sendable {
  /// What is to be said of it in a word.
  package enum State: String, CaseIterable, Codable, Sendable {
    /// It works, or is about to be started again.
    case runs
    /// It ended well.
    case ended
    /// It is done without.
    case gaveUp
  }

  /// As it was named.
  package let name: String
  /// What it does.
  package internal(set) var state = State.runs
  /// Its process; nil where there is none.
  package internal(set) var pid: Int32?
  /// How often it was started again.
  package internal(set) var restarts = 0
  /// Lines that it has said, in all of its lives.
  package internal(set) var said = 0
  /// What it said last.
  package internal(set) var figures: [String: Double] = [:]
  /// Files that it made of the finished volume; nil for none.
  var outputs: [String]?
  /// Checksum of what it wrote of the finished volume, slice by slice; nil where it wrote nothing.
  package internal(set) var sha256: String?
  /// Checksum of the model that it has; nil where it has none.
  var modelSHA256: String?
  /// Why it is done without; nil where it is not.
  package internal(set) var reason: String?

  init(name: String) { self.name = name }
}
