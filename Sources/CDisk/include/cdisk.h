#ifndef GROUNDWELL_CDISK_H
#define GROUNDWELL_CDISK_H

// Has the disk begin to take the written bytes of a range of a file, and does not wait for it
// (sync_file_range(2)). 0 or -errno.
int gw_start_writing(int file, long long offset, long long count);

#endif
