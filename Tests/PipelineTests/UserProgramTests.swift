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
      #expect(programs[0].reason == "it exited with 1, 5 times in a row without having said figures")
      #expect(outcome.errors.contains("the run goes on without the stage bad: it exited with 1"))
      #expect(try result.volumeSHA256 != nil && regions(of: result.run).isEmpty)
    }

    @Test func `Signs of life are no work: a program that fails behind them each time is done without`() throws {
      let path = try program("signs.sh", "echo '{}'; exit 3")
      let outcome = try recon("signs", "name=signs,program=\(path)").end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let found = try #require(try outcome.result().programs?.first)
      #expect(found.state == .gaveUp && found.restarts == 4 && found.said == 5, "\(found)")
      #expect(found.reason == "it exited with 3, 5 times in a row without having said figures")
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

    private static let interfaces = Senders.root.appending(path: "Tools/interfaces").path

    private func compile(_ source: String, _ name: String) throws -> String {
      let program = folder.file(name)
      let compiler = try ChildProcess(
        executable: "/usr/bin/cc",
        arguments: [
          "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-I", Self.interfaces, "-o", program, source,
        ])
      try #require(try compiler.waitForExit(timeout: .seconds(60)) == .exited(0))
      return program
    }

    @Test(.enabled(if: access("/usr/bin/cc", X_OK) == 0, "needs a C compiler"))
    func `A program reads what one before it writes, live and when the volume is finished`() throws {
      let source = folder.file("numbers.c")
      try #"""
      #include <stdio.h>
      #include <stdlib.h>
      #include "slipring.h"

      // Slices of their numbers; after the end of the input one that is complete.
      int main(void) {
        char name[300], byte;
        snprintf(name, sizeof name, "%snumbers-volume", getenv("SLIPRING_RUN"));
        struct slipring_stage *stage = slipring_attach_stage(name, 1);
        if (!stage || stage->pixel != 3) return 1;
        size_t pixels = (size_t)stage->columns * stage->columns;
        for (int last = 0; last < 2; last++) {
          float *voxels = slipring_stage_begin(stage);
          for (size_t i = 0; i < pixels * stage->slices; i++) voxels[i] = (float)(i / pixels + last * (i < pixels * 2));
          slipring_stage_publish(stage, 1, last);
          printf("{\"written\": %d}\n", last + 1);
          fflush(stdout);
          if (!last) while (read(0, &byte, 1) > 0) {}
        }
        return 0;
      }
      """#.write(toFile: source, atomically: true, encoding: .utf8)
      let outcome = try recon(
        "chain",
        "name=numbers,program=\(try compile(source, "numbers")),writes=volume:f32 "
          + "name=below,program=\(try compile(Self.interfaces + "/examples/threshold.c", "threshold")),reads=numbers,"
          + "writes=labels:u8 name=fails,program=/bin/false,writes=volume:f32 "
          + "name=last,program=\(try program("last", "cat")),reads=fails"
      ).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let result = try outcome.result(), programs = try #require(result.programs)
      #expect(programs.map(\.state) == [.ended, .ended, .gaveUp, .gaveUp], "\(programs)")
      // 1, 2, 2, 3 have the mean 2; 0, 1, 2, 3 are those before the end.
      #expect(programs[0].figures == ["written": 2] && programs[1].figures == ["below": 0.25], "\(programs)")
      #expect(programs[3].reason == "it reads the stage fails, which the run does without")
      #expect(try regions(of: result.run).isEmpty)
    }

    @Test(.enabled(if: access("/usr/bin/cc", X_OK) == 0, "needs a C compiler"))
    func `A program in C reads slices of the newest volume, and of the finished one`() throws {
      let program = try compile(Self.interfaces + "/examples/stage.c", "mean")
      let outcome = try recon("c", "name=mean,program=\(program)").end()
      let found = try #require(try outcome.result().programs?.first)
      #expect(found.state == .ended && found.restarts == 0 && (found.figures["mean"] ?? 0) > 0, "\(found)")
    }

    @Test func `A record without meaning, and a program that is not there, are refused before anything is made`() throws
    {
      for record in [
        "name=a", "program=/bin/true", "name=A,program=/bin/true", "name=a,program=/bin/true,every=0s",
        "name=a,program=/bin/true,writes=labels:f32", "name=volume,program=/bin/true",
        "name=a,program=/bin/true,reads=B", "name=a,program=/bin/true,name=b",
        "name=a,program=/bin/true name=a,program=/bin/true", "",
      ] {
        expectFailure(64, try recon("refused", record).end(), "name=NAME,program=PATH")
      }
      expectFailure(66, try recon("refused", "name=a,program=/none/there").end(), "/none/there")
      #expect(access(folder.file("refused"), F_OK) != 0)
    }
  }
}
