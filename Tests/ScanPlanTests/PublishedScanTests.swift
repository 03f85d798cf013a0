import Testing

@testable import ScanPlan

@Suite struct PublishedScanTests {
  private func scan(_ hook: String) -> ScanDescription {
    var scan = ScanDescription.standard
    (scan.input, scan.outputFolder, scan.stopHook) = ("zmq+sub://127.0.0.1:5000", "out", hook)
    return scan
  }

  @Test(arguments: ["http://detector/stop?token=sesame", "http+put://detector/stop#sesame"])
  func `A token of a stop hook is in the run's own scan file and in no other`(hook: String) {
    for command in [["slipring", "recon", "--stop-hook", hook], ["slipring", "recon", "--stop-hook=\(hook)"]] {
      let scan = scan(hook)
      #expect(ScanFile.effective(scan, command: command).contains("sesame"))
      let text = ScanFile.published(scan, command: command)
      #expect(!text.contains("sesame") && text.contains("stop-hook is left out"), "\(text)")
      #expect(!scan.withoutSecrets(command).joined().contains("sesame"))
      let file = ScanFile(path: "scan.yaml", bytes: Array(text.utf8))
      #expect(file.scan.stopHook == nil && file.scan.input == scan.input)
    }
  }

  @Test func `An axis that was found stands in the file, which makes the same volume again`() {
    var scan = ScanDescription(input: "a.h5", outputFolder: "out")
    let text = ScanFile.effective(scan, command: ["slipring"], axisFound: 296.2578125)
    #expect(text.contains("rotation-axis: 296.2578125  # found by auto\n"))
    #expect(ScanFile(path: "scan.yaml", bytes: Array(text.utf8)).scan.rotationAxis == .pixels(296.2578125))
    scan.rotationAxis = .pixels(31)
    #expect(ScanFile.effective(scan, command: ["slipring"], axisFound: 31).contains("rotation-axis: 31\n"))
  }

  @Test func `A stop hook without a secret is shown as it is`() {
    let hook = "http://detector/stop", scan = scan(hook), command = ["slipring", "--stop-hook", hook]
    #expect(ScanFile.published(scan, command: command) == ScanFile.effective(scan, command: command))
  }
}
