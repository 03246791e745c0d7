/* A shim between a program and the files under one folder, for LD_PRELOAD.
 *
 * It fails the nth call of a chosen class with a chosen errno, and records, in order, everything
 * that changes the folder or makes a change durable.
 *
 *   GROUNDWELL_FAULT_ROOT     the folder, absolute, without a symbolic link in it; else nothing happens
 *   GROUNDWELL_FAULT_CONTROL  a file of 64 bytes that says what fails; read at every call
 *   GROUNDWELL_FAULT_LOG      a file outside the folder that the record is appended to
 *
 * The control file is an array of 32-bit integers, see enum control; whoever writes to it while the
 * program runs sets CONTROL_CLASS last. The record is a sequence of struct entry, each followed by
 * its bytes: data of a write, or one or two paths below the folder that end with a zero.
 *
 * Descriptors are known by the calls below; the folder's files must not be duplicated (dup), sent,
 * or inherited. Writes through mmap are not recorded: SQLite's -shm file is never read after a
 * crash, and nothing else in a store is written that way.
 */
#define _GNU_SOURCE
#undef _FILE_OFFSET_BITS
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum class {
  CLASS_WRITE = 1,     /* write, pwrite, writev, pwritev */
  CLASS_SYNC = 2,      /* fsync, fdatasync, of files and of folders */
  CLASS_OPEN = 4,      /* open, openat, creat */
  CLASS_MAP = 8,       /* mmap of a file */
  CLASS_TRUNCATE = 16, /* ftruncate, fallocate */
  CLASS_READ = 32,     /* read, pread */
  CLASS_ALLOCATE = 64, /* malloc, realloc, calloc called by SQLite */
  CLASS_REMOVE = 128,  /* unlink */
};

enum control {
  CONTROL_CLASS,  /* Classes that are counted, or 0: nothing fails. */
  CONTROL_NTH,    /* The call that fails, from 1. */
  CONTROL_ERRNO,  /* With this. */
  CONTROL_STAYS,  /* 1: all later calls fail as well, as on a disk that is full. */
  CONTROL_SHORT,  /* 1: a write that fails first writes half of its bytes, as a full disk does. */
  CONTROL_COUNT,  /* Calls so far. */
  CONTROL_FIRED,  /* Calls that failed. */
  CONTROL_FIELDS = 16,
};

enum operation {
  OPERATION_CREATE = 1, /* path; file */
  OPERATION_WRITE,      /* bytes; file, offset */
  OPERATION_TRUNCATE,   /* file, offset is the new length */
  OPERATION_SYNC,       /* file or folder */
  OPERATION_UNLINK,     /* path */
  OPERATION_RENAME,     /* path, path */
  OPERATION_MKDIR,      /* path; file is the folder's */
};

struct entry {
  uint32_t operation;
  uint32_t byte_count; /* that follow */
  uint64_t file;       /* inode number */
  uint64_t offset;
};

enum { MAXIMUM_DESCRIPTORS = 65536 };

static char root[4096];
static size_t root_length;
static int log_descriptor = -1;
static volatile int32_t *control;
/* The inode behind each descriptor of a file or folder below the root; 0 for all others. */
static uint64_t files[MAXIMUM_DESCRIPTORS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uintptr_t sqlite_begin, sqlite_end;

static int find_sqlite(struct dl_phdr_info *info, size_t size, void *unused) {
  (void)size, (void)unused;
  if (strstr(info->dlpi_name, "libsqlite3") == NULL) return 0;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *part = &info->dlpi_phdr[i];
    if (part->p_type != PT_LOAD || !(part->p_flags & PF_X)) continue;
    sqlite_begin = info->dlpi_addr + part->p_vaddr;
    sqlite_end = sqlite_begin + part->p_memsz;
  }
  return 1;
}

