// A fault-injecting layer: loaded by LD_PRELOAD in front of the C library, it makes calls fail on demand as no healthy
// machine does. TINTYPE_FAULT_PAGE names the file that holds a struct fault_page; TINTYPE_FAULT_ROOT limits the faults of
// files to those below one directory. Without the first it does nothing.
#define _GNU_SOURCE
#include "faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static struct fault_page *page;
static char root[4096];
static size_t root_length;
static _Atomic uint32_t calls;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void start(void) {
  const char *path = getenv("TINTYPE_FAULT_PAGE");
  if (path == NULL) return;
  int file = open(path, O_RDWR | O_CLOEXEC);
  if (file < 0) {
    fprintf(stderr, "faults: cannot open %s: %s\n", path, strerror(errno));
    _exit(125);
  }
  void *mapped = mmap(NULL, sizeof(struct fault_page), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (mapped == MAP_FAILED) _exit(125);
  const char *below = getenv("TINTYPE_FAULT_ROOT");
  if (below != NULL && realpath(below, root) != NULL) root_length = strlen(root);
  page = mapped;
}

// Whether the descriptor is the root or lies below it.
static int concerns(int file) {
  if (root_length == 0) return 0;
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < (ssize_t)root_length || memcmp(path, root, root_length) != 0) return 0;
  return length == (ssize_t)root_length || path[root_length] == '/';
}

static int turn(void) {
  uint32_t every = page->one_in > 1 ? (uint32_t)page->one_in : 1;
  if (atomic_fetch_add(&calls, 1) % every != 0) return 0;
  __atomic_fetch_add(&page->injected, 1, __ATOMIC_RELAXED);
  return 1;
}

// True with errno set when this call is to fail.
static int fails(int32_t code, int file) {
  if (code == 0 || !concerns(file) || !turn()) return 0;
  errno = code;
  return 1;
}

// The program has come to a point. What is raised there takes effect before this returns, SIGSTOP included.
static void reach(enum fault_point point) {
  if (page == NULL) return;
  int expected = (int)point;
  if (__atomic_compare_exchange_n(&page->raise_at, &expected, 0, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
    kill(getpid(), page->raise_signal);
  }
}

ssize_t write(int file, const void *bytes, size_t count) {
  static __typeof__(&write) real;
  if (real == NULL) real = REAL(write);
  if (page != NULL) {
    if (fails(page->write_errno, file)) return -1;
    if (page->short_write > 0 && count > (size_t)page->short_write && concerns(file) && turn()) {
      count = (size_t)page->short_write;
    }
    if (page->raise_at != 0 && concerns(file)) {
      reach(before_write);
      ssize_t written = real(file, bytes, count);
      reach(after_write);
      return written;
    }
  }
  return real(file, bytes, count);
}

int fsync(int file) {
  static __typeof__(&fsync) real;
  if (real == NULL) real = REAL(fsync);
  if (page == NULL || !concerns(file)) return real(file);
  if (fails(page->fsync_errno, file)) return -1;
  reach(before_fsync);
  int result = real(file);
  reach(after_fsync);
  return result;
}

int renameat(int from, const char *name, int to, const char *new_name) {
  static __typeof__(&renameat) real;
  if (real == NULL) real = REAL(renameat);
  if (page == NULL || !concerns(to)) return real(from, name, to, new_name);
  if (fails(page->rename_errno, to)) return -1;
  reach(before_rename);
  int result = real(from, name, to, new_name);
  reach(after_rename);
  return result;
}

int linkat(int from, const char *name, int to, const char *new_name, int flags) {
  static __typeof__(&linkat) real;
  if (real == NULL) real = REAL(linkat);
  if (page == NULL || !concerns(to)) return real(from, name, to, new_name, flags);
  if (fails(page->rename_errno, to)) return -1;
  reach(before_rename);
  int result = real(from, name, to, new_name, flags);
  reach(after_rename);
  return result;
}

int mkdirat(int directory, const char *name, mode_t mode) {
  static __typeof__(&mkdirat) real;
  if (real == NULL) real = REAL(mkdirat);
  if (page != NULL && page->create_errno != 0) {
    struct stat status;
    // What is there already is reported first, also by a file system that went read-only.
    if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
      errno = EEXIST;
      return -1;
    }
    if (fails(page->create_errno, directory)) return -1;
  }
  return real(directory, name, mode);
}

int unlinkat(int directory, const char *name, int flags) {
  static __typeof__(&unlinkat) real;
  if (real == NULL) real = REAL(unlinkat);
  if (page == NULL || !concerns(directory)) return real(directory, name, flags);
  if (fails(page->unlink_errno, directory)) return -1;
  reach(before_unlink);
  return real(directory, name, flags);
}

ssize_t send(int file, const void *bytes, size_t count, int flags) {
  static __typeof__(&send) real;
  if (real == NULL) real = REAL(send);
  reach(before_send);
  ssize_t sent = real(file, bytes, count, flags);
  reach(after_send);
  return sent;
}

static int open_faulty(__typeof__(&openat) real, int directory, const char *name, int flags, mode_t mode) {
  if (page != NULL && (flags & (O_WRONLY | O_RDWR | O_CREAT)) != 0 && fails(page->create_errno, directory)) return -1;
  return real(directory, name, flags, mode);
}

int openat(int directory, const char *name, int flags, ...) {
  static __typeof__(&openat) real;
  if (real == NULL) real = REAL(openat);
  va_list rest;
  va_start(rest, flags);
  mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return open_faulty(real, directory, name, flags, mode);
}

int openat64(int directory, const char *name, int flags, ...) {
  static __typeof__(&openat) real;
  if (real == NULL) real = REAL(openat64);
  va_list rest;
  va_start(rest, flags);
  mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return open_faulty(real, directory, name, flags, mode);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  static __typeof__(&clock_gettime) real;
  if (real == NULL) real = REAL(clock_gettime);
  int result = real(clock, now);
  if (result != 0 || page == NULL) return result;
  int64_t offset = 0;
  if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) offset = __atomic_load_n(&page->clock_offset_ns, __ATOMIC_RELAXED);
  if (clock == CLOCK_BOOTTIME) offset = __atomic_load_n(&page->slept_ns, __ATOMIC_RELAXED);
  int64_t nanoseconds = now->tv_nsec + offset;
  int64_t seconds = nanoseconds / 1000000000;
  nanoseconds %= 1000000000;
  if (nanoseconds < 0) {
    nanoseconds += 1000000000;
    seconds -= 1;
  }
  now->tv_sec += seconds;
  now->tv_nsec = nanoseconds;
  return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  (void)zone;
  struct timespec exact;
  if (clock_gettime(CLOCK_REALTIME, &exact) != 0) return -1;
  now->tv_sec = exact.tv_sec;
  now->tv_usec = exact.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *now) {
  struct timespec exact;
  if (clock_gettime(CLOCK_REALTIME, &exact) != 0) return (time_t)-1;
  if (now != NULL) *now = exact.tv_sec;
  return exact.tv_sec;
}
