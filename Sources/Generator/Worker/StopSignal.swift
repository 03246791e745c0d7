import Dispatch
import Foundation
import Synchronization

/// Turns SIGTERM and SIGINT into a wish that the worker looks at between two steps.
final class StopSignal: Sendable {
  private let wished = Atomic<Bool>(false)

  /// Whether the worker is to stop.
  var isWished: Bool { wished.load(ordering: .acquiring) }

  /// Asks the worker to stop.
  func wish() { wished.store(true, ordering: .releasing) }

  /// Listens until the sources that it answers are released.
  func listen() -> [any DispatchSourceSignal] {
    [SIGTERM, SIGINT].map { number in
      // The signal's own effect is turned off, so that the source alone sees it.
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler { self.wish() }
      source.resume()
      return source
    }
  }
}
