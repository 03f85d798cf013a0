import Foundation
import Glibc
import Host
import ScanFiles
import Serve
import TestSupport
import Testing

extension Pipeline {
  /// The page and the API of all scans, with a server, real scans, and programs that others wrote.
  @Suite struct ServePageTests {
    private let folder: TestFolder

    init() throws {
      folder = try TestFolder()
      try FileManager.default.createDirectory(atPath: folder.file("incoming"), withIntermediateDirectories: true)
    }

    /// Starts a server whose files come like images of a detector, `rate` a second, with these lines more in the scan
    /// file and in its own.
    private func serve(rate: Int, scan: String = "", _ more: String...) throws -> (server: Command, page: LivePage) {
      try """
      algorithm: sirt
      final-iterations: 2
      window-length: 6
      workers: 1
      rotation-axis: 24
      rate: \(rate)
      \(scan)
      """.write(toFile: folder.file("scan.yaml"), atomically: true, encoding: .utf8)
      let text = """
        folder: served
        output: "{sample}_{number}"
        address: 127.0.0.1:0
        sources: { files: { address: "drop:incoming", scan: scan.yaml } }
        """
      try ([text] + more).joined(separator: "\n").write(
        toFile: folder.file("serve.yaml"), atomically: true, encoding: .utf8)
      let server = try Command(["serve", folder.file("serve.yaml")])
      return (server, try LivePage(server: server, tokenFile: folder.file("served/token")))
    }

    /// Puts a scan into the folder.
    private func drop(_ name: String, projections: Int = 60) throws {
      let outcome = try Command.run(
        "simulate", folder.file(name), "--rows", "5", "--columns", "48", "--projections", "\(projections)", "--darks",
        "2", "--flats", "3", "--quiet")
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
      try FileManager.default.moveItem(atPath: folder.file(name), toPath: folder.file("incoming/\(name)"))
    }

    private func stop(_ server: Command) throws {
      try server.process.signal(SIGTERM)
      let outcome = try server.end(within: .seconds(40))
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
    }

    private func scan(_ number: Int, _ page: LivePage) throws -> ScanRecord? {
      struct Details: Decodable { let scan: ScanRecord }
      let answer = try page.get("/api/v1/scans/\(number)")
      return answer.status == 200 ? try JSONDecoder().decode(Details.self, from: answer.body).scan : nil
    }

    @Test func `A scan is seen while it comes, is ended from afar, and is still there when the server starts again`()
      throws
    {
      let told = "on-change: [/bin/sh, -c, 'cat >> \(folder.file("told"))']"
      var (server, page) = try serve(rate: 4, told)
      let events = try Command(
        ["-sN", "-o", folder.file("events"), "http://127.0.0.1:\(page.port)/api/v1/events?after=0"],
        executable: "/usr/bin/curl")
      try drop("wood.h5", projections: 400)
      try wait("some projections") { try scan(1, page)?.progress?.acquired ?? 0 > 8 }
      #expect(try scan(1, page)?.activity == .scanning)
      let run = try page.get("/scans/1/run/")
      #expect(run.status == 200 && run.text.contains("src=\"page.js\""))
      #expect(try page.get("/scans/1/run/page.js").status == 200)
      #expect(try page.get("/scans/1/view/").text.contains("viewer.js"))
      var picture = Data()
      try wait("a picture of the run") {
        picture = try page.get("/scans/1/run/slices/z/2.png").body
        return picture.starts(with: [0x89, 0x50, 0x4E, 0x47])
      }
      #expect(try page.get("/scans/1/picture.png").body.starts(with: [0x89, 0x50, 0x4E, 0x47]))
      #expect(run.text.contains("<a href=\"../\">scan 1</a>"))
      try checkImages(page)
      #expect(try page.post("/api/v1/scans/1/finalize", token: nil).status == 403)
      #expect(try page.post("/api/v1/scans/1/finalize", token: page.token).status == 200)
      try wait("the end", within: 60) { try scan(1, page)?.state == .finished }
      #expect(try scan(1, page)?.projections ?? 0 < 400)
      func text(_ name: String) -> String {
        String(decoding: FileManager.default.contents(atPath: folder.file(name)) ?? Data(), as: UTF8.self)
      }
      try wait("the program") { text("told").contains("\"finished\"") }
      try wait("the event") { text("events").contains("\"state\":\"finished\"") }
      try events.process.signal(SIGTERM)
      _ = try events.end()
      let states = try text("events").split(separator: "\n").filter { $0.hasPrefix("data: ") }.compactMap {
        try JSONDecoder().decode(ScanChange.self, from: Data($0.dropFirst(6).utf8))
      }.filter(\.isOfState).map(\.state)
      #expect(states == [.waiting, .running, .finished])
      try stop(server)
      let token = page.token
      (server, page) = try serve(rate: 4)
      #expect(page.token == token)
      #expect(try page.get("/scans/1/picture.png").body.starts(with: [0x89, 0x50, 0x4E, 0x47]))
      #expect(try page.get("/api/v1/scans/1").text.contains("wood_rec.h5"))
      #expect(try page.get("/metrics").text.contains("slipring_scans{state=\"finished\"} 1.0"))
      try checkFinished(page)
      try stop(server)
    }

