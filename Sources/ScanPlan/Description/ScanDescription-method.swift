import Stages
import Tomography

// What the options mean for the solvers.
extension ScanDescription {
  /// No windowed update multiplies a voxel by less with mlem, osem and pml. A window of few projections has bins that
  /// noise made zero, and each would end the voxels that it sees for ever.
  private static let windowFactorMin: Float = 0.1

  /// Whether slices are compared while the scan runs.
  var comparesSlices: Bool { stopSimilarity != nil || reference != nil }

  /// The method of the updates while the scan runs.
  var windowAlgorithm: Algorithm { algorithm == .auto || algorithm == .cgls ? .sirt : algorithm }

  /// The method of the final iterations.
  var finalAlgorithm: Algorithm { final ?? algorithm }

  /// The method that makes the volume as it is in the end.
  package var lastAlgorithm: Algorithm { hasFinalIterations ? finalAlgorithm : windowAlgorithm }

  /// Whether projections are iterated over after the scan.
  var hasFinalIterations: Bool { finalIterations != 0 }

  /// How often all projections are iterated over after the scan, for a detector of so many columns.
  func finalSchedule(columns: Int) -> FinalSchedule {
    switch finalAlgorithm {
    case .auto: hasFinalIterations ? .rule(subsetOptions, columns: columns) : .fixed(iterations: 0, subsets: 1)
    case .fbp: .fixed(iterations: 1, subsets: 1)
    case .cgls: .fixed(iterations: finalIterations ?? Self.gradientIterations, subsets: 1)
    case .osem: .fixed(iterations: finalIterations ?? Self.standardIterations, subsets: finalSubsets ?? 8)
    case .sirt, .mlem, .pmlQuadratic, .pmlHybrid:
      .fixed(iterations: finalIterations ?? Self.standardIterations, subsets: finalSubsets ?? 1)
    }
  }

  private static let standardIterations = 20
  /// Conjugate gradients are near their best picture after fewer.
  private static let gradientIterations = 10

  /// What the workers compute with.
  var methods: WorkerMethods {
    var window = windowAlgorithm == .sirt ? sirt(relaxation: windowRelaxation) : method(windowAlgorithm)
    if case .expectationMaximisation(var options) = window {
      options.factorMin = Self.windowFactorMin
      window = .expectationMaximisation(options)
    }
    return WorkerMethods(
      window: window, windowSubsets: windowSubsets ?? (windowAlgorithm == .osem ? 4 : 1), final: finalMethod,
      remedy: remedy(windowAlgorithm), finalRemedy: remedy(finalAlgorithm))
  }

  private var finalMethod: FinalMethod {
    if finalAlgorithm == .auto { return .subsets(subsetOptions, padding: padding.grid) }
    let start: FinalMethod.Start =
      initial == .fbp
      ? .made(.filteredBackprojection(backprojection)) : finalGoesOn && liveBinning == .none ? .windows : .own
    return .iterations(method(finalAlgorithm), from: start)
  }

  /// Whether the final iterations go on with the volume of the windows, where that has as many voxels.
  var finalGoesOn: Bool {
    initial == .zero && hasFinalIterations && finalAlgorithm == algorithm && finalAlgorithm == windowAlgorithm
  }

  /// Pixels that the grid of the final iterations may have more than the detector at each side.
  func gridPaddingMax(columns: Int) -> Int {
    guard hasFinalIterations, finalAlgorithm == .auto else { return 0 }
    return padding.grid.pixelsMax(columns: columns)
  }

  /// How the rows of a detector of so many are cut where slices are penalised together; nil where they are not.
  func slabs(rows: Int) -> RowSlabs? {
    hasFinalIterations && finalAlgorithm == .auto && tvDimensions == 3 ? RowSlabs(rows: rows) : nil
  }

  private func sirt(relaxation: Double) -> Method {
    .sirt(SIRTOptions(relaxation: Float(relaxation), nonNegative: nonNegative, diskMask: diskMask == .yes))
  }

  private var backprojection: FBPOptions { FBPOptions(filter: filter ?? .ramp, diskMask: diskMask == .yes) }

  private func method(_ algorithm: Algorithm) -> Method {
    switch algorithm {
    case .auto: preconditionFailure("auto is no method, it chooses one")
    case .sirt: sirt(relaxation: relaxation)
    case .mlem, .osem, .pmlQuadratic, .pmlHybrid:
      .expectationMaximisation(EMOptions(penalty: penalty(of: algorithm), diskMask: diskMask == .yes))
    case .fbp: .filteredBackprojection(backprojection)
    case .cgls: .conjugateGradients(CGLSOptions(diskMask: diskMask == .yes))
    }
  }

  /// What a person can do where the residual is not finite.
  private func remedy(_ algorithm: Algorithm) -> String {
    switch algorithm {
    case .sirt where names(.sirt): "use a smaller --relaxation"
    case .pmlQuadratic, .pmlHybrid: "use a smaller --reg, or look for infinite values in the data"
    case .auto, .sirt, .mlem, .osem, .fbp, .cgls: "look for infinite values in the data"
    }
  }

  /// The penalty of a method, with defaults filled in.
  private func penalty(of algorithm: Algorithm) -> EMOptions.Penalty? {
    let strength = Float((regularisation ?? .standard).strength)
    return switch algorithm {
    case .pmlQuadratic: .quadratic(strength: strength)
    case .pmlHybrid: .hybrid(strength: strength, delta: Float(regularisation?.delta ?? Regularisation.standardDelta))
    case .auto, .sirt, .mlem, .osem, .fbp, .cgls: nil
    }
  }

  /// The options of auto's solver: those of the preset, but for what was said.
  var subsetOptions: SubsetOptions {
    var options = SubsetOptions(preset: preset, nonNegative: nonNegative, diskMask: diskMask == .yes)
    options.precision = precision
    options.dimensions = tvDimensions
    if let finalSubsets { options.subsets = finalSubsets }
    if let finalIterations { options.sweeps = finalIterations }
    if let innerSteps { options.innerSteps = innerSteps }
    if let momentumMax { options.momentumMax = Float(momentumMax) }
    if let relaxedSweeps { options.relaxedSweeps = relaxedSweeps }
    if let doubledSweeps { options.doubledSweeps = doubledSweeps }
    options.weighsCounts = countWeights
    if let huber { options.penalty = .huber(epsilon: Float(huber)) }
    switch weight {
    case .multiple(let factor): options.weight = .rule(factor: Float(factor))
    case .fixed(let weight): options.weight = .fixed(Float(weight))
    case nil: break
    }
    return options
  }
}

extension GridPadding {
  fileprivate var grid: FinalMethod.Padding {
    switch self {
    case .auto: .whereTheSampleLeaves
    case .none: .pixels(0)
    case .pixels(let pixels): .pixels(pixels)
    }
  }
}

extension Regularisation {
  /// Mild for attenuations of 0.01 a pixel: on a foam of 256 columns with 20,000 photons a pixel it loses no detail and
  /// some noise.
  static let standard = Regularisation(strength: 100)
  /// A tenth of such an attenuation.
  static let standardDelta = 0.001
}