__attribute__((constructor)) static void start(void) {
  const char *folder = getenv("GROUNDWELL_FAULT_ROOT");
  if (folder == NULL || strlen(folder) >= sizeof root) return;
  dl_iterate_phdr(find_sqlite, NULL);
  const char *path = getenv("GROUNDWELL_FAULT_LOG");
  if (path != NULL) {
    log_descriptor =
        (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_descriptor < 0) abort();
  }
  path = getenv("GROUNDWELL_FAULT_CONTROL");
  if (path != NULL) {
    int descriptor = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    if (descriptor < 0) abort();
    void *page = (void *)syscall(SYS_mmap, NULL, CONTROL_FIELDS * sizeof *control,
                                 PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (page == MAP_FAILED) abort();
    control = page;
    close(descriptor);
  }
  strcpy(root, folder);
  root_length = strlen(root);
}

/* Whether this call is to fail; errno is set then. */
static int fails(enum class class) {
  if (control == NULL || (control[CONTROL_CLASS] & class) == 0) return 0;
  int32_t count = __atomic_add_fetch(&control[CONTROL_COUNT], 1, __ATOMIC_SEQ_CST);
  int32_t nth = control[CONTROL_NTH];
  if (count != nth && !(control[CONTROL_STAYS] && count > nth)) return 0;
  __atomic_add_fetch(&control[CONTROL_FIRED], 1, __ATOMIC_SEQ_CST);
  errno = control[CONTROL_ERRNO];
  return 1;
}

/* The path below the root, "" for the root itself; NULL when it lies elsewhere. */
static const char *below(int folder, const char *path, char *buffer, size_t size) {
  if (root_length == 0 || path == NULL) return NULL;
  if (path[0] != '/') {
    char link[64];
    if (folder == AT_FDCWD) {
      if (getcwd(buffer, size) == NULL) return NULL;
    } else {
      snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
      ssize_t length = readlink(link, buffer, size - 1);
      if (length < 0) return NULL;
      buffer[length] = 0;
    }
    size_t used = strlen(buffer);
    snprintf(buffer + used, size - used, "/%s", path);
    path = buffer;
  }
  if (strncmp(path, root, root_length) != 0) return NULL;
  path += root_length;
  if (*path != 0 && *path != '/') return NULL;
  while (*path == '/') path++;
  return path;
}

static uint64_t file_of(int descriptor) {
  if (descriptor < 0 || descriptor >= MAXIMUM_DESCRIPTORS) return 0;
  return __atomic_load_n(&files[descriptor], __ATOMIC_RELAXED);
}

/* Appends an entry; the lock is held, so that the order is that of the calls. */
static void note(enum operation operation, uint64_t file, uint64_t offset, const void *bytes,
                 size_t count, const void *more, size_t more_count) {
  if (log_descriptor < 0) return;
  struct entry entry = {operation, (uint32_t)(count + more_count), file, offset};
  struct iovec parts[3] = {
      {&entry, sizeof entry}, {(void *)bytes, count}, {(void *)more, more_count}};
  ssize_t expected = (ssize_t)(sizeof entry + count + more_count);
  if (syscall(SYS_writev, log_descriptor, parts, 3) != expected) abort();
}

static int opened(int folder, const char *path, int flags, mode_t mode) {
  char buffer[8192];
  const char *name = below(folder, path, buffer, sizeof buffer);
  if (name == NULL) return (int)syscall(SYS_openat, folder, path, flags, mode);
  if (fails(CLASS_OPEN)) return -1;
  pthread_mutex_lock(&lock);
  struct stat facts;
  int was_there = fstatat(folder, path, &facts, 0) == 0;
  int descriptor = (int)syscall(SYS_openat, folder, path, flags, mode);
  int reason = errno;
  if (descriptor >= 0 && descriptor < MAXIMUM_DESCRIPTORS && fstat(descriptor, &facts) == 0) {
    __atomic_store_n(&files[descriptor], (uint64_t)facts.st_ino, __ATOMIC_RELAXED);
    if (!was_there) note(OPERATION_CREATE, facts.st_ino, 0, name, strlen(name) + 1, NULL, 0);
    else if (flags & O_TRUNC) note(OPERATION_TRUNCATE, facts.st_ino, 0, NULL, 0, NULL, 0);
  }
  pthread_mutex_unlock(&lock);
  errno = reason;
  return descriptor;
}

#define MODE(flags)                                      \
  mode_t mode = 0;                                       \
  if ((flags) & (O_CREAT | O_TMPFILE)) {                 \
    va_list list;                                        \
    va_start(list, flags);                               \
    mode = va_arg(list, mode_t);                         \
    va_end(list);                                        \
  }

int open(const char *path, int flags, ...) {
  MODE(flags)
  return opened(AT_FDCWD, path, flags, mode);
}
int open64(const char *path, int flags, ...) {
  MODE(flags)
  return opened(AT_FDCWD, path, flags | O_LARGEFILE, mode);
}
int openat(int folder, const char *path, int flags, ...) {
  MODE(flags)
  return opened(folder, path, flags, mode);
}
int openat64(int folder, const char *path, int flags, ...) {
  MODE(flags)
  return opened(folder, path, flags | O_LARGEFILE, mode);
}
int creat(const char *path, mode_t mode) {
  return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

int close(int descriptor) {
  if (descriptor >= 0 && descriptor < MAXIMUM_DESCRIPTORS) {
    __atomic_store_n(&files[descriptor], 0, __ATOMIC_RELAXED);
  }
  return (int)syscall(SYS_close, descriptor);
}

/* Whether a write fails, and how many bytes it writes before it does. */
static int write_fails(size_t *count) {
  if (!fails(CLASS_WRITE)) return 0;
  if (!control[CONTROL_SHORT] || *count < 2) return 1;
  *count /= 2;
  /* The next call, for the rest, is the one that is refused. */
  control[CONTROL_SHORT] = 0;
  control[CONTROL_NTH] = control[CONTROL_COUNT] + 1;
  return 0;
}

static ssize_t written(int descriptor, const void *bytes, size_t count, off_t offset, int is_at) {
  uint64_t file = file_of(descriptor);
  if (file != 0 && write_fails(&count)) return -1;
  if (file != 0) pthread_mutex_lock(&lock);
  off_t place = offset;
  if (file != 0 && !is_at) {
    int flags = fcntl(descriptor, F_GETFL);
    place = lseek(descriptor, 0, (flags & O_APPEND) ? SEEK_END : SEEK_CUR);
  }
  ssize_t result = is_at ? syscall(SYS_pwrite64, descriptor, bytes, count, offset)
                         : syscall(SYS_write, descriptor, bytes, count);
  if (file != 0) {
    int reason = errno;
    if (result > 0) note(OPERATION_WRITE, file, (uint64_t)place, bytes, (size_t)result, NULL, 0);
    pthread_mutex_unlock(&lock);
    errno = reason;
  }
  return result;
}

ssize_t write(int descriptor, const void *bytes, size_t count) {
  return written(descriptor, bytes, count, 0, 0);
}
ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t offset) {
  return written(descriptor, bytes, count, offset, 1);
}
ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off64_t offset) {
  return written(descriptor, bytes, count, offset, 1);
}

