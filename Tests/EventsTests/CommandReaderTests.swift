import Testing

@testable import Events

@Suite struct CommandReaderTests {
  private func read(_ text: String) -> CommandReader.Found { CommandReader.read(Array(text.utf8), run: "r1") }

  @Test func `Commands of the run are read, those of others passed over`() {
    #expect(
      read(#"{"run":"r1","command":"finalize","by":"anna"}"#)
        == .command(RunCommand(kind: .finalize, by: "anna")))
    #expect(read(#"{"by":"b","run":"r1","command":"abort"}"#) == .command(RunCommand(kind: .abort, by: "b")))
    #expect(read(#"{"run":"r2","command":"abort","by":"b"}"#) == .foreign)
  }

  @Test(arguments: [
    "", "{}", "[]", "finalize", #"{"run":"r1","command":"retain","by":"a"}"#, #"{"run":"r1","command":"finalize"}"#,
    #"{"run":"r1","command":"finalize","by":7}"#, #"{"run":"r1","command":"finalize","by":"a","more":"b"}"#,
    #"{"run":"r1","command":"Finalize","by":"a"}"#,
  ]) func `Everything else is refused`(text: String) {
    guard case .wrong(let words) = read(text) else { return #expect(Bool(false), "\(text) is a command") }
    #expect(!words.contains("\n"))
  }

  @Test func `What is too long or no text is refused`() {
    let long = #"{"run":"r1","command":"abort","by":"\#(String(repeating: "a", count: 5000))"}"#
    guard case .wrong = read(long) else { return #expect(Bool(false)) }
    guard case .wrong = CommandReader.read([0xFF, 0xFE, 0], run: "r1") else { return #expect(Bool(false)) }
  }
}
