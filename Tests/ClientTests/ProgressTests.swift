import Client
import Schema
import Testing

/// The progress line, with a clock that the test moves.
@Suite struct ProgressTests {
  private let start = ContinuousClock.now

  @Test("the bar shows share, rate and time left, and fits the terminal")
  func barLine() {
    let bar = ProgressBar(done: 52, failed: 0, total: 100, perSecond: 12)
    #expect(
      bar.rendered(columns: 60) == "▕██████████████▌             ▏ 52/100  52%  12/s, 4 s left")
    for columns in 1...120 {
      #expect(PrintableText.width(bar.rendered(columns: columns)) < max(2, columns))
    }
  }

  @Test("without room for a bar the figures stay")
  func narrow() {
    let bar = ProgressBar(done: 52, failed: 0, total: 100, perSecond: nil)
    #expect(bar.rendered(columns: 20) == "52/100  52%")
  }

  @Test("failed items count as no longer to come, and are named")
  func failures() {
    let bar = ProgressBar(done: 10, failed: 5, total: 20, perSecond: 0.05)
    #expect(bar.sentence == "10 of 20 done (50%), 5 failed, 3.0/min, 1 min 40 s left")
  }

  @Test("a finished and an empty job show no time left and divide by nothing")
  func ends() {
    #expect(
      ProgressBar(done: 20, failed: 0, total: 20, perSecond: 4).sentence
        == "20 of 20 done (100%), 4.0/s")
    #expect(
      ProgressBar(done: 0, failed: 0, total: 0, perSecond: nil).sentence == "0 of 0 done (100%)")
    #expect(
      ProgressBar(done: 0, failed: 0, total: 20, perSecond: 0).sentence == "0 of 20 done (0%)")
  }

  @Test("the rate is that of the last seconds, not of the whole wait")
  func rate() {
    var meter = RateMeter()
    #expect(meter.perSecond == nil)
    meter.add(0, at: start)
    meter.add(1, at: start + .milliseconds(100))
    #expect(meter.perSecond == nil)
    for second in 1...60 { meter.add(second * 10, at: start + .seconds(second)) }
    #expect(meter.perSecond == 10)
    for second in 61...90 { meter.add(600 + (second - 60), at: start + .seconds(second)) }
    #expect(meter.perSecond == 1)
  }

  @Test("a log gets a line every five seconds, without control characters")
  func log() throws {
    var report = ProgressReport(isMoving: false, columns: 80, start: start)
    var lines: [String] = []
    for tenth in 0...120 {
      let job = try ExampleAnswers.job(done: tenth / 10)
      if let text = report.text(for: [job], at: start + .milliseconds(tenth * 100)) {
        lines.append(text)
      }
    }
    #expect(
      lines == [
        "5 of 20 done (25%), 1.0/s, 15 s left\n", "10 of 20 done (50%), 1.0/s, 10 s left\n",
      ])
    let end = report.end(for: [try ExampleAnswers.job(done: 20)], at: start + .seconds(20))
    #expect(end == "20 of 20 done (100%), 1.1/s\n")
  }

  @Test("a terminal is painted at once, then at most ten times a second")
  func painting() throws {
    var report = ProgressReport(isMoving: true, columns: 60, start: start)
    let first = report.text(for: [try ExampleAnswers.job(done: 0)], at: start)
    #expect(first?.hasPrefix("\r\u{1B}[K▕") == true)
    #expect(first?.hasSuffix("▏ 0/20  0%") == true)
    let job = try ExampleAnswers.job(done: 1)
    #expect(report.text(for: [job], at: start + .milliseconds(99)) == nil)
    #expect(report.text(for: [job], at: start + .milliseconds(100)) != nil)
    #expect(report.end(for: [job], at: start + .milliseconds(110)).hasSuffix("\n"))
  }
}
