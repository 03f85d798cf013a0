/// The rules that the fabric's promises rest on (Fabric.md), each of which a test can take away to show that something
/// notices.
package struct FabricRules: Sendable {
  /// F2: each message says which sequence its stream must have reached.
  package var expectsSequence = true
  /// F3: after any error the streams say where the uplink is, never its own counters.
  package var asksStreams = true
  /// F4: what a stream does not have is read from the edge's journal.
  package var fillsHoles = true
  /// F5: a band is checked before it is used.
  package var checksBands = true
  /// F6: the number of a stream's messages is compared with its last sequence.
  package var countsMessages = true
  /// F6: a stream that ends before what it had acknowledged is filled again.
  package var noticesRegress = true
  /// F7: a node reads from its own cursor on.
  package var startsAtCursor = true
  /// F10: who asks again waits longer each time.
  package var backsOff = true

  package init() {}
}
