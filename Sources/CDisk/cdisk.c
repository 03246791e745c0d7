#define _GNU_SOURCE
#include "cdisk.h"

#include <errno.h>
#include <fcntl.h>

int gw_start_writing(int file, long long offset, long long count) {
  return sync_file_range(file, offset, count, SYNC_FILE_RANGE_WRITE) < 0 ? -errno : 0;
}
