import Foundation
import Host
import Serve
import TestSupport
import Testing

extension Pipeline {
  /// Descriptions in JSON Schema: another program finds that what Slipring reads and writes is as they say, and what it
  /// refuses is not.
  @Suite(.enabled(if: Senders.schemas != nil, "Python with jsonschema and pyyaml cannot be installed"))
  struct SchemaTests {
    private let served: ServedFolder
    private var folder: TestFolder { served.folder }

    init() throws { served = ServedFolder(try TestFolder()) }

    /// What is said of files by the description of a subject, one line each.
    private func checked(_ subject: String, _ files: String...) throws -> [String] {
      let printed = try Command.run("schema", subject)
      try #require(printed.status == .exited(0), "\(printed.errors)")
      let schema = folder.file("\(subject).schema.json")
      try printed.output.write(toFile: schema, atomically: true, encoding: .utf8)
      let script = Senders.root.appending(path: "Tests/Readers/check_schema.py").path
      let outcome = try Command(
        [script, schema] + files.map(folder.file), executable: #require(Senders.schemas)
      ).end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      return outcome.output.split(separator: "\n").map(String.init)
    }

    private func write(_ text: String, _ name: String) throws {
      try text.write(toFile: folder.file(name), atomically: true, encoding: .utf8)
    }

    @Test func `Scan files are as their description says, and mistakes in them are not`() throws {
      #expect(try Command.run("init", folder.file("new.yaml"), "--quiet").status == .exited(0))
      try write("input: a.h5\nminus-log: yes\nbits: 16\nrelaxation: 1.5\nretain: 30\nshape: 4,5\nrate:\n", "used.yaml")
      for (name, text) in [
        "key": "algorythm: sirt", "word": "algorithm: srt", "size": "workers: 32", "open": "relaxation: 2",
      ] {
        try write(text + "\n", "\(name).yaml")
      }
      let said = try checked("scan", "new.yaml", "used.yaml", "key.yaml", "word.yaml", "size.yaml", "open.yaml")
      #expect(said.prefix(2) == ["new.yaml: good", "used.yaml: good"], "\(said)")
      #expect(said.count == 6 && said.dropFirst(2).allSatisfy { !$0.hasSuffix("good") }, "\(said)")
      // What the program itself says of these.
      for name in ["key", "word", "size", "open"] {
        #expect(try Command.run("check", folder.file("\(name).yaml")).status != .exited(0), "\(name)")
      }
    }

    @Test func `Lists of records are as the description of a scan says`() throws {
      let lists = [
        "trigger": "[\"a,watch=rate,model=ewma:6\", \"b,watch=lag,model=threshold:>5,for=2s\"]", "empty": "[]",
        "view": "[\"x,from=projections,with=updates,match=order\"]",
        "stage": "[\"denoise,method=tv\", \"name=mine,program=/bin/true\"]", "one": "c,watch=rate,model=ewma:6",
      ]
      func file(_ name: String, _ list: String) throws {
        let key = ["empty", "one"].contains(name) ? "trigger" : name
        try write("input: a.h5\noutput-folder: out\nrate: 20\n\(key): \(list)\n", "\(name).yaml")
      }
      for (name, list) in lists { try file(name, list) }
      let names = lists.keys.sorted().map { "\($0).yaml" }
      let said = try names.flatMap { try checked("scan", $0) }
      #expect(said == names.map { "\($0): good" }, "\(said)")
      for name in ["trigger", "view", "stage"] {
        try file(name, "[3, {a: b}]")
        #expect(try checked("scan", "\(name).yaml").allSatisfy { !$0.hasSuffix("good") }, "\(name)")
        #expect(try Command.run("check", folder.file("\(name).yaml")).status == .exited(78), "\(name)")
      }
    }

