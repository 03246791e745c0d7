/// What the process tells the shell; the numbers are documented and stay.
package enum ExitStatus: Int32, Sendable {
  /// Everything that was asked for is done.
  case success = 0
  /// A check found problems, a job did not finish well, or a file could not be read or written.
  case failed = 1
  /// The command line is wrong; nothing was sent.
  case usage = 2
  /// No daemon answers on the socket, or the connection to it broke.
  case unreachable = 3
  /// The daemon answered with an error.
  case refused = 4
  /// A wait reached its deadline.
  case deadline = 124
  /// Ctrl-C ended a wait.
  case interrupted = 130
}
