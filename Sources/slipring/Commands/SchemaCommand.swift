import ArgumentParser
import Events
import Rehearsal
import Run
import ScanPlan
import Serve

/// What files and answers look like, for programs.
struct SchemaCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "schema",
    abstract: "Prints the JSON Schema (2020-12) of a file, or of what --json prints.",
    discussion: """
      scan and serve are the files scan.yaml and serve.yaml, for editors and for checks before they are used; result \
      is what recon, run and resume tell of a run that is over, status how far one is; list, show and tail are the \
      answers of these commands, of tail a line; rehearse is what came of a rehearsal; events is what --events \
      sends, one record.
      """)

  /// What there is a description of.
  enum Subject: String, CaseIterable, ExpressibleByArgument {
    case scan, serve, result, status, list, show, tail, rehearse, events
  }

  @Argument(
    help: ArgumentHelp("scan, serve, result, status, list, show, tail, rehearse or events.", valueName: "subject"))
  var subject: Subject

  func run() throws { try Console.json(Self.schema(subject)) }

  /// The description of a subject.
  static func schema(_ subject: Subject) throws -> SchemaValue {
    switch subject {
    case .scan: ScanKey.schema
    case .serve: ServeFile.schema
    case .result: try document("What came of a run", RunResult.self)
    case .status: try document("How far a run is", RunStatus.self)
    case .list: try document("The scans of a server", [ScanRecord].self)
    case .show: try document("One scan of a server", ScanDetails.self)
    case .tail: try document("A change of a scan", ScanChange.self)
    case .rehearse: try document("What came of a rehearsal", RehearsalReport.self)
    case .events: try events()
    }
  }

  /// A record of any topic.
  private static func events() throws -> SchemaValue {
    let bodies: [(EventTopic, any Decodable.Type)] = [
      (.runs, EventEnvelope<RunsBody>.self), (.scores, EventEnvelope<ScoresBody>.self),
      (.status, EventEnvelope<StatusBody>.self), (.losses, EventEnvelope<LossesBody>.self),
      (.alarms, EventEnvelope<AlarmsBody>.self),
    ]
    let records = try bodies.map { topic, type in
      try TypeSchema.schema(of: type).with("properties", "topic", ["const": .string(topic.rawValue)])
    }
    return SchemaValue.object(["oneOf": .array(records)]).with("title", "An event of a run, as --events sends it")
      .with("$schema", "https://json-schema.org/draft/2020-12/schema")
  }

  private static func document(_ title: String, _ type: any Decodable.Type) throws -> SchemaValue {
    try TypeSchema.schema(of: type).with("title", .string(title))
      .with("$schema", "https://json-schema.org/draft/2020-12/schema")
  }
}
