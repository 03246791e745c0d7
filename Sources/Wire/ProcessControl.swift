private import CSocket
import Foundation

/// What a worker asks of the kernel about itself.
public enum ProcessControl {
  /// Ends this process with SIGTERM when its parent dies, so that no worker outlives its daemon.
  ///
  /// - Throws: ``WireError/Code/system``.
  public static func dieWithParent() throws(WireError) {
    let result = gw_die_with_parent(SIGTERM)
    guard result == 0 else { throw WireError.system("prctl", "this process", errno: -result) }
  }
}
