import Host
package import Testing

/// Expects an error with this exit code, in one line that contains all the fragments.
package func expectFailure(
  _ exitCode: Int32, _ fragments: String..., at location: SourceLocation = #_sourceLocation, _ body: () throws -> Void
) {
  guard let error = #expect(throws: FileError.self, sourceLocation: location, performing: body) else { return }
  #expect(error.exitCode == exitCode, "\(error)", sourceLocation: location)
  #expect(!error.description.contains("\n"), "\(error)", sourceLocation: location)
  for fragment in fragments {
    #expect(error.description.contains(fragment), "'\(fragment)' is missing: \(error)", sourceLocation: location)
  }
}
