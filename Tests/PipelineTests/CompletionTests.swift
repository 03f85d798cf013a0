import Foundation
import TestSupport
import Testing

extension Pipeline {
  /// What a shell offers at the tabulator, and whether people read of every command.
  @Suite struct CompletionTests {
    private let folder: TestFolder

    init() throws {
      folder = try TestFolder()
      for name in ["scan.h5", "scan.yaml", "served/run"] {
        let path = folder.file(name)
        if name.contains(".") {
          try Data().write(to: URL(filePath: path))
        } else {
          try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        }
      }
      let script = try Command.run("--generate-completion-script", "bash")
      try script.output.write(toFile: folder.file("completion"), atomically: true, encoding: .utf8)
    }

    @Test(arguments: [
      (["recon", "sc"], ["scan.h5", "scan.yaml"]), (["recon", "scan.h5", "--output-folder", "se"], ["served"]),
      (["recon", "scan.h5", "--fields", "sc"], ["scan.h5", "scan.yaml"]), (["run", "sc"], ["scan.yaml"]),
      (["status", "served/r"], ["served/run"]), (["view", "sc"], ["scan.h5", "scan.yaml"]),
      (["queue", "add", "se"], ["served"]), (["list", "--state", "fin"], ["finished"]), (["fina"], ["finalize"]),
    ])
    func `A shell completes commands, words, files and folders`(words: [String], offered: [String]) throws {
      let typed = words.map { "'\($0)'" }.joined(separator: " ")
      let script = """
        cd \(folder.path) && source ./completion && COMP_WORDS=(slipring \(typed)) COMP_CWORD=\(words.count) &&
        COMP_LINE="slipring \(words.joined(separator: " "))" COMP_POINT=${#COMP_LINE} &&
        _slipring slipring '\(words.last ?? "")' '\(words.dropLast().last ?? "slipring")'
        printf '%s\\n' "${COMPREPLY[@]}"
        """
      let outcome = try Command(["-c", script], executable: "/bin/bash").end()
      let lines = outcome.output.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }.sorted()
      #expect(lines == offered, "\(outcome.errors)")
    }

    @Test func `The manual's table names each command that the program has`() throws {
      let help = try Command.run("--help").output
      let list = try #require(help.components(separatedBy: "SUBCOMMANDS:").last)
      let commands = list.split(separator: "\n").filter { $0.hasPrefix("  ") && !$0.hasPrefix("   ") }
        .compactMap { $0.split(separator: " ").first }.filter { $0 != "See" }
      let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
      let manual = try String(contentsOf: root.appending(path: "Docs.docc/Operating.md"), encoding: .utf8)
      let rows = manual.split(separator: "\n").filter { $0.hasPrefix("| `") }
      #expect(commands.count > 20)
      for command in commands {
        #expect(rows.contains { $0.contains("`\(command) ") || $0.contains("`\(command)`") }, "\(command)")
      }
    }
  }
}
