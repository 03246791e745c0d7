import Dispatch
import Foundation
import Synchronization

/// Runs long calculations on threads of their own, as many as there are cores.
///
/// On the shared pool they would keep every session, timer and deadline waiting; here the system
/// shares the cores between them.
final class WorkPool: TaskExecutor {
  private let queues: [DispatchQueue]
  private let next = Atomic<Int>(0)

  /// How many jobs run at a time.
  var width: Int { queues.count }

  init(width: Int = ProcessInfo.processInfo.activeProcessorCount) {
    queues = (0..<width).map { DispatchQueue(label: "work-\($0)") }
  }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    let turn = next.wrappingAdd(1, ordering: .relaxed).newValue
    // Safe: the queue runs each job once, and the closure keeps `self` alive until it has run.
    queues[abs(turn % queues.count)].async {
      unsafe job.runSynchronously(on: self.asUnownedTaskExecutor())
    }
  }
}
