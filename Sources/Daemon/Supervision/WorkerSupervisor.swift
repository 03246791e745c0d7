import Synchronization
import Store
import Foundation
import Logging
import Schema
import ServiceLifecycle

/// Spawns worker processes while there is work for them, and tries again later when one fails.
struct WorkerSupervisor: Service {
  /// The first wait after a failure; doubles with each up to ``maximumBackOff``.
  static let firstBackOff: Duration = .milliseconds(500)
  /// The longest wait after a failure.
  static let maximumBackOff: Duration = .seconds(30)
  /// A worker that has run this long has proved itself: its failure counts as the first.
  static let healthyRun: Duration = .seconds(20)

  let context: DaemonContext

  func run() async throws {
    let count = context.settings.workerCount
    guard count > 0 else { return try await gracefulShutdown() }
    await withTaskGroup(of: Void.self) { group in
      for slot in 0..<count { group.addTask { await keep(slot) } }
    }
  }

  /// Keeps one slot filled until the daemon stops.
  private func keep(_ slot: Int) async {
    var failures = 0
    while !context.signal.isStopping, !Task.isShuttingDownGracefully {
      report(slot, "idle", failures: failures)
      guard await workAppears() else { return }
      let started = ContinuousClock.now
      let error = await runWorker(slot, failures)
      guard let error else {
        failures = 0
        // One that ends well at once although there is work would be started again and again.
        if ContinuousClock.now - started < Self.firstBackOff { await pause(Self.firstBackOff) }
        continue
      }
      failures = ContinuousClock.now - started > Self.healthyRun ? 1 : failures + 1
      context.logger.warning(
        "a worker ended", metadata: ["slot": "\(slot)", "reason": "\(error)"])
      report(slot, "backing off", failures: failures, error: error)
      await pause(Self.backOff(failures))
    }
  }

  /// How long to wait after so many failures in a row.
  static func backOff(_ failures: Int) -> Duration {
    min(maximumBackOff, firstBackOff * (1 << min(10, max(0, failures - 1))))
  }

  private func runWorker(_ slot: Int, _ failures: Int) async -> String? {
    guard let path = context.settings.generatorPath else {
      return "no groundwell-generator beside groundwelld; install it there or give --generator"
    }
    let process = WorkerProcess(path, arguments: arguments(slot), context.settings.workerNiceness)
    return await withGracefulShutdownHandler {
      await process.run { pid in
        report(slot, "running", process: Int(pid), failures: failures)
        context.logger.debug("a worker runs", metadata: ["slot": "\(slot)", "pid": "\(pid)"])
      }
    } onGracefulShutdown: {
      process.stop()
    }
  }

  private func arguments(_ slot: Int) -> [String] {
    [
      "work", "--socket", context.settings.socketPath, "--engine", "scenes", "--name",
      "local-\(slot)", "--idle-exit", "\(context.settings.workerIdleSeconds)", "--spawned",
    ]
  }

  /// Waits until some job of an engine that local workers have needs one; false at the end.
  private func workAppears() async -> Bool {
    await cancelWhenGracefulShutdown {
      for await _ in context.signal.wakeUps() {
        let hasWork = context.store.summary.activeJobs.contains {
          $0.engine == "scenes" && $0.items > $0.done + $0.parked + $0.leased
        }
        if hasWork, context.store.fullness == nil { return true }
      }
      return false
    }
  }

  private func pause(_ duration: Duration) async {
    await cancelWhenGracefulShutdown {
      do { try await Task.sleep(for: duration) } catch { return }
    }
  }

  private func report(
    _ slot: Int, _ state: String, process: Int? = nil, failures: Int, error: String? = nil
  ) {
    context.figures.workers.withLock { workers in
      let old = workers.first { $0.slot == slot }
      workers.removeAll { $0.slot == slot }
      workers.append(
        WorkerInfo(
          slot: slot, state: state, process: process, failures: failures,
          lastError: error ?? old?.lastError))
      workers.sort { $0.slot < $1.slot }
    }
  }
}
