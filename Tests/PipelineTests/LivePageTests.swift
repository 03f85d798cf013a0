import Foundation
import Glibc
import Host
import Run
import TestSupport
import Testing

extension Pipeline {
  @Suite struct LivePageTests {
    private let folder: TestFolder
    private let scan: String

    init() throws {
      folder = try TestFolder()
      scan = folder.file("foam.h5")
      let outcome = try Command.run(
        "simulate", scan, "--rows", "8", "--columns", "64", "--projections", "90", "--flats", "3", "--darks", "2",
        "--quiet")
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
    }

    /// A run that takes some seconds, with its page.
    private func live(_ name: String = "out", rate: Int = 15, faults: String? = nil, _ options: String...) throws
      -> LivePage
    {
      try LivePage(
        Command(
          [
            "recon", scan, "--algorithm", "sirt", "--output-folder", folder.file(name), "--run-folder",
            folder.file(name + "-run"),
            "--rotation-axis", "32",
            "--workers", "2", "--window-length", "6", "--final-iterations", "2", "--dashboard", "127.0.0.1:0", "--json",
            "--rate",
            "\(rate)",
          ] + options, faults: faults))
    }

    @Test("A run shows its figures, curves and slices while it goes on, and ends as it would without")
    func figuresAndSlices() throws {
      let page = try live()
      #expect(try page.get("/healthz").text == "ok\n")
      try page.wait("the sixth update") { try page.status().updates >= 6 }
      let first = try page.get("/slices/z/3.png?edge=64&low=0&high=0.02")
      #expect(
        first.status == 200 && first.headers["Content-Type"] == "image/png"
          && first.body.starts(with: [0x89, 0x50, 0x4E, 0x47]))
      let tag = try #require(first.headers["Etag"] ?? first.headers["ETag"])
      try page.wait("another picture") {
        try page.get("/slices/z/3.png?edge=64&low=0&high=0.02").headers["Etag"] != tag
      }
      for cut in ["z/0", "z/7", "y/0", "y/63", "x/0", "x/63"] {
        #expect(try page.get("/slices/\(cut).png").status == 200, "\(cut)")
      }
      for cut in ["z/8", "y/64", "x/64"] { #expect(try page.get("/slices/\(cut).png").status == 404, "\(cut)") }
      for cut in ["w/1", "z/-1", "z/1.png?edge=8&x=", "z/1.png?low=1&high=1&x=", "z/1.png?low=nan&high=1&x="] {
        #expect(try page.get("/slices/\(cut).png").status == 400, "\(cut)")
      }
      #expect(try page.curve("window")["residuals"]?.isEmpty == false)
      #expect(try page.get("/").text.contains("of 90</dd>"))
      let outcome = try page.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      #expect(try outcome.result().projections == 90)
    }

    @Test("A resumed run's curve begins where the run began, and its page goes on")
    func resumed() throws {
      let runs = try KilledRuns()
      try runs.cutPower(runs.recon("cut", "--rate", "10", "--lag-max", "0"), "cut", after: 8)
      let page = try LivePage(Command(["resume", runs.run("cut"), "--dashboard", "127.0.0.1:0", "--json"]))
      var indices: [Double] = []
      try page.wait("an update after the earlier ones") {
        indices = try page.curve("window")["indices"] ?? []
        return indices.count > 10
      }
      #expect(indices == (0..<indices.count).map(Double.init))
      #expect(try page.get("/slices/z/0.png").status == 200)
      #expect(try page.end().result().projections == KilledRuns.projections)
    }

    @Test("A run that compares its slices shows how similar they are, and a resumed one from its beginning")
    func similarity() throws {
      let runs = try KilledRuns()
      try runs.cutPower(
        runs.recon(
          "cut", "--rate", "10", "--lag-max", "0", "--stop-ssim", "0.9", "--stop-after", "10", "--stop-patience", "50"),
        "cut",
        after: 20)
      let before = try #require(runs.status("cut").similarity)
      let page = try LivePage(Command(["resume", runs.run("cut"), "--dashboard", "127.0.0.1:0", "--json"]))
      var projections: [Double] = []
      try page.wait("a score after the earlier ones") {
        projections = try page.curve("similarity")["projections"] ?? []
        return try projections.contains { $0 < 20 } && page.status().similarity.map { $0 != before } ?? false
      }
      #expect(zip(projections, projections.dropFirst()).allSatisfy { $0 < $1 })
      #expect(try page.get("/").text.contains("<dd id=\"figure-goal\">0.9000</dd>"))
      #expect(try page.get("/metrics").text.contains("\nslipring_similarity_ratio "))
      #expect(try page.end().result().projections == KilledRuns.projections)
    }

