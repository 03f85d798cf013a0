import Testing

/// Tests that run whole pipelines take turns: each needs the machine's few cores.
@Suite(.serialized) enum Pipeline {}
