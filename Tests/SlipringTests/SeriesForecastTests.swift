import Testing

@testable import slipring

@Suite struct SeriesForecastTests {
  @Test func `A scan goes on as fast as it did, lost projections counted`() {
    let forecast = SeriesForecast(projections: (1800, 450, 30), made: [], left: 10, running: 20)
    #expect(forecast.scan == 90 && forecast.volumes == nil)
  }

  @Test func `Volumes take what the last one did, and no less than their projections`() {
    let slow = SeriesForecast(projections: (1800, 1700, 170), made: [30, 40], left: 5, running: 10)
    #expect(slow.scan == 10 && slow.volumes == 190)
    let quick = SeriesForecast(projections: (1800, 900, 900), made: [2], left: 5, running: nil)
    #expect(quick.scan == 900 && quick.volumes == 900)
  }

  @Test func `What takes longer than expected is over soon, and what is over takes nothing`() {
    #expect(SeriesForecast(projections: nil, made: [40], left: 1, running: 70).volumes == 0)
    let over = SeriesForecast(projections: nil, made: [40], left: 0, running: nil)
    #expect(over.volumes == 0 && over.scan == nil)
    #expect(SeriesForecast(projections: (10, 0, 5), made: [], left: 1, running: nil).scan == nil)
    #expect(SeriesForecast(projections: (10, 12, 5), made: [], left: 1, running: nil).scan == 0)
  }
}
