#define _GNU_SOURCE
#include "csocket.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define GW_SEALS (F_SEAL_SHRINK | F_SEAL_GROW)

int gw_shared_memory(size_t bytes) {
  int memory = memfd_create("groundwell-batch", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  int error;
  if (memory < 0) return -errno;
  do {
    error = posix_fallocate(memory, 0, (off_t)bytes);
  } while (error == EINTR);
  if (error == 0 && fcntl(memory, F_ADD_SEALS, GW_SEALS) < 0) error = errno;
  if (error == 0) return memory;
  close(memory);
  return -error;
}

int gw_is_sealed(int memory, size_t bytes) {
  struct stat status;
  int seals = fcntl(memory, F_GET_SEALS);
  if (seals < 0) return -errno;
  if (fstat(memory, &status) < 0) return -errno;
  return (seals & GW_SEALS) == GW_SEALS && status.st_size == (off_t)bytes;
}

void *gw_map(int memory, size_t bytes, int *error) {
  // Populated at once: a page is faulted in here and never again.
  void *address =
      mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, memory, 0);
  *error = address == MAP_FAILED ? errno : 0;
  return address == MAP_FAILED ? NULL : address;
}

int gw_lower_priority(int niceness) {
  // On Linux a priority belongs to a thread, and 0 names the calling one (setpriority(2)).
  return setpriority(PRIO_PROCESS, 0, niceness) < 0 ? -errno : 0;
}

// Arrays up to this size come from memory that is kept, and so much of it is kept at the end of each arena.
#define GW_LARGEST_KEPT (8 << 20)
#define GW_KEPT (64 << 20)

void gw_keep_memory(void) {
  mallopt(M_MMAP_THRESHOLD, GW_LARGEST_KEPT);
  mallopt(M_TRIM_THRESHOLD, GW_KEPT);
}

void gw_trim_memory(void) { malloc_trim(0); }
