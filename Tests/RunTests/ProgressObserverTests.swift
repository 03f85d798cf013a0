import RunModel
import Testing

@testable import Run

@Suite struct ProgressObserverTests {
  @Test func `Images wait for the reader that gave back the fewest, whatever is upstream or beside it`() {
    let distribute = StageName("distribute")
    let readers = [distribute, .reconstruct(0), .reconstruct(1)]
    func slowest(_ cursors: [UInt64?]) -> StageName? { ProgressObserver.slowest(Array(zip(readers, cursors))) }
    // A worker that is stopped, while distribute is far behind the acquisition itself.
    #expect(slowest([40, 40, 20]) == .reconstruct(1))
    #expect(slowest([300, 20, 290]) == .reconstruct(0))
    // Nothing was handed out: the workers wait for distribute, or are not there yet.
    #expect(slowest([0, 0, 0]) == .reconstruct(1))
    #expect(slowest([5, 7, 7]) == distribute)
    // Who has finished holds nothing.
    #expect(slowest([nil, nil, 9]) == .reconstruct(1))
    #expect(slowest([nil, nil, nil]) == nil)
  }
}
