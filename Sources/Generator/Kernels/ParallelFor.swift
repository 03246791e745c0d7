import Dispatch
import Synchronization
private import COpenBLAS

/// Keeps OpenBLAS on the calling thread: kernels split the work themselves, so that one budget of
/// threads is shared by products and everything else.
func singleThreadedBLAS() {
  openblas_set_num_threads(1)
}

extension Workspace {
  /// Runs `body` for each of `0..<count`, on up to ``threadCount`` threads.
  ///
  /// Which thread runs what is decided while running, but what an index computes depends on the
  /// index alone, so results do not depend on the number of threads.
  func parallel(_ count: Int, _ body: @Sendable (Int) -> Void) {
    let workers = min(threadCount, count)
    guard workers > 1 else {
      for index in 0..<count { body(index) }
      return
    }
    let next = Atomic(0)
    DispatchQueue.concurrentPerform(iterations: workers) { _ in
      while true {
        let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
        guard index < count else { return }
        body(index)
      }
    }
  }

  /// Splits `0..<count` into pieces of `grain` and runs `body` for each.
  func parallel(_ count: Int, grain: Int, _ body: @Sendable (Range<Int>) -> Void) {
    let pieces = (count + grain - 1) / max(grain, 1)
    parallel(pieces) { piece in
      body(piece * grain..<min(count, (piece + 1) * grain))
    }
  }
}
