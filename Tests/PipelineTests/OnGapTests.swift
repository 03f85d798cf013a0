import Detectors
import Foundation
import Glibc
import Host
import Run
import RunModel
import ScanFiles
import Simulation
import TestSupport
import Testing
import Tomography

extension Pipeline {
  /// What becomes of projections that a detector has lost.
  @Suite(.enabled(if: works("/usr/bin/env", "python3", "-c", "import numpy"), "needs python3 with numpy"))
  struct OnGapTests {
    private let folder: TestFolder
    private let scan: String
    private static let (rows, columns, projections) = (4, 128, 180)
    private static let program = Senders.root.appending(path: "Python/examples/fill_gaps.py").path

    init() throws {
      folder = try TestFolder()
      scan = folder.file("foam.h5")
      let outcome = try Command.run(
        "simulate", scan, "--rows", "\(Self.rows)", "--columns", "\(Self.columns)", "--projections",
        "\(Self.projections)", "--photons", "5000", "--darks", "2", "--flats", "5", "--quiet")
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
    }

    /// A run of a stream that has lost some projections, which ones the seed says.
    private func run(
      _ name: String, onGap: String, lost: Double = 0.05, seed: Int, rate: Int = 300, options: [String] = [],
      faults: String? = nil
    ) throws -> (Command, detector: Command) {
      let port = try freePort()
      let detector = try Command([
        "simulate", "--stream", "zmq+push://127.0.0.1:\(port)", "--scan", scan, "--drop-fraction", "\(lost)", "--seed",
        "\(seed)", "--rate", "\(rate)", "--json",
      ])
      let wait = onGap.hasPrefix("program") ? ["--gap-wait", "20"] : []
      let command = try Command(
        [
          "recon", "zmq+pull://127.0.0.1:\(port)", "--shape", "\(Self.rows),\(Self.columns)", "--projections",
          "\(Self.projections)", "--darks", "2", "--flats", "5", "--on-gap", onGap, "--algorithm", "fbp",
          "--window-step", "0", "--rotation-axis", "64", "--format", "hdf5", "--output-folder", folder.file(name),
          "--run-folder", folder.file(name + "-run"), "--json",
        ] + wait + options, faults: faults)
      return (command, detector)
    }

    private func losses(_ name: String) throws -> Losses {
      try JSONDecoder().decode(
        LossReport.self, from: Data(contentsOf: URL(filePath: folder.file(name + "-run/losses.json")))
      ).counts
    }

    /// PSNR in decibels against the phantom.
    private func quality(_ outcome: Command.Outcome) throws -> Double {
      let output = try #require(try outcome.result().outputs.first { $0.hasSuffix(".h5") })
      let (volume, size) = (try VolumeReader(path: output), Self.columns)
      let foam = Foam(rows: Self.rows, columns: size, seed: 1, voidValue: 0)
      var truth = [Float](repeating: 0, count: size * size), slice = truth
      truth.withUnsafeMutableBufferPointer { foam.slice(row: 1, columns: size, supersampling: 4, into: $0) }
      try slice.withUnsafeMutableBufferPointer { try volume.readSlice(1, into: $0) }
      return slice.withUnsafeBufferPointer { slice in
        truth.withUnsafeBufferPointer { psnr(slice, reference: $0, columns: size, radiusFraction: 0.475) }
      }
    }

    @Test(arguments: [1, 2])
    func `With 5 % lost a program is better than means, and these than nothing`(seed: Int) throws {
      var found: [Double] = [], lost: [Int] = []
      for (index, onGap) in ["skip", "interpolate", "program:\(Self.program)"].enumerated() {
        let (command, detector) = try run("\(index)", onGap: onGap, seed: seed)
        let outcome = try command.end()
        #expect(outcome.status == .exited(0), "\(outcome.errors)")
        #expect(try detector.end().status == .exited(0))
        let counts = try losses("\(index)")
        found.append(try quality(outcome))
        lost.append(counts.lost)
        #expect(counts.interpolated == (index == 1 ? counts.lost : 0))
        #expect(counts.generated == (index == 2 ? counts.lost : 0), "\(outcome.errors)")
        let words =
          index == 2 ? "of these frames were made by on-gap's program" : index == 1 ? "were interpolated" : "never came"
        #expect(outcome.errors.contains(words), "\(outcome.errors)")
      }
      #expect(found[0] < found[1] && found[1] < found[2], "\(found) dB")
      #expect(lost[0] > 5 && Set(lost).count == 1, "\(lost)")
    }

