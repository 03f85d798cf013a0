import ArgumentParser
import Host
import ScanPlan
import Serve

/// Looks at what a server has to do, and changes it.
struct QueueCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "queue", abstract: "Shows what a server has to do, and changes it.",
    discussion: "It works on the server's folder, whether a server runs or not.",
    subcommands: [QueueList.self, QueueAdd.self, QueueRemove.self, QueueRetry.self, QueueMove.self],
    defaultSubcommand: QueueList.self)
}

/// The folder of a server.
struct ServerFolder: ParsableArguments {
  @Argument(help: ArgumentHelp("The server's folder.", valueName: "folder"), completion: .directory) var folder: String

  /// Its queue.
  func queue() throws -> ScanQueue {
    let queue = ScanQueue(folder: folder)
    try queue.refuseIfMissing()
    return queue
  }
}

/// Scans that wait or are under way.
struct QueueList: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract:
      "Lists the scans of which something is to be done, in the order in which they come; slipring list has all."
  )

  @OptionGroup var server: ServerFolder
  @Flag(help: "Print them as JSON.") var json = false

  func run() throws {
    let records = try Catalogue(server.queue()).queued()
    if json { return try Console.json(records) }
    for record in records { Console.result(Self.line(record)) }
    if records.isEmpty { Console.notice("nothing is to be done") }
  }

  static func line(_ record: ScanRecord) -> String {
    let priority = record.priority == 0 ? "" : ", priority \(record.priority)"
    let again = record.state == .waiting && record.attempts > 0 ? ", again: \(record.reason ?? "")" : ""
    return "\(record.number) \(record.activity.rawValue)\(priority): "
      + (record.file ?? record.sample ?? "from \(record.source)") + again
  }
}

/// Files for the queue.
struct QueueAdd: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "add", abstract: "Adds scan files at the queue's end.")

  @OptionGroup var server: ServerFolder
  @Argument(help: "Scan files.", completion: .file()) var files: [String]
  @Option(help: "The source whose scan file says how they are reconstructed. (default: the first folder of the server)")
  var source: String?
  @Option(help: "Higher ones come first.") var priority = 0

  func run() throws {
    let queue = try server.queue(), sources = try ServerStatus.read(queue.folder).sources
    let folders = sources.filter { $0.value == "folder" }.keys.sorted()
    guard let source = source ?? folders.first else {
      throw ScanFailure(.usage, "the server has no source that is a folder; --source says whose scan file is meant")
    }
    guard sources[source] != nil else {
      throw ScanFailure(
        .usage, "the server has no source \(source); it has \(sources.keys.sorted().joined(separator: ", "))")
    }
    for file in files {
      let entry = try queue.add(file: absolutePath(file), source: source, priority: priority)
      Console.result("\(entry.number)")
    }
  }
}

/// Scans that are not wanted.
struct QueueRemove: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "remove",
    abstract: "Takes scans out of the queue; one that is being reconstructed is stopped. Nothing is deleted.")

  @OptionGroup var server: ServerFolder
  @Argument(help: "Numbers of scans.") var numbers: [Int]

  func run() throws {
    let queue = try server.queue()
    for number in numbers { try queue.remove(number) }
  }
}

/// Scans that shall be tried again.
struct QueueRetry: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "retry", abstract: "Puts scans that failed, or were removed, into the queue again.")

  @OptionGroup var server: ServerFolder
  @Argument(help: "Numbers of scans.") var numbers: [Int]

  func run() throws {
    let queue = try server.queue()
    for number in numbers { try queue.retry(number) }
  }
}

/// Scans that shall come earlier or later.
struct QueueMove: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "move", abstract: "Gives scans that wait another priority; higher ones come first.")

  @OptionGroup var server: ServerFolder
  @Argument(help: "Numbers of scans.") var numbers: [Int]
  @Option(help: "Their priority.") var priority: Int

  func run() throws {
    let queue = try server.queue()
    for number in numbers { try queue.move(number, priority: priority) }
  }
}
