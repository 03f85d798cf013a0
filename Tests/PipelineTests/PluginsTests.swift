import Foundation
import Glibc
import Host
import TestSupport
import Testing

extension Pipeline {
  /// Programs of people, tried on a phantom.
  @Suite struct PluginsTests {
    private let folder: TestFolder

    init() throws { folder = try TestFolder() }

    @Test func `A program is tried on a phantom, which says what it did`() throws {
      let path = folder.file("good")
      try "#!/bin/sh\necho '{\"pores\": 3}'; cat\n".write(toFile: path, atomically: true, encoding: .utf8)
      chmod(path, 0o700)
      let outcome = try Command.run("plugins", "test", path)
      #expect(outcome.status == .exited(0) && outcome.output.contains("pores 3.0"), "\(outcome)")
      #expect(try Command.run("plugins", "test", path, "--writes", "labels:u8").status == .exited(69))
      let bad = try Command.run("plugins", "test", "/bin/false")
      #expect(bad.status == .exited(69) && bad.errors.contains("it was done without"), "\(bad)")
    }
  }
}
