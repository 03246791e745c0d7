import Client
import Foundation
import Testing

/// Moments on a command line.
@Suite struct TimePointTests {
  @Test(
    "dates are read with or without time and zone",
    arguments: [
      ("2026-01-31", 1_769_817_600), ("2026-01-31T12:30", 1_769_862_600),
      ("2026-01-31T12:30:15", 1_769_862_615), ("2026-01-31T12:30:15Z", 1_769_862_615),
      ("2026-01-31T12:30:15+01:00", 1_769_859_015), ("2026-01-31T12:30Z", 1_769_862_600),
    ] as [(String, Int64)])
  func dates(text: String, seconds: Int64) throws {
    let point = try #require(TimePoint(argument: text))
    #expect(point.microseconds(now: CommandRun.now) == seconds * 1_000_000)
  }

  @Test("2h is two hours before now")
  func ago() throws {
    let point = try #require(TimePoint(argument: "2h"))
    #expect(point.microseconds(now: CommandRun.now) == 1_700_000_000_000_000)
  }

  @Test(
    "what is neither a date nor a span is refused",
    arguments: [
      "", "yesterday", "2", "2026-13-01", "2026-02-30", "31.01.2026", "-2h", "2026-01-31T25:00",
      "99999-01-01", "2026-01-31 and more",
    ])
  func refused(text: String) {
    #expect(TimePoint(argument: text) == nil)
  }
}
