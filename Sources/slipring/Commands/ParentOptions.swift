import ArgumentParser
import Host
import ScanPlan

/// What a process of this program is told by the one that starts it.
struct ParentOptions: ParsableArguments {
  @Option(help: "The process that starts this one, which ends with it.") var parent: Int32
  @Option(help: "The program of that process.") var program: String?

  /// Has the kernel end this process with its parent. Throws where that is gone already, or is another program: what
  /// the two of them share has the shape that one of them knows.
  func begin() throws {
    try ChildProcess.dieWithParent(expectedParent: parent)
    guard program != OwnProgram.build else { return }
    throw ScanFailure(
      .temporary,
      "this process is slipring \(OwnProgram.build), and process \(parent), which started it, is slipring "
        + "\(program ?? "of an earlier version"): the program was replaced, and what they share may have another "
        + "shape; start it again (slipring resume)")
  }
}
