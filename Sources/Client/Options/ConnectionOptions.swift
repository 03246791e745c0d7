import ArgumentParser
import Wire

/// Which daemon a command talks to.
struct ConnectionOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Socket of the daemon (default: $GROUNDWELL_SOCKET, else the daemon's own default).",
      valueName: "path"))
  var socket: String?

  /// Connects and greets.
  func connect(in console: Console) throws(ClientError) -> Connection {
    try Connection(socketPath: path(in: console))
  }

  /// The socket.
  func path(in console: Console) -> String {
    socket ?? SocketPath.standard(environment: console.environment)
  }
}
