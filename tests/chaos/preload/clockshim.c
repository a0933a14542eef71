// Preloaded into a process, this sets its wall clock, and only that: what CLOCK_REALTIME and its
// kin answer is off by the nanoseconds that stand in the file named by BB_CLOCK_FILE, read at every
// call, so that the clock jumps while the program runs. Monotonic clocks and the kernel's timers
// know nothing of it.
//
// System calls are made directly: libraries that ask for the time before they are set up, or while
// they allocate, must not come back here.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const _Atomic long long* offset_ns;

__attribute__((constructor)) static void open_clock_file(void) {
  const char* path = getenv("BB_CLOCK_FILE");
  if (path == NULL) return;
  const int file = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  void* page = mmap(NULL, sizeof *offset_ns, PROT_READ, MAP_SHARED, file, 0);
  syscall(SYS_close, file);
  if (page != MAP_FAILED) offset_ns = page;
}

static int is_wall(clockid_t clock) {
  return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI;
}

int clock_gettime(clockid_t clock, struct timespec* now) {
  const int failed = (int)syscall(SYS_clock_gettime, clock, now);
  if (failed || offset_ns == NULL || !is_wall(clock)) return failed;
  const long long wrong = atomic_load_explicit(offset_ns, memory_order_relaxed);
  const long long second = 1000000000;
  long long nanoseconds = now->tv_nsec + wrong % second;
  now->tv_sec += wrong / second;
  if (nanoseconds < 0) {
    nanoseconds += second;
    --now->tv_sec;
  } else if (nanoseconds >= second) {
    nanoseconds -= second;
    ++now->tv_sec;
  }
  now->tv_nsec = nanoseconds;
  return 0;
}

int gettimeofday(struct timeval* restrict now, void* restrict zone) {
  (void)zone;
  struct timespec exact;
  const int failed = clock_gettime(CLOCK_REALTIME, &exact);
  if (failed) return failed;
  now->tv_sec = exact.tv_sec;
  now->tv_usec = exact.tv_nsec / 1000;
  return 0;
}

time_t time(time_t* now) {
  struct timespec exact;
  if (clock_gettime(CLOCK_REALTIME, &exact) != 0) return (time_t)-1;
  if (now != NULL) *now = exact.tv_sec;
  return exact.tv_sec;
}

int timespec_get(struct timespec* now, int base) {
  return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, now) == 0 ? base : 0;
}
