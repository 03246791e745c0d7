#define _GNU_SOURCE
#include "csocket.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

ssize_t gw_receive(int socket, void *buffer, size_t capacity, int *descriptors,
                   int *descriptor_count, int *truncated) {
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int) * GW_MAXIMUM_DESCRIPTORS)];
  } control;
  struct iovec vector = {.iov_base = buffer, .iov_len = capacity};
  struct msghdr message;
  ssize_t count;

  memset(&message, 0, sizeof message);
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
  *descriptor_count = 0;
  *truncated = 0;
  do {
    count = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (count < 0 && errno == EINTR);
  if (count < 0) return -errno;
  *truncated = (message.msg_flags & MSG_CTRUNC) != 0;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    size_t received = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < received; i++) {
      int descriptor;
      memcpy(&descriptor, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
      if (*descriptor_count < GW_MAXIMUM_DESCRIPTORS) {
        descriptors[(*descriptor_count)++] = descriptor;
      } else {
        close(descriptor);
        *truncated = 1;
      }
    }
  }
  return count;
}

ssize_t gw_send(int socket, const void *buffer, size_t length, const int *descriptors,
                int descriptor_count) {
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int) * GW_MAXIMUM_DESCRIPTORS)];
  } control;
  struct iovec vector = {.iov_base = (void *)buffer, .iov_len = length};
  struct msghdr message;
  ssize_t count;

  if (descriptor_count < 0 || descriptor_count > GW_MAXIMUM_DESCRIPTORS) return -EINVAL;
  memset(&message, 0, sizeof message);
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  if (descriptor_count > 0) {
    size_t size = sizeof(int) * (size_t)descriptor_count;
    memset(&control, 0, sizeof control);
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(size);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(header), descriptors, size);
  }
  do {
    count = sendmsg(socket, &message, MSG_NOSIGNAL);
  } while (count < 0 && errno == EINTR);
  return count < 0 ? -errno : count;
}

int gw_accept(int socket) {
  int connection = accept4(socket, NULL, NULL, SOCK_CLOEXEC);
  return connection < 0 ? -errno : connection;
}

int gw_peer(int socket, struct gw_peer_credentials *credentials) {
  struct ucred peer;
  socklen_t length = sizeof peer;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) return -errno;
  credentials->process = peer.pid;
  credentials->user = peer.uid;
  credentials->group = peer.gid;
  return 0;
}

int gw_poll_create(void) {
  int poll = epoll_create1(EPOLL_CLOEXEC);
  return poll < 0 ? -errno : poll;
}

int gw_poll_alarm(int poll) {
  int alarm = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (alarm < 0) return -errno;
  // By edges, so that nobody has to read it.
  struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data = {.fd = alarm}};
  if (epoll_ctl(poll, EPOLL_CTL_ADD, alarm, &event) < 0) {
    int error = errno;
    close(alarm);
    return -error;
  }
  return alarm;
}

int gw_poll_wake(int alarm) { return eventfd_write(alarm, 1) < 0 ? -errno : 0; }

int gw_poll_watch(int poll, int descriptor, int was_watched, int reads, int writes) {
  struct epoll_event event = {
      .events = (reads ? EPOLLIN : 0) | (writes ? EPOLLOUT : 0), .data = {.fd = descriptor}};
  int change = EPOLL_CTL_MOD;
  // A descriptor that is waited for in no way would still be reported as hung up, for ever.
  if (!reads && !writes) change = EPOLL_CTL_DEL;
  else if (!was_watched) change = EPOLL_CTL_ADD;
  return epoll_ctl(poll, change, descriptor, &event) < 0 ? -errno : 0;
}

int gw_poll_wait(int poll, int alarm, struct gw_ready *ready, int capacity, int milliseconds) {
  struct epoll_event events[64];
  if (capacity > 64) capacity = 64;
  int count = epoll_wait(poll, events, capacity, milliseconds);
  if (count < 0) return errno == EINTR ? 0 : -errno;
  int kept = 0;
  for (int i = 0; i < count; i++) {
    if (events[i].data.fd == alarm) continue;
    int is_over = (events[i].events & (EPOLLERR | EPOLLHUP)) != 0;
    ready[kept].descriptor = events[i].data.fd;
    ready[kept].is_readable = is_over || (events[i].events & EPOLLIN) != 0;
    ready[kept].is_writable = is_over || (events[i].events & EPOLLOUT) != 0;
    kept++;
  }
  return kept;
}

void gw_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }
