import Foundation
import Glibc
import Host
import Run
import TestSupport
import Testing

extension Pipeline {
  /// Programs of people beside the stages: `--stage`.
  @Suite struct UserProgramTests {
    private let folder: TestFolder
    private let scan: String

    init() throws {
      folder = try TestFolder()
      scan = try folder.simulate(rows: 4, columns: 48, projections: 60)
    }

    private func program(_ name: String, _ lines: String) throws -> String {
      let path = folder.file(name)
      try "#!/bin/sh\n\(lines)\n".write(toFile: path, atomically: true, encoding: .utf8)
      try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: path)
      return path
    }

    private func recon(_ name: String, _ stages: String, rate: Int = 60) throws -> Command {
      try Command(
        [
          "recon", scan, "--output-folder", folder.file(name), "--run-folder", folder.file(name + "-run"),
          "--rotation-axis", "24", "--window-step", "4", "--rate", "\(rate)", "--stage", stages, "--json",
        ])
    }

    @Test func `The run goes on without a program that always fails, and without one that cannot be run`() throws {
      let nothing = folder.file("nothing")
      try Data([0]).write(to: URL(filePath: nothing))
      chmod(nothing, 0o700)
      let outcome = try recon(
        "fails",
        "name=bad,program=/bin/false name=none,program=\(nothing) name=good,program=\(try program("good", "cat"))"
      ).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result(), programs = try #require(result.programs)
      #expect(programs.map(\.state) == [.gaveUp, .gaveUp, .ended] && programs[0].restarts == 4)
      #expect(programs[0].reason == "it exited with 1, 5 times in a row without having said anything")
      #expect(outcome.errors.contains("the run goes on without the stage bad: it exited with 1"))
      #expect(try result.volumeSHA256 != nil && regions(of: result.run).isEmpty)
    }

    @Test func `A program that is killed again and again says in the end what it says of the finished volume`() throws {
      let path = try program("counts", "echo '{\"begun\": 1}'; echo nonsense; cat; echo '{\"pores\": 7.5}'")
      let command = try recon("killed", "name=counts,program=\(path),every=final", rate: 10)
      let status = folder.file("killed-run/status.json")
      var killed: Set<Int32> = []
      try wait("the program is killed") {
        guard let data = FileManager.default.contents(atPath: status),
          let program = try? JSONDecoder().decode(RunStatus.self, from: data).programs?.first,
          let pid = program.pid, !program.figures.isEmpty, killed.insert(pid).inserted
        else { return false }
        kill(pid, SIGKILL)
        return killed.count == 2
      }
      let outcome = try command.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let found = try #require(try outcome.result().programs?.first)
      #expect(found.state == .ended && found.restarts == 2 && found.figures == ["pores": 7.5], "\(found)")
    }

    @Test(.enabled(if: access("/usr/bin/cc", X_OK) == 0, "needs a C compiler"))
    func `A program in C reads slices of the newest volume, and of the finished one`() throws {
      let program = folder.file("mean")
      let compiler = try ChildProcess(
        executable: "/usr/bin/cc",
        arguments: [
          "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-o", program,
          Senders.root.appending(path: "Tools/interfaces/examples/stage.c").path,
        ])
      try #require(try compiler.waitForExit(timeout: .seconds(60)) == .exited(0))
      let outcome = try recon("c", "name=mean,program=\(program)").end()
      let found = try #require(try outcome.result().programs?.first)
      #expect(found.state == .ended && found.restarts == 0 && (found.figures["mean"] ?? 0) > 0, "\(found)")
    }

    @Test func `A record without meaning, and a program that is not there, are refused before anything is made`() throws
    {
      for record in [
        "name=a", "program=/bin/true", "name=A,program=/bin/true", "name=a,program=/bin/true,every=0s",
        "name=a,program=/bin/true,name=b", "name=a,program=/bin/true name=a,program=/bin/true", "",
      ] {
        expectFailure(64, try recon("refused", record).end(), "name=NAME,program=PATH")
      }
      expectFailure(66, try recon("refused", "name=a,program=/none/there").end(), "/none/there")
      #expect(access(folder.file("refused"), F_OK) != 0)
    }
  }
}
