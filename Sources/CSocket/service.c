#define _GNU_SOURCE
#include "csocket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int gw_notify(const char *address, const char *text, size_t length) {
  struct sockaddr_un peer;
  size_t bytes = strlen(address);
  ssize_t sent;
  int descriptor, error;

  if (bytes < 2 || bytes >= sizeof peer.sun_path) return -EINVAL;
  memset(&peer, 0, sizeof peer);
  peer.sun_family = AF_UNIX;
  memcpy(peer.sun_path, address, bytes);
  // A name in the abstract namespace: '@' stands for the zero byte that begins it.
  if (peer.sun_path[0] == '@') peer.sun_path[0] = '\0';
  descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -errno;
  do {
    sent = sendto(descriptor, text, length, MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&peer,
                  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes));
  } while (sent < 0 && errno == EINTR);
  error = errno;
  close(descriptor);
  return sent < 0 ? -error : 0;
}

static int option(int socket, int name) {
  int value = 0;
  socklen_t length = sizeof value;
  if (getsockopt(socket, SOL_SOCKET, name, &value, &length) < 0) return -errno;
  return value;
}

int gw_listener(int socket, struct gw_listener *found) {
  struct sockaddr_storage address;
  socklen_t length = sizeof address;
  int type = option(socket, SO_TYPE), listens = option(socket, SO_ACCEPTCONN);

  memset(found, 0, sizeof *found);
  if (type < 0) return type;
  if (listens < 0) return listens;
  memset(&address, 0, sizeof address);
  if (getsockname(socket, (struct sockaddr *)&address, &length) < 0) return -errno;
  found->is_stream = type == SOCK_STREAM;
  found->listens = listens != 0;
  found->family = GW_FAMILY_OTHER;
  if (address.ss_family == AF_UNIX) {
    const struct sockaddr_un *named = (const struct sockaddr_un *)&address;
    size_t bytes = length > offsetof(struct sockaddr_un, sun_path)
                       ? length - offsetof(struct sockaddr_un, sun_path)
                       : 0;
    found->family = GW_FAMILY_UNIX;
    if (bytes > 0 && named->sun_path[0] != '\0') {
      bytes = strnlen(named->sun_path, bytes);
      memcpy(found->path, named->sun_path, bytes);
      found->path[bytes] = '\0';
    }
  } else if (address.ss_family == AF_INET) {
    const struct sockaddr_in *named = (const struct sockaddr_in *)&address;
    found->family = GW_FAMILY_INTERNET;
    found->is_loopback = (ntohl(named->sin_addr.s_addr) >> 24) == 127;
    found->port = ntohs(named->sin_port);
  } else if (address.ss_family == AF_INET6) {
    const struct sockaddr_in6 *named = (const struct sockaddr_in6 *)&address;
    found->family = GW_FAMILY_INTERNET;
    found->is_loopback = IN6_IS_ADDR_LOOPBACK(&named->sin6_addr);
    found->port = ntohs(named->sin6_port);
  }
  return 0;
}

int gw_listen_loopback(int is_v6, unsigned short port, int backlog) {
  struct sockaddr_in four;
  struct sockaddr_in6 six;
  struct sockaddr *address = is_v6 ? (struct sockaddr *)&six : (struct sockaddr *)&four;
  socklen_t length = is_v6 ? sizeof six : sizeof four;
  int yes = 1, error;
  int descriptor = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  if (descriptor < 0) return -errno;
  memset(&four, 0, sizeof four);
  four.sin_family = AF_INET;
  four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  four.sin_port = htons(port);
  memset(&six, 0, sizeof six);
  six.sin6_family = AF_INET6;
  six.sin6_addr = in6addr_loopback;
  six.sin6_port = htons(port);
  // A port whose last connections linger can be listened on again at once.
  setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(descriptor, address, length) == 0 && listen(descriptor, backlog) == 0) return descriptor;
  error = errno;
  close(descriptor);
  return -error;
}
