/// What the lines of the ledger mean, a sentence each, for whoever reads them for the first time.
enum LedgerWords {
  /// By the figure's identifier, as in `RunReport.ledgerLabels`.
  static let sentences: [String: String] = [
    "field": "How wide slices are: as the detector, or wider, of a scan around whose axis the detector saw one side.",
    "axis": "Where the rotation axis is, in pixels from the detector's left edge, with its standard error if it was "
      + "found from the projections.",
    "tilt": "How far the axis is tilted in the plane of the detector.",
    "used": "Projections that every part of the volume has taken.",
    "lost": "Images that came here and could not be kept or read back. It is counted at the end, and is 0 unless "
      + "somebody gave up damaged records.",
    "source-lost": "Frames that the detector or the network counted and that never came: nothing here can bring them "
      + "back, and their angles are missing in the volume.",
    "source-filled": "Projections in the place of such frames: means of their neighbours, and what the program "
      + "of on-gap made. They are in the volume.",
    "source-other": "Frames that came once more, that came too late for their place, and that could not be understood. "
      + "None of them is in the volume.",
    "source-empty": "Projections without light, as with a closed shutter: they came, and were left out of the volume.",
    "spilled": "Images that waited on disk because memory was full. Nothing is lost: they are in the volume like the "
      + "others.",
    "room": "How long something waited for room on the disk.",
    "dropped": "Events that found no room and are gone. Everything here waits or goes by way of the disk: it stays 0.",
    "workers": "Who makes the volume, each on cores of its own; where rows are cut into bands, each has some of these.",
    "band-moves": "How often a band went to another worker, because workers came or went, or because it is faster "
      + "there. The volume stays the same.",
    "restarts": "Processes that ended and were started again. They went on where they were: nothing is lost.",
    "hangs": "Those of them that were ended because they no longer answered.",
    "dead": "Pixels that are at or below the dark field always: their value comes from their neighbours.",
    "non-finite": "Pixels that were no number: their value comes from their neighbours.",
    "clamped": "Pixels that were at or below the dark field for once: the smallest possible transmission was taken.",
    "negative": "Line integrals below zero: brighter than the flat field.",
    "missing-rows": "Slices that could not be reconstructed. They hold no numbers in the files.",
    "uplink": "Images that the servers of the fabric have taken, of those that there are: nodes read them there.",
    "preview-skipped":
      "Projections that were not shown in fewer pixels on the fabric, as the link had no room for such pictures. "
      + "Nothing is lost: they go up whole, and are in the volume.",
    "nodes": "Other machines that are alive and make slices of this scan, with their granules.",
    "granules":
      "What becomes of the groups of slices that nodes make: free, being read, in the final iterations, made.",
    "granule-scores":
      "The lowest similarity that nodes say of their slices. A similarity ends the scan when all of them reached it; "
      + "who is silent for long is not waited for.",
    "noise": "The standard deviation of a line integral, from the photons that the flat fields show.",
    "residual-noise": "What the volume leaves of the data, over their noise: about 1 fits, above 1.15 look for rings, "
      + "a wrong axis or a sample that moved.",
    "worst-slice": "The same where it is largest, and in which slice.",
  ]

  /// Lines of a list of terms. Each label of the ledger has a sentence: a precondition.
  static var html: String {
    RunReport.ledgerLabels.map { id, label in
      guard let sentence = sentences[id] else { preconditionFailure("no sentence for \(id)") }
      return "<div><dt>\(Text.html(label))</dt><dd>\(Text.html(sentence))</dd></div>"
    }.joined()
  }
}
