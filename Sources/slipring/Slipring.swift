import ArgumentParser
import Host

/// The command line.
struct Slipring: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "slipring",
    abstract: "Reconstructs a tomography scan while it is measured, and loses none of it.",
    discussion: """
      Errors.md explains every error: in Docs.docc of the sources, and in /usr/share/doc/slipring/Docs.docc where the \
      package is installed.
      """,
    version: programVersion,
    subcommands: [
      Recon.self, Run.self, ServeCommand.self, NodeCommand.self, QueueCommand.self, ListCommand.self, ShowCommand.self,
      TailCommand.self,
      SweepCommand.self, RehearseCommand.self, Check.self, Init.self, Status.self, Finalize.self, Abort.self,
      Workers.self, Resume.self, Export.self, Deliver.self, GatherCommand.self, FabricCommand.self, PreviewCommand.self,
      View.self, HistoryCommand.self, JournalCommand.self, PluginsCommand.self, SchemaCommand.self, Simulate.self,
      Demo.self, BenchCommand.self, DoctorCommand.self,
      StageCommand.self, LiveStageCommand.self, EventDeliveryCommand.self, ProgramCommand.self, ServeIntake.self,
      ServeJob.self,
      NodeJobCommand.self,
      SeriesIntakeCommand.self,
    ])
}
