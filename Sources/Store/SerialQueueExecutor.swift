import Dispatch

/// Runs an actor's jobs on one serial queue, so that a blocking call never holds a thread of the
/// cooperative pool.
final class SerialQueueExecutor: SerialExecutor {
  /// The queue; what runs on it is isolated to the actor.
  let queue: DispatchQueue

  /// `label` names the thread in debuggers and crash reports.
  init(label: String) { queue = DispatchQueue(label: label) }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    // Safe: the queue runs each job once, and the closure keeps `self` alive until it has run.
    queue.async { unsafe job.runSynchronously(on: self.asUnownedSerialExecutor()) }
  }

  func checkIsolated() { dispatchPrecondition(condition: .onQueue(queue)) }
}