    @Test func `What a program made is stored once, whatever dies`() throws {
      // Each process of acquire dies when it has come so far. The message of the end may die with one.
      let (command, detector) = try run(
        "killed", onGap: "program:\(Self.program)", lost: 0.2, seed: 3, rate: 60, options: ["--source-timeout", "5"],
        faults: "acquire=committed:30,claimed:20,payload-half:20")
      let outcome = try command.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      #expect(try detector.end().status == .exited(0))
      let (result, counts) = (try outcome.result(), try losses("killed"))
      #expect(counts.generated > 3, "\(counts)")
      #expect(result.projections == Self.projections - counts.lost + counts.generated + counts.interpolated)
      #expect(result.restarts["acquire"] ?? 0 > 0, "\(result.restarts)")
    }

    @Test func `Who reads the projections again finds what the program made then`() throws {
      let volumes = try ["", "distribute=unreleased:60;reconstruct.0=unreleased:50,block-swept:1"].enumerated().map {
        let (command, detector) = try run(
          "\($0)", onGap: "program:\(Self.program)", lost: 0.2, seed: 4, faults: $1.isEmpty ? nil : $1)
        let outcome = try command.end()
        #expect(outcome.status == .exited(0), "\(outcome.errors)")
        #expect(try detector.end().status == .exited(0))
        let result = try outcome.result()
        #expect(result.restarts.values.reduce(0, +) >= 2 * $0, "\(result.restarts)")
        #expect(try losses("\($0)").generated > 10)
        return result.volumeSHA256
      }
      #expect(volumes[0] != nil && volumes[0] == volumes[1])
    }

    @Test func `A program that fails is told when it is turned off, and at the end what it did not make`() throws {
      let program = folder.file("none.sh")
      try Data("#!/bin/sh\necho ready\nread -r line\nexit 3\n".utf8).write(to: URL(filePath: program))
      try #require(chmod(program, 0o700) == 0)
      let (command, detector) = try run("off", onGap: "program:\(program)", lost: 0.1, seed: 5)
      let outcome = try command.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      #expect(try detector.end().status == .exited(0))
      #expect(outcome.errors.contains("is not asked any more"), "\(outcome.errors)")
      let counts = try losses("off")
      #expect(counts.generated == 0 && counts.interpolated > 3, "\(counts)")
      let words = "\(counts.interpolated) of these frames were interpolated, which on-gap's program did not make"
      #expect(outcome.errors.contains(words), "\(outcome.errors)")
      let status = try Command.run("status", folder.file("off-run"))
      let line = "in place of lost ones: \(counts.interpolated) interpolated, 0 made"
      #expect(status.output.contains(line), "\(status.output)")
    }

    @Test func `What stands in place of lost projections is in the metrics and on the page`() throws {
      let (command, detector) = try run(
        "page", onGap: "interpolate", lost: 0.2, seed: 6, rate: 30, options: ["--dashboard", "127.0.0.1:0"])
      let page = try LivePage(command)
      try page.wait("a metric above zero") {
        let text = try page.get("/metrics").text
        return text.contains("\nslipring_source_filled_total{kind=\"generated\"} 0")
          && text.contains(/\nslipring_source_filled_total\{kind="interpolated"\} [1-9]/)
      }
      #expect(try page.get("/api/status").text.contains(/"interpolated":[1-9]/))
      #expect(try command.end().status == .exited(0))
      #expect(try detector.end().status == .exited(0))
    }

    @Test func `A program that is none, and a wait without one, are refused in one line`() throws {
      let stream = [
        "recon", "zmq+pull://127.0.0.1:9", "--shape", "4,128", "--projections", "9", "--output-folder", "out",
      ]
      func refused(_ code: Int32, _ options: [String], _ words: String) throws {
        expectFailure(code, try Command(stream + options).end(), words)
      }
      try refused(66, ["--on-gap", "program:\(folder.file("none"))"], "name a program that can be executed")
      // The parser says so, with the usage.
      let nameless = try Command(stream + ["--on-gap", "program:"]).end()
      #expect(nameless.status == .exited(64) && nameless.errors.contains("'program:' is invalid for '--on-gap"))
      try refused(64, ["--on-gap", "interpolate", "--gap-wait", "1"], "--gap-wait 1 goes with --on-gap program:PATH")
      expectFailure(
        64,
        try Command(["recon", scan, "--output-folder", folder.file("o"), "--on-gap", "program:\(Self.program)"]).end(),
        "--on-gap describes a live source")
    }
  }
}
