import Testing

@testable import Alarms

@Suite struct AlarmWordsTests {
  @Test(
    arguments: [
      ("a,watch=rate,model=threshold:<5", 4.25, nil, "a: rate is 4.25, below 5"),
      ("a,watch=intensity,model=cusum:<20", 12_345.6, -21.0, "a: intensity is 12346, lower than it was"),
      ("a,watch=lag,model=ewma:6", 0.0012345, 7, "a: lag is 0.001235, higher than it was"),
      (
        "a,watch=disk-spare,model=holt:600s<0", 330_424_320, -3_227_322_213,
        "a: disk-spare is 330.4M, and -3.227G in 600 s as it goes on, below 0"
      ),
      ("a,watch=lag,model=quantile:0.9", 5, 3.5, "a: lag is 5, above its 0.9 quantile 3.5"),
      ("a,watch=lag,model=program:/p", 0, 1, "a: lag is 0, and /p answers 1"),
    ] as [(String, Double, Double?, String)]) func `An alarm is a sentence with figures that people can read`(
      record: String, value: Double, forecast: Double?, words: String
    ) throws
  {
    let trigger = try Trigger(parsing: record)
    #expect(trigger.words(isRaised: true, value: value, forecast: forecast) == words)
    #expect(trigger.words(isRaised: false, value: value, forecast: nil).hasPrefix("a is over: "))
    #expect(trigger.wordsAtEnd(value: 2) == "a lasted to the end of the run: \(trigger.gauge.rawValue) is 2")
  }
}
