import Schema
package import Wire

/// Why a command ends early: one sentence for a person and the exit code for a program.
package struct ClientError: Error, Sendable, Equatable {
  /// What the process tells the shell.
  package let status: ExitStatus
  /// One sentence: what failed, on what, and what to do.
  package let message: String

  /// Creates an error.
  package init(_ status: ExitStatus, _ message: String) {
    self.status = status
    self.message = message
  }

  /// What a failure on the way to the daemon, or its refusal, means for the command.
  package init(_ error: WireError) {
    let status: ExitStatus =
      switch (error.code, error.word) {
      case (.refused, .deadlineReached), (.timedOut, _): .deadline
      case (.refused, .stopping): .unreachable
      case (.refused, _): .refused
      case (.unreachable, _), (.closed, _), (.badProtocol, _), (.system, _): .unreachable
      }
    self.init(status, error.message)
  }
}
