/// The rules that the fabric's promises rest on (Fabric.md), each of which a test can take away to show that something
/// notices.
package struct FabricRules: Sendable {
  /// F2: each message says which sequence its stream must have reached.
  var expectsSequence = true
  /// F3: after any error the streams say where the uplink is, never its own counters.
  var asksStreams = true
  /// F3: the newest message of a stream, and those that nobody has acknowledged, are compared with the edge's own.
  var comparesStreams = true
  /// F4: what a stream does not have is read from the edge's journal.
  var fillsHoles = true
  /// F5: a band is checked before it is used.
  var checksBands = true
  /// F5: what packed rows unpack to is compared with what they were.
  var checksRows = true
  /// F6: the number of a stream's messages is compared with its last sequence.
  var countsMessages = true
  /// F6: a stream that ends before what it had acknowledged is filled again.
  var noticesRegress = true
  /// F7: a node reads from its own cursor on.
  var startsAtCursor = true
  /// F8: what is leased is created, which one of many can do.
  var createsLeases = true
  /// F8: who could not renew a lease knows in time that it is lost.
  var endsLeases = true
  /// F9: who publishes holds the lease of the run's uplink.
  package var leasesUplink = true
  /// F10: who asks again waits longer each time.
  var backsOff = true

  package init() {}
}
