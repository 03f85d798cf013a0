import ArgumentParser
import Host
import ScanPlan

/// What is missing on this machine.
struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "Looks at this machine: what is missing for a run, and how to mend it.")

  @Option(help: "Folder where output would go.") var outputFolder = "."
  @Flag(help: "Print the findings as JSON.") var json = false

  func run() throws {
    let findings = try Doctor(folder: outputFolder).examine()
    if json {
      try Console.json(findings)
    } else {
      for finding in findings {
        Console.result("\(Self.mark(finding.verdict)) \(finding.subject): \(finding.seen)")
        if let remedy = finding.remedy { Console.result("          \(remedy)") }
      }
    }
    if findings.contains(where: { $0.verdict == .missing }) {
      throw ScanFailure(.system, "this machine cannot run Slipring as it is")
    }
  }

  private static func mark(_ verdict: Doctor.Finding.Verdict) -> String {
    switch verdict {
    case .good: "good     "
    case .limited: "limited  "
    case .missing: "missing  "
    }
  }
}