    @Test func `Of a scan in Zarr alone the page shows the voxels of its folders, denoised and not`() throws {
      let (server, page) = try serve(rate: 200, scan: "format: zarr\ndenoise: tv")
      try drop("wood.h5")
      try wait("the volume", within: 90) { try page.get("/scans/1/view/voxels/info").text.contains("wood_rec.zarr") }
      let volumes = folder.file("served/scans/wood_000001")
      var shown: [String: [Float]] = [:]
      for (address, name) in [("voxels", "wood_rec.zarr"), ("denoised", "wood_denoised.zarr")] {
        for place in ["view", "with/1"] {
          let info = try page.get("/scans/1/\(place)/\(address)/info")
          #expect(info.status == 200 && info.text.contains(name), "\(info.text)")
          #expect(info.text.contains("\"denoised\""), "\(info.text)")
        }
        let volume = try ZarrReader(path: "\(volumes)/\(name)")
        for (cut, start, count) in [
          ("z/2", [2, 0, 0], [1, 48, 48]), ("y/17", [0, 17, 0], [5, 1, 48]), ("z/4", [4, 0, 0], [1, 48, 48]),
        ] {
          let tile = try page.get("/scans/1/view/\(address)/tile/\(cut)/0/0/0")
          let values = tile.body.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
          #expect(try values == volume.read(start: start, count: count), "\(cut) of \(name)")
          shown["\(address) \(cut)"] = values
        }
      }
      #expect(shown["voxels z/2"] != shown["denoised z/2"])
      // Without its folder the denoised volume is none, and nothing else is shown in its place.
      try FileManager.default.removeItem(atPath: "\(volumes)/wood_denoised.zarr")
      #expect(try page.get("/scans/1/view/denoised/stats/z/2").status == 404)
      #expect(try page.get("/scans/1/view/voxels/stats/z/2").status == 200)
      try stop(server)
    }

    /// Pictures of the projections of scan 1, which goes on.
    private func checkImages(_ page: LivePage) throws {
      for name in ["raw.png", "corrected.png", "sinogram.png?row=2", "sinogram.png?row=2&of=raw"] {
        let address = "/scans/1/run/images/\(name)"
        try wait(name) { try page.get(address).body.starts(with: [0x89, 0x50, 0x4E, 0x47]) }
      }
      for name in ["sinogram.png?row=5", "sinogram.png", "sinogram.png?row=-1", "red.png"] {
        #expect(try page.get("/scans/1/run/images/\(name)").status == 404, "\(name)")
      }
    }

