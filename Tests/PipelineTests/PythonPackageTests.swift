import Foundation
import Host
import TestSupport
import Testing

extension Pipeline {
  /// The Python package, by its own tests.
  @Suite struct PythonPackageTests {
    private static let package = Senders.root.appending(path: "Python").path
    private let folder: TestFolder

    init() throws { folder = try TestFolder() }

    /// Runs a module of Python in the package's folder, with this build's program; nothing stays there.
    private func run(_ python: String?, _ arguments: String...) throws -> Command.Outcome {
      try Command(
        ["--chdir=\(Self.package)", try #require(python), "-m"] + arguments, executable: "/usr/bin/env",
        variables: [
          "SLIPRING": Command.executable, "PYTHONPATH": "src", "PYTHONDONTWRITEBYTECODE": "1",
          "MYPY_CACHE_DIR": folder.file("types"), "TMPDIR": folder.path,
        ]
      ).end(within: .seconds(240))
    }

    @Test(.enabled(if: Senders.package != nil, "pytest cannot be installed"))
    func `The Python package does what its tests say`() throws {
      let outcome = try run(
        Senders.package, "pytest", "-q", "-p", "no:cacheprovider", "tests/test_run.py", "tests/test_client.py",
        "tests/test_server.py", "tests/test_topic.py", "tests/test_stage.py", "tests/test_view.py")
      #expect(outcome.status == .exited(0), "\(outcome.output)")
    }

    @Test(.enabled(if: Senders.examples != nil, "bluesky and a notebook's kernel cannot be installed"))
    func `A Bluesky plan takes scans, and hears why one fails, the notebook runs, and a denoiser learns`() throws {
      let outcome = try run(
        Senders.examples, "pytest", "-q", "-p", "no:cacheprovider", "tests/test_ophyd.py", "tests/test_notebook.py",
        "tests/test_denoiser.py")
      #expect(outcome.status == .exited(0) && outcome.output.contains("4 passed"), "\(outcome.output)")
    }

    @Test(.enabled(if: Senders.networks != nil, "onnxruntime cannot be installed"))
    func `A network works on the volume while it is made, as it was when the run began`() throws {
      let outcome = try run(Senders.networks, "pytest", "-q", "-p", "no:cacheprovider", "tests/test_onnx.py")
      #expect(outcome.status == .exited(0) && outcome.output.contains("43 passed"), "\(outcome.output)")
    }

    @Test(.enabled(if: Senders.package != nil, "mypy cannot be installed"))
    func `The Python package has types throughout`() throws {
      let outcome = try run(Senders.package, "mypy")
      #expect(outcome.status == .exited(0), "\(outcome.output)")
    }
  }
}