/* Part by part: a short write is allowed, and nothing in a store uses these. */
ssize_t writev(int descriptor, const struct iovec *parts, int count) {
  if (file_of(descriptor) == 0) return syscall(SYS_writev, descriptor, parts, count);
  for (int i = 0; i < count; i++) {
    if (parts[i].iov_len > 0) return written(descriptor, parts[i].iov_base, parts[i].iov_len, 0, 0);
  }
  return 0;
}
ssize_t pwritev(int descriptor, const struct iovec *parts, int count, off_t offset) {
  if (file_of(descriptor) == 0) {
    return syscall(SYS_pwritev, descriptor, parts, count, offset, 0UL);
  }
  for (int i = 0; i < count; i++) {
    if (parts[i].iov_len > 0) {
      return written(descriptor, parts[i].iov_base, parts[i].iov_len, offset, 1);
    }
  }
  return 0;
}

ssize_t read(int descriptor, void *bytes, size_t count) {
  if (file_of(descriptor) != 0 && fails(CLASS_READ)) return -1;
  return syscall(SYS_read, descriptor, bytes, count);
}
ssize_t pread(int descriptor, void *bytes, size_t count, off_t offset) {
  if (file_of(descriptor) != 0 && fails(CLASS_READ)) return -1;
  return syscall(SYS_pread64, descriptor, bytes, count, offset);
}
ssize_t pread64(int descriptor, void *bytes, size_t count, off64_t offset) {
  if (file_of(descriptor) != 0 && fails(CLASS_READ)) return -1;
  return syscall(SYS_pread64, descriptor, bytes, count, offset);
}

static int synced(int descriptor, long call) {
  uint64_t file = file_of(descriptor);
  if (file == 0) return (int)syscall(call, descriptor);
  if (fails(CLASS_SYNC)) return -1;
  pthread_mutex_lock(&lock);
  int result = (int)syscall(call, descriptor);
  int reason = errno;
  if (result == 0) note(OPERATION_SYNC, file, 0, NULL, 0, NULL, 0);
  pthread_mutex_unlock(&lock);
  errno = reason;
  return result;
}
int fsync(int descriptor) { return synced(descriptor, SYS_fsync); }
int fdatasync(int descriptor) { return synced(descriptor, SYS_fdatasync); }

static int cut(int descriptor, off_t length) {
  uint64_t file = file_of(descriptor);
  if (file != 0 && fails(CLASS_TRUNCATE)) return -1;
  pthread_mutex_lock(&lock);
  int result = (int)syscall(SYS_ftruncate, descriptor, length);
  int reason = errno;
  if (result == 0 && file != 0) {
    note(OPERATION_TRUNCATE, file, (uint64_t)length, NULL, 0, NULL, 0);
  }
  pthread_mutex_unlock(&lock);
  errno = reason;
  return result;
}
int ftruncate(int descriptor, off_t length) { return cut(descriptor, length); }
int ftruncate64(int descriptor, off64_t length) { return cut(descriptor, length); }