    /// What can be looked into of scan 1, which has finished.
    private func checkFinished(_ page: LivePage) throws {
      let viewer = try page.get("/scans/1/view/")
      #expect(viewer.status == 200 && viewer.text.contains("viewer.js"))
      #expect(try page.get("/scans/1/view/viewer.js").status == 200)
      let info = try page.get("/scans/1/view/voxels/info")
      #expect(info.status == 200 && info.text.contains("wood_rec.h5"), "\(info.text)")
      #expect(try page.get("/scans/1/view/voxels/stats/z/2").status == 200)
      #expect(try page.get("/scans/1/view/../../../../etc/passwd").status == 404)
      #expect(try page.get("/scans/1/images/info").text.contains("\"columns\":48"))
      try wait("all lines") { try page.get("/scans/1/images/sinogram.png?row=2").headers["X-Complete"] == "yes" }
      #expect(try page.get("/scans/1/with/1/").text.contains("viewer.js"))
      #expect(try page.get("/scans/1/with/1/compare/stats/z/2").status == 200)
      #expect(try page.get("/scans/1/with/2/").status == 404)
      // A volume that somebody removes is none any more, though it was open.
      let volume = try #require(
        try FileManager.default.subpathsOfDirectory(atPath: folder.file("served/scans")).first {
          $0.hasSuffix("wood_rec.h5")
        })
      let path = folder.file("served/scans/\(volume)")
      #expect(try page.get("/scans/1/run/voxels/stats/z/2").text.contains("\"isLive\":false"))
      // One that is cut short says so, in words of its own, and is no empty picture.
      try #require(truncate(path, 9000) == 0)
      for address in ["/scans/1/view/voxels/info", "/scans/1/view/voxels/stats/z/2", "/scans/1/run/voxels/info"] {
        let answer = try page.get(address)
        #expect(answer.status == 500 && answer.text.contains("wood_rec.h5: it is cut short"), "\(answer.text)")
      }
      try FileManager.default.removeItem(atPath: path)
      #expect(try page.get("/scans/1/view/voxels/stats/z/2").status == 404)
    }

    @Test(.enabled(if: Senders.schemathesis != nil, "schemathesis cannot be installed"))
    func `A program that tries what the description allows, and what it does not, finds nothing`() throws {
      let (server, page) = try serve(rate: 1000)
      try Data("no scan".utf8).write(to: URL(filePath: folder.file("incoming/bad.h5")))
      try drop("wood.h5")
      try wait("two scans that are over") {
        try scan(1, page)?.ended != nil && scan(2, page)?.ended != nil
      }
      try """
      [auth.openapi.header]
      api_key = "\(page.token)"
      [auth.openapi.bearer]
      bearer = "\(page.token)"
      """.write(toFile: folder.file("schemathesis.toml"), atomically: true, encoding: .utf8)
      // The stream of events never ends, and is tested above. Methods that no address takes are refused before the
      // address is looked at, and so is whoever has no token: 405 then names all methods, and 403 comes before 405.
      let outcome = try Command(
        // What it keeps goes into the test's folder.
        [
          "-C", folder.path, Senders.schemathesis ?? "", "-m", "schemathesis.cli", "--config-file",
          folder.file("schemathesis.toml"), "run",
          "http://127.0.0.1:\(page.port)/api/v1/openapi.json", "--exclude-path", "/api/v1/events", "--max-examples",
          "15", "--exclude-checks", "unsupported_method,allow_header_conformance", "--seed", "1", "--no-color",
          "--suppress-health-check", "all",
        ], executable: "/usr/bin/env"
      ).end(within: .seconds(180))
      #expect(outcome.status == .exited(0), "\(outcome.output.suffix(4000))\(outcome.errors)")
      #expect(try page.get("/healthz").status == 200)
      try stop(server)
    }

    @Test(
      .enabled(if: program("chromium") != nil && program("python3") != nil, "needs chromium and python3"))
    func `In a browser the lists and the pages of scans show what happens, in the light, in the dark, on a phone`()
      throws
    {
      let (server, page) = try serve(rate: 2, scan: "denoise: median")
      try Data("no scan".utf8).write(to: URL(filePath: folder.file("incoming/bad.h5")))
      try wait("the scan that fails") { try scan(1, page)?.state == .failed }
      try drop("wood.h5", projections: 400)
      try wait("a scan that goes on") { try scan(2, page)?.progress?.updates ?? 0 > 4 }
      let pictures = FileManager.default.currentDirectoryPath + "/.build/scans-page"
      try FileManager.default.createDirectory(atPath: pictures, withIntermediateDirectories: true)
      let look = try Command(
        [
          URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Browser/look_scans.py").path,
          #require(program("chromium")), "http://127.0.0.1:\(page.port)/?token=\(page.token)", pictures,
          folder.file("profile"),
        ], executable: #require(program("python3"))
      ).end(within: .seconds(180))
      #expect(look.status == .exited(0), "\(look.errors)")
      try stop(server)
    }
  }
}
