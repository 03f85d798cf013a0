import ArgumentParser
import Foundation
import Host

/// Kills stages of real runs and compares what comes out.
@main
struct ChaosCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "chaos",
    abstract:
      "Kills, stops and crashes stages of real runs at random times and at named points; "
      + "every volume must have the bits of a run without faults.",
    discussion: "SIGINT and SIGTERM end it behind the run that is under way, with what was found so far."
  )

  @Option(help: "Kills to make.") var kills = 100
  @Option(
    help: ArgumentHelp(
      "Flip so many bits instead, in what a killed run left and in the memory of a dead worker: the run comes to the "
        + "same bits or is refused.", valueName: "n"))
  var flips: Int?
  @Option(help: "Equal seeds kill at the same points of the same runs.") var seed: UInt64 = 1
  @Option(help: "Only this stage, as acquire or reconstruct.0.") var stage: String?
  @Option(
    help: ArgumentHelp(
      "Reconstruct a scan of so many projections of 4 × 64 pixels, as 40000, instead of one of 50.", valueName: "n"))
  var long: Int?
  @Option(help: "The slipring program. (default: beside this one)") var slipring: String?
  @Flag(
    help: "Kill the supervisor with all stages, delete all shared memory, scramble what was not yet synced, and resume."
  )
  var wholeMachine = false
  @Flag(help: "Beside the kills, fill the disk of each run up to three times. Needs the right to mount one.")
  var fullDisk = false
  @Flag(help: "Beside the kills, have workers come and go in each run, and hand each other bands.") var workers = false
  @Flag(help: "Reconstruct what a virtual detector sends, which does not wait.") var live = false
  @Option(help: "Damage the journals of projections so often instead, salvage the runs and resume them.")
  var damage: Int?
  @Flag(help: "Print the table as JSON.") var json = false

  func validate() throws {
    if let long, !(100...1_000_000).contains(long) {
      throw ValidationError("--long \(long): there are 100 to 1,000,000 projections")
    }
    if workers, long != nil || flips != nil || live || damage != nil || wholeMachine {
      throw ValidationError("--workers goes with kills of stages only")
    }
    if long != nil, flips != nil || live || damage != nil || wholeMachine {
      throw ValidationError("--long goes with kills of stages only")
    }
  }

  func run() throws {
    let signals = try SignalDescriptor(signals: [SIGINT, SIGTERM])
    let program =
      slipring
      ?? URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().appending(
        path: "slipring"
      ).path
    let folder = FileManager.default.temporaryDirectory.appending(
      path: "slipring-chaos-\(ProcessInfo.processInfo.processIdentifier)"
    ).path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    if fullDisk { try Campaign.mountDisk(at: folder) }
    defer { if fullDisk { Campaign.unmountDisk(at: folder) } }
    if let damage { try runDamages(damage, program, folder, signals) } else { try runKills(program, folder, signals) }
  }

  private func runKills(_ program: String, _ folder: String, _ signals: SignalDescriptor) throws {
    var campaign = try Campaign(
      program: program, folder: folder, seed: seed, stage: stage, long: long, isElastic: workers)
    // A run that is over before its moment gives nothing to flip.
    while let flips, campaign.report.flipCount < flips, campaign.report.runs < 10 * flips, try signals.next() == nil {
      try campaign.flipSome(flipsMax: flips - campaign.report.flipCount)
      tell("\r\(campaign.report.flipCount)/\(flips) flips, \(campaign.report.runs) runs ")
    }
    while flips == nil, campaign.report.kills < kills, try signals.next() == nil {
      if wholeMachine {
        try campaign.cutPowerOnce(cutsMax: kills - campaign.report.kills)
      } else if live {
        try campaign.runLiveOnce(killsMax: kills - campaign.report.kills)
      } else {
        try campaign.runOnce(killsMax: kills - campaign.report.kills, fillsDisk: fullDisk)
      }
      tell("\r\(campaign.report.kills)/\(kills) kills, \(campaign.report.runs) runs ")
    }
    try finish(
      json ? campaign.report.json() : campaign.report.table(seed: seed), isClean: campaign.report.isClean)
  }

  private func runDamages(
    _ count: Int, _ program: String, _ folder: String, _ signals: SignalDescriptor
  ) throws {
    var campaign = try DamageCampaign(program: program, folder: folder, seed: seed)
    while campaign.report.damages < count, try signals.next() == nil {
      try campaign.damageOnce()
      tell("\r\(campaign.report.damages)/\(count) damages, \(campaign.report.failed.count) failed ")
    }
    try finish(
      json ? CampaignReport.json(campaign.report) : campaign.report.table(seed: seed),
      isClean: campaign.report.failed.isEmpty)
  }

  private func tell(_ text: String) { if !json { FileHandle.standardError.write(Data(text.utf8)) } }

  private func finish(_ text: String, isClean: Bool) throws {
    tell("\n")
    FileHandle.standardOutput.write(Data((text + "\n").utf8))
    if !isClean { throw ExitCode(1) }
  }
}
