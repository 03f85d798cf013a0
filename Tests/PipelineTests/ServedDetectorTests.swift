import Foundation
import Serve
import TestSupport
import Testing

extension Pipeline {
  /// Detectors of every kind behind `slipring serve`, of which nothing was said but their address: each volume is that
  /// of the scan's file.
  @Suite struct ServedDetectorTests {
    private let served: ServedFolder
    private var folder: TestFolder { served.folder }

    init() throws { served = ServedFolder(try TestFolder()) }

    @Test(.enabled(if: Senders.python != nil, "Python with pyzmq, lz4 and cbor2 cannot be installed"))
    func `Two series of DECTRIS stream 2 are two scans, with their names and angles`() throws {
      let scan = try served.scan("foam")
      try Senders.writeRaw(scan.path, to: folder.file("raw"), fields: false)
      let counts = [scan.rows, scan.columns, scan.projections].map(String.init)
      // Of series 8 nobody says that it is over, and its images are the scan's backwards.
      let (_, port) = try Senders.start(
        "send_dectris2.py", in: folder, [folder.file("raw")] + counts + ["bslz4", "start7 7:0-60 end7 start8 8:0-60"])
      let file = try served.serveFile("zmq+pull://127.0.0.1:\(port)", ServedFolder.options + ["fields: \(scan.path)"])
      let server = try Command(["serve", file])
      let entries = try served.settled(2, server)
      try served.stop(server)
      #expect(entries.map(\.state) == [.finished, .finished], "\(entries.map(\.reason))")
      #expect(entries.map(\.sample) == ["s7", "s8"] && entries.map(\.projections) == [60, 60])
      #expect(entries[0].volumeSHA256 == (try served.volume(scan)))
      #expect(entries[1].volumeSHA256 != entries[0].volumeSHA256)
    }

    @Test(.enabled(if: Senders.python != nil, "Python with pyzmq, lz4 and cbor2 cannot be installed"))
    func `A series of DECTRIS stream 1 is a scan of as many images as its header says`() throws {
      let scan = try served.scan("foam")
      try Senders.writeRaw(scan.path, to: folder.file("raw"), fields: false)
      let counts = [scan.rows, scan.columns, scan.projections].map(String.init)
      let (_, port) = try Senders.start("send_dectris.py", in: folder, [folder.file("raw")] + counts + ["bs16-lz4<"])
      let options = ServedFolder.options + ["fields: \(scan.path)", "theta-step: 3"]
      let server = try Command(["serve", try served.serveFile("zmq+pull://127.0.0.1:\(port)", options)])
      let entries = try served.settled(1, server)
      try served.stop(server)
      #expect(entries.map(\.projections) == [60])
      #expect(entries.map(\.volumeSHA256) == [try served.volume(scan)], "\(entries)")
    }

    @Test(.enabled(if: Variable.isThere, "pvxs (Tools/pvaccess) or Python with pvapy and lz4 cannot be had"))
    func `A process variable of EPICS is listened to for scan after scan`() throws {
      let variable = try Variable(folder: folder)
      let scans = [try served.scan("first"), try served.scan("second", rows: 3, columns: 40, projections: 45, seed: 2)]
      let file = try served.serveFile(variable.address)
      let server = try Command(["serve", file], variables: variable.environment)
      // The second detector is another program under the same name, and says beforehand how much will come.
      for (scan, options) in zip(scans, [[], ["--counts", "wood", "--codec", "bslz4", "--first", "0"]]) {
        let counts = [scan.rows, scan.columns, 2, 3, scan.projections].map(String.init)
        let sender = try variable.hold([folder.file("\(scan.name).raw")] + counts + ["--attributes"] + options)
        let before = try server.errorsSoFar().components(separatedBy: "listening to").count
        try wait("the server to listen") {
          let now = try server.errorsSoFar().components(separatedBy: "listening to").count
          return now > before || before > 1 && scan.name == "first"
        }
        try variable.send()
        try variable.end(sender)
      }
      let entries = try served.settled(2, server)
      try served.stop(server)
      #expect(entries.map(\.state) == [.finished, .finished], "\(entries.map(\.reason))")
      #expect(entries.map(\.projections) == [60, 45] && entries.map { $0.lost ?? 0 } == [0, 0])
      #expect(entries[1].sample == "wood")
      #expect(entries.map(\.volumeSHA256) == (try scans.map(served.volume)))
    }

    @Test func `A process variable needs what listens to it, and its name`() throws {
      let file = try served.serveFile("pva://13SIM1:Pva1:Image")
      let missing = ["SLIPRING_PVACCESS": folder.file("none.so")]
      expectFailure(69, try Command(["serve", "--check", file], variables: missing).end(), "pva://", "Tools/pvaccess")
      expectFailure(78, try Command.run("serve", "--check", try served.serveFile("pva://")), "serve.yaml:5", "address")
    }
  }
}
