import Testing

@testable import Stages

/// How much of a link previews take.
struct PreviewShareTests {
  @Test func `A preview waits until nine times its bytes went up, and where nothing waits no longer than a second`() {
    var share = PreviewShare()
    let start = ContinuousClock.now, later = start + .seconds(1)
    share.note(acknowledged: 500, isBehind: true)
    #expect(share.isDue(at: later))
    share.sent(100, at: start)
    #expect(!share.isDue(at: later))
    share.note(acknowledged: 1399, isBehind: true)
    #expect(!share.isDue(at: later))
    share.note(acknowledged: 1400, isBehind: true)
    #expect(share.isDue(at: later) && !share.isDue(at: start + .milliseconds(999)))
    share.sent(100, at: start)
    // A publisher that is made anew counts on, and what it lost by that is no credit.
    share.note(acknowledged: 1000, isBehind: true)
    #expect(!share.isDue(at: later))
    share.note(acknowledged: 1000, isBehind: false)
    #expect(share.isDue(at: later))
  }
}