    @Test func `A server's file is as its description says, and mistakes in it are not`() throws {
      let sources = "sources:\n  camera:\n    address: zmq+pull://127.0.0.1:9999\n    silence: 3\n"
      let good = """
        folder: a
        output: "{sample}_{number}"
        runs: 2
        free-at-least: 1.5
        keep: 30d
        keep-volumes: 90d
        volumes-at-most: 2T
        keep-failed: 7d
        address: 127.0.0.1:8080
        name: slipring.lab.org
        files-from: [/data, /more]
        on-change: /bin/true
        hook: http://127.0.0.1:9/x

        """ + sources
      try write(good, "good.yaml")
      let bad = [
        "runz: 3\n" + sources, "runs: 0\n" + sources, "keep: 30\n" + sources, "volumes-at-most: 2\n" + sources, "",
        "sources:\n  c:\n    address: tcp://x:1\n", "sources:\n  c:\n    scan: x\n",
      ]
      for (index, text) in bad.enumerated() { try write("folder: a\n" + text, "bad\(index).yaml") }
      #expect(try checked("serve", "good.yaml") == ["good.yaml: good"])
      #expect(try Command.run("serve", "--check", folder.file("good.yaml")).status == .exited(0))
      for index in bad.indices {
        #expect(try checked("serve", "bad\(index).yaml").allSatisfy { !$0.hasSuffix("good") }, "\(bad[index])")
        #expect(try Command.run("serve", "--check", folder.file("bad\(index).yaml")).status == .exited(78))
      }
    }

    @Test func `Answers of commands are as their descriptions say`() throws {
      try FileManager.default.createDirectory(atPath: folder.file("incoming"), withIntermediateDirectories: true)
      let scan = try served.scan("good", rows: 2, projections: 30)
      try FileManager.default.copyItem(atPath: scan.path, toPath: folder.file("incoming/good.h5"))
      try Data(repeating: 7, count: 1000).write(to: URL(filePath: folder.file("incoming/bad.h5")))
      let server = try Command(["serve", try served.serveFile("drop:incoming")])
      _ = try served.settled(2, server)
      try served.stop(server)
      let run = try Command.run(
        "recon", scan.path, "--output-folder", folder.file("out"), "--run-folder", folder.file("run"),
        "--rotation-axis", "24", "--quiet", "--json")
      try write(run.output, "result.json")
      try write(try Command.run("status", folder.file("run"), "--json").output, "status.json")
      try write(try Command.run("list", served.queue.folder, "--json").output, "list.json")
      for number in [1, 2] {
        try write(try Command.run("show", served.queue.folder, "\(number)", "--json").output, "show\(number).json")
      }
      #expect(try checked("result", "result.json") == ["result.json: good"])
      #expect(try checked("status", "status.json") == ["status.json: good"])
      #expect(try checked("list", "list.json") == ["list.json: good"])
      #expect(try checked("show", "show1.json", "show2.json") == ["show1.json: good", "show2.json: good"])
      #expect(try checked("tail", "served/changes.jsonl") == ["changes.jsonl: good"])
      // One of another kind is none.
      #expect(try checked("status", "result.json") != ["result.json: good"])
    }

    @Test func `What a rehearsal tells is as its description says`() throws {
      try write(
        """
        input: zmq+pull://192.0.2.1:9999
        output-folder: \(folder.file("out"))
        shape: 4,32
        projections: 40
        darks: 1
        flats: 1
        rotation-axis: 16
        """, "scan.yaml")
      let plan = "faults:\n  - at 200ms: link down 100ms\n  - at 50m: kill any\nexpect:\n  - exit = 0\n  - lost < 0\n"
      try write(plan, "faults.yaml")
      let outcome = try Command.run(
        "rehearse", folder.file("scan.yaml"), "--plan", folder.file("faults.yaml"), "--detector", "@50", "--json",
        "--quiet")
      #expect(outcome.status == .exited(65), "\(outcome.errors)")
      try write(outcome.output, "rehearsal.json")
      #expect(try checked("rehearse", "rehearsal.json") == ["rehearsal.json: good"])
      #expect(try checked("result", "rehearsal.json") != ["rehearsal.json: good"])
    }
  }
}