/* Files that only grow: noted as a length, where it does. */
int posix_fallocate(int descriptor, off_t offset, off_t length) {
  struct stat facts;
  if (file_of(descriptor) != 0) {
    if (fails(CLASS_TRUNCATE)) return errno;
    if (fstat(descriptor, &facts) == 0 && facts.st_size < offset + length) {
      return cut(descriptor, offset + length) == 0 ? 0 : errno;
    }
  }
  return syscall(SYS_fallocate, descriptor, 0, offset, length) == 0 ? 0 : errno;
}
int posix_fallocate64(int descriptor, off64_t offset, off64_t length) {
  return posix_fallocate(descriptor, offset, length);
}

static int renamed(int from_folder, const char *from, int to_folder, const char *to) {
  char from_buffer[8192], to_buffer[8192];
  const char *old = below(from_folder, from, from_buffer, sizeof from_buffer);
  const char *new = below(to_folder, to, to_buffer, sizeof to_buffer);
  pthread_mutex_lock(&lock);
  struct stat facts;
  int is_known = fstatat(from_folder, from, &facts, AT_SYMLINK_NOFOLLOW) == 0;
  int result = (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, 0);
  int reason = errno;
  /* Moving something in or out of the folder is nothing that a store does. */
  if (result == 0 && (old == NULL) != (new == NULL)) abort();
  if (result == 0 && old != NULL && is_known) {
    note(OPERATION_RENAME, facts.st_ino, 0, old, strlen(old) + 1, new, strlen(new) + 1);
  }
  pthread_mutex_unlock(&lock);
  errno = reason;
  return result;
}
int rename(const char *from, const char *to) { return renamed(AT_FDCWD, from, AT_FDCWD, to); }
int renameat(int from_folder, const char *from, int to_folder, const char *to) {
  return renamed(from_folder, from, to_folder, to);
}

static int removed(int folder, const char *path, int flags) {
  char buffer[8192];
  const char *name = below(folder, path, buffer, sizeof buffer);
  if (name != NULL && fails(CLASS_REMOVE)) return -1;
  pthread_mutex_lock(&lock);
  int result = (int)syscall(SYS_unlinkat, folder, path, flags);
  int reason = errno;
  if (result == 0 && name != NULL) note(OPERATION_UNLINK, 0, 0, name, strlen(name) + 1, NULL, 0);
  pthread_mutex_unlock(&lock);
  errno = reason;
  return result;
}
int unlink(const char *path) { return removed(AT_FDCWD, path, 0); }
int unlinkat(int folder, const char *path, int flags) { return removed(folder, path, flags); }
int rmdir(const char *path) { return removed(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char *path) {
  struct stat facts;
  if (lstat(path, &facts) != 0) return -1;
  return removed(AT_FDCWD, path, S_ISDIR(facts.st_mode) ? AT_REMOVEDIR : 0);
}

static int made(int folder, const char *path, mode_t mode) {
  char buffer[8192];
  const char *name = below(folder, path, buffer, sizeof buffer);
  pthread_mutex_lock(&lock);
  int result = (int)syscall(SYS_mkdirat, folder, path, mode);
  int reason = errno;
  struct stat facts;
  if (result == 0 && name != NULL && fstatat(folder, path, &facts, 0) == 0) {
    note(OPERATION_MKDIR, facts.st_ino, 0, name, strlen(name) + 1, NULL, 0);
  }
  pthread_mutex_unlock(&lock);
  errno = reason;
  return result;
}
int mkdir(const char *path, mode_t mode) { return made(AT_FDCWD, path, mode); }
int mkdirat(int folder, const char *path, mode_t mode) { return made(folder, path, mode); }

void *mmap(void *address, size_t length, int protection, int flags, int descriptor, off_t offset) {
  if (file_of(descriptor) != 0 && fails(CLASS_MAP)) return MAP_FAILED;
  return (void *)syscall(SYS_mmap, address, length, protection, flags, descriptor, offset);
}
void *mmap64(void *address, size_t length, int protection, int flags, int descriptor,
             off64_t offset) {
  return mmap(address, length, protection, flags, descriptor, offset);
}

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

/* Only SQLite's own: what the Swift runtime asks for and does not get ends the process. */
static int allocation_fails(const void *caller) {
  uintptr_t place = (uintptr_t)caller;
  return place >= sqlite_begin && place < sqlite_end && fails(CLASS_ALLOCATE);
}
void *malloc(size_t size) {
  if (allocation_fails(__builtin_return_address(0))) return NULL;
  return __libc_malloc(size);
}
void *calloc(size_t count, size_t size) {
  if (allocation_fails(__builtin_return_address(0))) return NULL;
  return __libc_calloc(count, size);
}
void *realloc(void *old, size_t size) {
  if (allocation_fails(__builtin_return_address(0))) return NULL;
  return __libc_realloc(old, size);
}
