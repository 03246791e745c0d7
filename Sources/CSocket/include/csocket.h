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

// Makes the calling thread nicer to others, 0 to 19; 0 or -errno.
int gw_lower_priority(int niceness);

#endif
