#ifndef GROUNDWELL_CSOCKET_H
#define GROUNDWELL_CSOCKET_H

#include <stddef.h>
#include <sys/types.h>

// What Swift cannot call: the CMSG macros, SO_PEERCRED's struct, sealed memfds.

// Largest number of descriptors that one call sends or receives.
#define GW_MAXIMUM_DESCRIPTORS 4

struct gw_peer_credentials {
  int process;
  unsigned int user;
  unsigned int group;
};

// Receives up to `capacity` bytes and up to GW_MAXIMUM_DESCRIPTORS descriptors (close-on-exec).
// Returns the byte count, 0 at the end of the stream, or -errno. `*descriptor_count` is how many
// descriptors were stored; `*truncated` is 1 when the kernel dropped some.
ssize_t gw_receive(int socket, void *buffer, size_t capacity, int *descriptors,
                   int *descriptor_count, int *truncated);

// Sends bytes, and descriptors with the first of them; never raises SIGPIPE. Returns the number
// of bytes taken or -errno.
ssize_t gw_send(int socket, const void *buffer, size_t length, const int *descriptors,
                int descriptor_count);

// The next waiting connection, close-on-exec; a descriptor or -errno.
int gw_accept(int socket);

// The peer's identity at connect time; 0 or -errno.
int gw_peer(int socket, struct gw_peer_credentials *credentials);

// Shared memory of `bytes`, its pages allocated, sealed against shrinking and growing; a
// descriptor or -errno.
int gw_shared_memory(size_t bytes);

// 1 when the memory has exactly `bytes` and can neither shrink nor grow, 0 when not, or -errno.
int gw_is_sealed(int memory, size_t bytes);

// Maps the memory for reading and writing; NULL and `*error` when it cannot.
void *gw_map(int memory, size_t bytes, int *error);

// A set of descriptors to be waited for (epoll(7)); a descriptor or -errno.
int gw_poll_create(void);

// A descriptor that wakes whoever waits for the set; a descriptor or -errno.
int gw_poll_alarm(int poll);

// Wakes whoever waits; 0 or -errno.
int gw_poll_wake(int alarm);

// Waits for `descriptor` to be readable, writable, or both; for neither it leaves the set.
// `was_watched` says whether it is in the set. 0 or -errno.
int gw_poll_watch(int poll, int descriptor, int was_watched, int reads, int writes);

struct gw_ready {
  int descriptor;
  int is_readable;
  int is_writable;
};

// Waits until something is ready, at most `milliseconds`, or for ever below 0. Returns how many
// are or -errno; the alarm is none of them.
int gw_poll_wait(int poll, int alarm, struct gw_ready *ready, int capacity, int milliseconds);

// Sends one datagram to the socket that a service manager listens on (sd_notify(3)); never waits.
// '@' begins a name in the abstract namespace. 0 or -errno.
int gw_notify(const char *address, const char *text, size_t length);

enum { GW_FAMILY_OTHER, GW_FAMILY_UNIX, GW_FAMILY_INTERNET };

struct gw_listener {
  int family;
  int is_stream;
  int listens;
  // Of internet sockets.
  int is_loopback;
  unsigned short port;
  // Of Unix sockets with a name in the file system; empty otherwise.
  char path[109];
};

// What kind of listening socket a descriptor is; 0 or -errno.
int gw_listener(int socket, struct gw_listener *found);

// Listens on a port of 127.0.0.1 or ::1, on nothing else; a descriptor or -errno.
int gw_listen_loopback(int is_v6, unsigned short port, int backlog);

// Names the calling thread, for debuggers and crash reports; at most 15 bytes.
void gw_name_thread(const char *name);

// Makes the calling thread nicer to others, 0 to 19; 0 or -errno.
int gw_lower_priority(int niceness);

// Has the C library keep freed memory for what is allocated next; gives back what it has kept.
void gw_keep_memory(void);
void gw_trim_memory(void);

#endif
