import Client
import Foundation
import Schema
import Testing

/// `groundwell backfill`, its wait and what Ctrl-C does to it.
@Suite struct BackfillTests {
  private func outcome(
    _ category: String, _ outcome: String, jobs: [Int64]
  ) throws -> Backfill.Result {
    Backfill.Result(outcomes: [
      Backfill.Outcome(
        category: try CategoryName(category), outcome: outcome, jobs: jobs, stock: 60, target: 80)
    ])
  }

  private func daemon(
    _ answer: Backfill.Result, waits: [[FakeDaemon.Reply]] = []
  ) throws -> FakeDaemon {
    let counts = try ExampleAnswers.counts()
    let waits = Steps(waits)
    return try FakeDaemon { asked in
      switch asked.method {
      case Counts.name: [.result(counts)]
      case Backfill.name: [.result(answer)]
      case JobWait.name: waits.next() ?? [.hangUp]
      default: [.error(.methodUnknown, asked.method)]
      }
    }
  }

  @Test("every option reaches the daemon")
  func params() throws {
    let daemon = try daemon(outcome("cat", "created", jobs: [3]))
    let run = CommandRun(
      [
        "backfill", "cat,dog", "--target", "80", "--engine", "scenes", "--size", "128",
        "--priority", "-2", "--seed", "7", "--no-companions",
      ], daemon: daemon)
    #expect(run.status == .success)
    #expect(run.output == "cat  60 of 80 in stock, job 3 created\n")
    let asked = try #require(daemon.asked.first { $0.method == Backfill.name })
    #expect(
      try asked.params(Backfill.self)
        == Backfill.Params(
          goals: [
            Backfill.Goal(category: try CategoryName("cat"), target: 80),
            Backfill.Goal(category: try CategoryName("dog"), target: 80),
          ], engine: "scenes", imageSize: 128, priority: -2, seed: 7, companions: false))
  }

  @Test("a new category that looks like a slip is pointed out, with the way back")
  func slip() throws {
    let run = CommandRun(
      ["backfill", "cta", "--target", "80"],
      daemon: try daemon(outcome("cta", "created", jobs: [9])))
    #expect(run.status == .success)
    #expect(
      run.errors
        == "groundwell: 'cta' is new to this store; did you mean 'cat'? "
        + "'groundwell job cancel 9' takes this one back\n")
  }

  @Test("a wait asks until the jobs are finished and shows the end")
  func wait() throws {
    let daemon = try daemon(
      outcome("cat", "joined", jobs: [3, 4]),
      waits: [
        [
          .progress([try ExampleAnswers.job(done: 5)]),
          .result(JobWait.Result(jobs: [try ExampleAnswers.job(done: 8)], finished: false)),
        ],
        [
          .result(
            JobWait.Result(jobs: [try ExampleAnswers.job(done: 20, state: .done)], finished: true))
        ],
      ])
    let run = CommandRun(["backfill", "cat", "--target", "80", "--wait"], daemon: daemon)
    #expect(run.status == .success)
    #expect(run.output == "cat  60 of 80 in stock, joined jobs 3 and 4\n")
    #expect(run.errors == "20 of 20 done (100%)\n")
    let asked = daemon.asked.filter { $0.method == JobWait.name }
    #expect(try asked.map { try $0.params(JobWait.self).jobs } == [[3, 4], [3, 4]])
  }

  @Test("a terminal sees the bar move")
  func movingBar() throws {
    let daemon = try daemon(
      outcome("cat", "created", jobs: [3]),
      waits: [
        [
          .progress([try ExampleAnswers.job(done: 5)]),
          .result(
            JobWait.Result(jobs: [try ExampleAnswers.job(done: 20, state: .done)], finished: true)),
        ]
      ])
    let run = CommandRun(
      ["backfill", "cat", "--target", "80", "--wait"], daemon: daemon, columns: 40,
      showsMovingProgress: true)
    #expect(run.errors.hasPrefix("\r\u{1B}[K▕"))
    #expect(run.errors.contains("5/20  25%"))
    #expect(run.errors.hasSuffix("20/20  100%\n"))
  }

  @Test("a failed job ends the wait with 1 and its reason")
  func failedJob() throws {
    let failed = try ExampleAnswers.job(
      done: 19, parked: 1, state: .failed, lastError: "item 4: no sprite of 'cat'")
    let run = CommandRun(
      ["backfill", "cat", "--target", "80", "--wait"],
      daemon: try daemon(
        outcome("cat", "created", jobs: [3]),
        waits: [[.result(JobWait.Result(jobs: [failed], finished: true))]]))
    #expect(run.status == .failed)
    #expect(
      run.errors == """
        19 of 20 done (95%), 1 failed
        groundwell: job 3 ('cat') failed with 19 of 20 done: item 4: no sprite of 'cat'; see \
        'groundwell job show 3'

        """)
  }

  @Test("what is satisfied already is not waited for")
  func satisfied() throws {
    let daemon = try daemon(outcome("cat", "satisfied", jobs: []))
    let run = CommandRun(["backfill", "cat", "--target", "60", "--wait"], daemon: daemon)
    #expect(run.status == .success)
    #expect(run.output == "cat  60 of 80 in stock, nothing to do\n")
    #expect(daemon.asked.map(\.method) == [Counts.name, Backfill.name])
  }

  @Test("a wait that runs out of time ends with 124, the jobs go on")
  func deadline() throws {
    let active = JobWait.Result(jobs: [try ExampleAnswers.job(done: 8)], finished: false)
    let clock = SteppingClock(step: .seconds(40))
    let run = CommandRun(
      ["backfill", "cat", "--target", "80", "--wait", "--timeout", "1.5m"],
      daemon: try daemon(
        outcome("cat", "created", jobs: [3]),
        waits: [[.result(active)], [.result(active)], [.result(active)]]),
      instant: { clock.now() })
    #expect(run.status == .deadline)
    #expect(
      run.errors.hasSuffix(
        "groundwell: not finished within 1 min 30 s, 8 of 20 done; the jobs go on: look with "
          + "'groundwell jobs'\n"))
  }

  @Test("a daemon that goes away during the wait leaves 3 and a word on the job")
  func lostDaemon() throws {
    let run = CommandRun(
      ["backfill", "cat", "--target", "80", "--wait"],
      daemon: try daemon(outcome("cat", "created", jobs: [3])))
    #expect(run.status == .unreachable)
    #expect(
      run.errors
        == "groundwell: the daemon closed the connection; job 3 is kept, look with "
        + "'groundwell jobs' when it is back\n")
  }

  @Test("Ctrl-C says that the jobs go on and how to cancel them")
  func interruptionMessage() {
    #expect(
      Interruption.message(jobs: [3])
        == "interrupted; job 3 goes on: look with 'groundwell jobs', cancel it with "
        + "'groundwell job cancel 3'")
    #expect(
      Interruption.message(jobs: [5, 3, 4])
        == "interrupted; jobs 3, 4 and 5 go on: look with 'groundwell jobs', cancel them with "
        + "'groundwell job cancel 3 4 5'")
  }

  @Test("Ctrl-C during a wait ends the process with 130, whatever the daemon does")
  func interruption() async throws {
    let result = try await #require(
      processExitsWith: .exitCode(130), observing: [\.standardErrorContent]
    ) {
      let counts = try ExampleAnswers.counts()
      let daemon = try FakeDaemon { asked in
        switch asked.method {
        case Counts.name: return [.result(counts)]
        case Backfill.name: return [.result(Backfill.exampleResult)]
        default:
          // The command waits for this answer; its own process gets the signal instead.
          kill(getpid(), SIGINT)
          return []
        }
      }
      let console = Console(
        columns: 80, style: TextStyle(isColoured: false), showsMovingProgress: false,
        environment: ["GROUNDWELL_SOCKET": daemon.socketPath], now: { Date() },
        instant: { .now }, write: { (_) throws(ClientError) in },
        note: { FileHandle.standardError.write(Data($0.utf8)) })
      let status = CommandRunner.run(["backfill", "cat", "--target", "80", "--wait"], in: console)
      exit(status.rawValue)
    }
    let errors = String(decoding: result.standardErrorContent, as: UTF8.self)
    #expect(errors.contains("groundwell: interrupted; job 3 goes on: look with"))
  }
}
