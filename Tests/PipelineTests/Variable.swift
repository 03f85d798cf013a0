import Detectors
import Foundation
import Glibc
import Host
import TestSupport
import Testing

/// A process variable of EPICS on this machine alone, at ports of its own, and those who hold it.
struct Variable {
  private let folder: TestFolder
  private let name: String
  /// What EPICS is to know, at both ends.
  let environment: [String: String]

  /// Whether there is pvxs to listen with and pvaPy to send with.
  static let isThere: Bool = {
    let library = Senders.root.appending(path: ".build/pvaccess/libslipring-pva.so").path
    return access(library, R_OK) == 0 && Senders.pvaPython != nil
  }()

  init(folder: TestFolder) throws {
    self.folder = folder
    let port = "\(try freePort())"
    name = "slipring:test:\(port)"
    environment = [
      "EPICS_PVA_ADDR_LIST": "127.0.0.1", "EPICS_PVA_AUTO_ADDR_LIST": "NO", "EPICS_PVA_INTF_ADDR_LIST": "127.0.0.1",
      "EPICS_PVA_BROADCAST_PORT": port, "EPICS_PVAS_INTF_ADDR_LIST": "127.0.0.1",
      "EPICS_PVAS_BEACON_ADDR_LIST": "127.0.0.1",
      "EPICS_PVAS_AUTO_BEACON_ADDR_LIST": "NO", "EPICS_PVAS_BROADCAST_PORT": port, "EPICS_PVAS_SERVER_PORT": port,
    ]
  }

  var address: String { PVAccessAddress.scheme + name }

  private var ready: String { folder.file("ready") }

  /// Starts a sender of the images that `arguments` name, and waits until the variable is there.
  func hold(_ arguments: [String]) throws -> Command {
    for mark in ["", ".go", ".sent", ".end", ".stopped"] { unlink(ready + mark) }
    let script = Senders.root.appending(path: "Tests/Senders/send_pva.py").path
    let command = try Command(
      [script, ready, name] + arguments, executable: #require(Senders.pvaPython), variables: environment)
    try wait("the variable") { access(ready, F_OK) == 0 }
    return command
  }

  /// Has the sender begin.
  func send() throws { try mark(".go") }

  /// Whether the sender was told to stop, and did.
  var wasStopped: Bool { access(ready + ".stopped", F_OK) == 0 }

  /// Has a sender end that has sent everything.
  func end(_ sender: Command) throws {
    try mark(".end")
    let outcome = try sender.end()
    #expect(outcome.status == .exited(0), "\(outcome.errors)")
  }

  private func mark(_ ending: String) throws { try Data().write(to: URL(filePath: ready + ending)) }

  /// Starts pvaPy's detector simulator, which begins after `delay` seconds with number 1.
  func play(_ file: String, delay: Int) throws -> Command {
    let python = try #require(Senders.pvaPython)
    let options = [
      "-if", file, "-cn", name, "-fps", "200", "-cs", "1000", "-rt", "120", "-std", "\(delay)", "-rp", "0", "-dc",
    ]
    let program = URL(filePath: python).deletingLastPathComponent().appending(path: "pvapy-ad-sim-server").path
    return try Command([program] + options, executable: python, variables: environment)
  }

  /// Writes the images behind the first ones as NumPy's own file (format 1.0).
  func writeNumPy(_ scan: String, to path: String, shape: [Int], skippingImages skipped: Int, raw: String) throws {
    let size = shape[1] * shape[2] * 2
    let pixels = try Data(contentsOf: URL(filePath: raw)).dropFirst(skipped * size)
    try #require(pixels.count == shape[0] * size)
    var header = "{'descr': '<u2', 'fortran_order': False, 'shape': (\(shape[0]), \(shape[1]), \(shape[2])), }"
    header += String(repeating: " ", count: 117 - header.utf8.count) + "\n"
    try (Data([0x93]) + Data("NUMPY".utf8) + Data([1, 0, 118, 0]) + Data(header.utf8) + pixels).write(
      to: URL(filePath: path))
  }
}
