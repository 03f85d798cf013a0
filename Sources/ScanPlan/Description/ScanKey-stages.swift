import Glibc
package import Host
import Stages

// What works on the volume while it is computed.
extension ScanKey {
  static let stages = [
    ScanKey(
      .filters, "stage", \.stage,
      """
      What works on the volume while it is made, and says figures: denoise, segment, analyse, or a program of your \
      own, name=NAME,program=PATH[,writes=labels:u8|volume:f32], or a network, name=NAME,onnx=MODEL; each with \
      [,every=update|Ns|final][,reads=volume|STAGE]. Several with blanks between them; one may read what another \
      before it writes. The run goes on without one that fails.
      """,
      unset: "none")
  ]
}

extension ScanDescription {
  /// Throws where a program or a model is not there.
  func checkStages() throws(ScanFailure) {
    for stage in stage?.records ?? [] {
      if let program = stage.work.program, let problem = programProblem(program) {
        throw ScanFailure(
          .noInput, "--stage name=\(stage.name): \(program): \(problem); name a program that can be executed")
      }
      if let model = stage.work.model, let problem = modelProblem(model) {
        throw ScanFailure(.noInput, "--stage name=\(stage.name): \(model): \(problem); name a model in ONNX")
      }
    }
  }

  /// Why there can be no model; nil where that is not known.
  private func modelProblem(_ path: String) -> String? {
    var status = stat()
    guard stat(path, &status) == 0, access(path, R_OK) == 0 else { return "\(Errno.current)" }
    guard status.st_mode & S_IFMT == S_IFREG else { return "it is no file" }
    return (1...UserStages.modelByteCountMax).contains(Int(status.st_size))
      ? nil : "it has \(status.st_size) bytes, and a model in one file has up to 2 GiB"
  }

  /// What one of them reads that it cannot.
  var stageProblem: String? {
    let records = stage?.records ?? []
    for (index, record) in records.enumerated() {
      guard let source = record.reads else { continue }
      let start = "--stage name=\(record.name) reads \(source), "
      guard let place = records.firstIndex(where: { $0.name == source }) else {
        return start + "which is no stage; the volume is reads=volume"
      }
      guard place < index else {
        return start
          + "which \(place == index ? "is itself" : "comes after it"): a stage reads what one before it writes"
      }
      guard let written = records[place].writes else {
        return start + "which writes nothing; give that one writes=labels:u8 or writes=volume:f32"
      }
      switch record.work {
      case .live(.denoise), .live(.segment):
        if written == .labels { return start + "which writes labels: it works on numbers" }
      case .program, .model, .live(.analyse): break
      }
    }
    return nil
  }
}

extension RunPlan {
  /// The volumes that stages beside the run write.
  package var stageVolumes: [(name: String, pixel: PixelType)] {
    (scan.stage?.records ?? []).compactMap { stage in stage.writes.map { (stage.name, $0.pixel) } }
  }

  /// The live stage whose volume is the run's without noise, the last one where there are several; nil for none.
  package var denoisingStage: String? {
    scan.stage?.records.last { if case .live(.denoise) = $0.work { true } else { false } }?.name
  }

  /// Names of the files that a stage beside the run makes of the finished volume.
  package func stageFiles(of stage: UserStages.Record) -> [String] {
    let hdf5 = writesSlices && scan.format.parts.hdf5
    if case .live(.analyse) = stage.work {
      let name = stage.name == "analyse" ? "analysis" : "\(stage.name)-analysis"
      return ["\(name).json"] + (hdf5 ? ["\(outputName)_\(name).h5"] : [])
    }
    return stage.writes != nil && hdf5 ? ["\(outputName)_\(stage.name).h5"] : []
  }

  /// Those of all of them.
  package var stageFiles: [String] { (scan.stage?.records ?? []).flatMap { stageFiles(of: $0) } }

  /// Bytes of the processes of Slipring's own works.
  var liveStageByteCount: Int {
    (scan.stage?.records ?? []).reduce(0) { sum, stage in
      guard let work = stage.work.live else { return sum }
      let readsLabels = scan.stage?.record(stage.reads)?.writes == .labels
      // Labels are analysed with the numbers behind them.
      let own = work.byteCount(
        slices: slices, columns: geometry.columns, readsLabels: readsLabels, threads: workersPlace.threads)
      return sum + own + (readsLabels ? 4 * slices * geometry.columns * geometry.columns : 0)
    }
  }
}

extension ScanDescription {
  /// Why nothing can be executed there; nil where that is not known.
  func programProblem(_ path: String) -> Errno? {
    var status = stat()
    guard stat(path, &status) == 0, access(path, X_OK) == 0 else { return .current }
    return status.st_mode & S_IFMT == S_IFDIR ? Errno(rawValue: EISDIR) : nil
  }
}