    @Test("The denoised volume is shown slice by slice as it is made, and not where it is not")
    func denoised() throws {
      // The stage stops after its first slices until it is taken for hung.
      let page = try live("denoised", rate: 60, faults: "denoise=slices-denoised:1:stop", "--denoise", "median")
      try page.wait("a volume") { try page.get("/slices/z/0.png").status == 200 }
      #expect(try page.get("/slices/z/0.png?of=denoised").text == "this is not denoised yet\n")
      try page.wait("the first denoised slice") { try page.get("/slices/z/0.png?of=denoised").status == 200 }
      let (plain, denoised) = (try page.get("/slices/z/0.png"), try page.get("/slices/z/0.png?of=denoised"))
      #expect(plain.status == 200 && denoised.status == 200 && plain.body != denoised.body)
      #expect(
        try page.get("/slices/z/7.png?of=denoised").status == 503
          && page.get("/slices/y/9.png?of=denoised").status == 200)
      #expect(try page.get("/slices/z/0.png?of=nothing").status == 400)
      #expect(try page.get("/api/status").text.contains("\"denoised\":4"))
      let outcome = try page.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      let other = try live("plain")
      try other.wait("a volume") { try other.get("/slices/z/0.png").status == 200 }
      #expect(
        try other.get("/slices/z/0.png?of=denoised").status == 404
          && !other.get("/api/status").text.contains("\"denoised\""))
      #expect(try other.end().status == .exited(0))
    }

    @Test("What a live stage denoises is shown while the scan runs, and what stages say as curves")
    func liveStages() throws {
      // Stages are nice to everybody else: the scan lasts until all was seen.
      let page = try live("live", rate: 2, "--stage", "denoise,method=median", "--stage", "analyse,reads=denoise")
      try page.wait("a denoised slice") { try page.get("/slices/z/3.png?of=denoised").status == 200 }
      #expect(try page.status().phase == .scanning)
      let first = try page.get("/slices/z/3.png?of=denoised&low=0&high=0.02")
      try page.wait("another one") { try page.get("/slices/z/3.png?of=denoised&low=0&high=0.02").body != first.body }
      #expect(try first.body != page.get("/slices/z/3.png?low=0&high=0.02").body)
      try page.wait("a curve") { try page.get("/api/curves").text.contains("\"name\":\"porosity\"") }
      try page.wait("a metric") {
        try page.get("/metrics").text.contains("slipring_stage_value{stage=\"analyse\",name=\"pores\"}")
      }
      #expect(try page.get("/api/status").text.contains("\"denoisedGeneration\":"))
      #expect(try page.post("/finalize", token: page.token).status == 202)
      #expect(try page.end().status == .exited(0))
    }

    @Test("Finalize from the page ends the acquisition; what was acquired becomes a volume")
    func finalize() throws {
      let page = try live("finalized", rate: 5)
      try page.wait("the tenth projection") { try page.status().acquired >= 10 }
      #expect(try page.post("/finalize", token: page.token).status == 202)
      let outcome = try page.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      #expect(try (10..<90).contains(outcome.result().projections))
      #expect(try outcome.result().stoppedBy.contains("dashboard"), "\(outcome.output)")
    }

    @Test("Abort from the page stops the run without a volume")
    func abort() throws {
      let page = try live("aborted", rate: 5)
      try page.wait("the first projection") { try page.status().acquired >= 1 }
      #expect(try page.post("/abort", token: page.token).status == 202)
      expectFailure(75, try page.end(), "the dashboard")
      #expect(!FileManager.default.fileExists(atPath: folder.file("aborted/foam_rec.h5")))
    }

    @Test("Without the token, with a wrong one, or from another site, nothing happens to the run")
    func refusals() throws {
      let page = try live("refused")
      try page.wait("the first projection") { try page.status().acquired >= 1 }
      for path in ["/finalize", "/abort"] {
        #expect(try page.post(path, token: nil).status == 403)
        #expect(try page.post(path, token: String(repeating: "0", count: 32)).status == 403)
        #expect(try page.post(path, token: page.token, headers: ["Origin": "http://evil.example"]).status == 403)
        #expect(try page.get(path).status == 405)
      }
      #expect(try page.get("/", headers: ["Host": "evil.example"]).status == 421)
      #expect(try page.end().result().projections == 90)
    }

    @Test("A page that was asked for and cannot be had is an error before anything starts")
    func takenPort() throws {
      let page = try live("first")
      let second = try Command.run(
        "recon", scan, "--algorithm", "sirt", "--output-folder", folder.file("second"), "--dashboard",
        "127.0.0.1:\(page.port)")
      expectFailure(69, second, "no dashboard at 127.0.0.1:\(page.port)", "another program has the port")
      #expect(!FileManager.default.fileExists(atPath: folder.file("second")))
      #expect(try page.end().status == .exited(0))
    }

    @Test(
      "In a browser slices and curves move, keys work sliders, a foreign page is refused, and finalize stops the scan",
      .enabled(if: program("chromium") != nil && program("python3") != nil, "needs chromium and python3"))
    func browser() throws {
      let page = try live(
        "browser", rate: 1, "--stop-ssim", "0.9", "--stop-after", "8", "--stop-patience", "80", "--denoise", "median")
      let pictures = FileManager.default.currentDirectoryPath + "/.build/live-page"
      let look = Process()
      look.executableURL = URL(filePath: try #require(program("python3")))
      look.arguments = [
        URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Browser/look.py").path,
        try #require(program("chromium")),
        "http://127.0.0.1:\(page.port)/?token=\(page.token)", pictures, folder.file("profile"),
      ]
      let output = Pipe()
      look.standardError = output
      try look.run()
      look.waitUntilExit()
      #expect(
        look.terminationStatus == 0,
        "\(String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self))")
      let outcome = try page.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      #expect(try outcome.result().stoppedBy.contains("dashboard"), "\(outcome.output)")
    }

    @Test("Metrics have items, what was left out and what is stored of each view")
    func viewMetrics() throws {
      let view = "pairs,from=projections,with=updates,match=window,copy=volume:0"
      let page = try live("views", "--view", "\(view) all,from=projections,with=updates,match=window")
      func value(_ name: String) throws -> Double? {
        let line = try page.get("/metrics").text.split(separator: "\n").first { $0.hasPrefix(name + " ") }
        return line.flatMap { Double($0.dropFirst(name.count + 1)) }
      }
      try page.wait("items") { try value("slipring_view_items_total{view=\"all\"}") ?? 0 >= 3 }
      try page.wait("voxels") { try value("slipring_view_stored_bytes{view=\"pairs\"}") ?? 0 >= 64 * 64 * 4 }
      #expect(try value("slipring_view_dropped_total{view=\"all\"}") == 0)
      #expect(try value("slipring_view_stored_bytes{view=\"all\"}") == 0)
      #expect(try page.end().status == .exited(0))
    }

    @Test(
      "What Prometheus reads is as its own tool wants it",
      .enabled(if: program("promtool") != nil, "needs promtool, of Debian's package prometheus"))
    func metrics() throws {
      let page = try live("metrics")
      try page.wait("the third update") { try page.status().updates >= 3 }
      let answer = try page.get("/metrics")
      #expect(answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8")
      for name in [
        "slipring_projections_acquired_total", "slipring_ring_waiting{topic=\"projections\"}",
        "slipring_stage_up{stage=\"acquire\"} 1.0", "\nslipring_workers 2.0\n",
        "slipring_worker_bands{worker=\"1\"} 1.0\n", "\nslipring_band_moves_total 0.0\n",
      ] {
        #expect(answer.text.contains(name), "\(name) is missing")
      }
      let file = folder.file("metrics.txt")
      try answer.body.write(to: URL(filePath: file))
      let descriptor = open(file, O_RDONLY)
      defer { close(descriptor) }
      let tool = Process()
      tool.executableURL = URL(filePath: try #require(program("promtool")))
      tool.arguments = ["check", "metrics"]
      tool.standardInput = FileHandle(fileDescriptor: descriptor, closeOnDealloc: false)
      let output = Pipe()
      tool.standardError = output
      try tool.run()
      tool.waitUntilExit()
      #expect(
        tool.terminationStatus == 0,
        "\(String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self))")
      #expect(try page.end().status == .exited(0))
    }
  }
}

/// Where a program is, if anywhere on the path.
func program(_ name: String) -> String? {
  (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map { folder -> String in
    "\(folder)/\(name)"
  }
  .first { access($0, X_OK) == 0 }
}
