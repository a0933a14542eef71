// syscall_killer FILE PROGRAM [ARGUMENTS]: runs a program and kills it at one of its system calls.
//
// FILE is mapped by both sides and holds three counters: `armed` (the other side sets it to 1 when
// counting shall begin), `left` (stops to go; the program is killed where it reaches 0), `seen`
// (stops counted). Every call stops twice: before the kernel carries it out, and after.
// A SIGTERM goes on to the program; the exit code is the program's, or 128 + its signal. The
// program dies with this process.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

struct counters {
  _Atomic long long armed, left, seen;
};

static pid_t child;

static void pass_on(int number) { kill(child, number); }

static struct counters* map_counters(const char* path) {
  const int file = open(path, O_RDWR | O_CLOEXEC);
  if (file < 0) return NULL;
  void* page = mmap(NULL, sizeof(struct counters), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  return page == MAP_FAILED ? NULL : page;
}

static void become(char** words) {
  if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) _exit(126);
  raise(SIGSTOP);  // until the options are set
  execvp(words[0], words);
  _exit(127);
}

static void count_stop(struct counters* counters) {
  if (!atomic_load(&counters->armed)) return;
  atomic_fetch_add(&counters->seen, 1);
  if (atomic_fetch_sub(&counters->left, 1) == 1) kill(child, SIGKILL);
}

// What a stopped thread is to be given when it goes on.
static int signal_of(int status, struct counters* counters) {
  const int number = WSTOPSIG(status);
  if (number == (SIGTRAP | 0x80)) {
    count_stop(counters);
    return 0;
  }
  const int event = status >> 16;
  if (event != 0) return 0;  // a clone or an exec: no signal
  // A new thread begins with a stop of its own.
  return number == SIGSTOP || number == SIGTRAP ? 0 : number;
}

static int watch(struct counters* counters) {
  for (;;) {
    int status = 0;
    const pid_t thread = waitpid(-1, &status, __WALL);
    if (thread < 0 && errno == EINTR) continue;
    if (thread < 0) return 70;
    if (WIFEXITED(status) || WIFSIGNALED(status)) {
      if (thread != child) continue;
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    if (!WIFSTOPPED(status)) continue;
    // A thread that was killed meanwhile is gone; its end is told next.
    ptrace(PTRACE_SYSCALL, thread, NULL, (void*)(long)signal_of(status, counters));
  }
}

int main(int count, char** words) {
  if (count < 3) {
    fprintf(stderr, "usage: syscall_killer FILE PROGRAM [ARGUMENTS]\n");
    return 64;
  }
  struct counters* counters = map_counters(words[1]);
  if (counters == NULL) {
    perror(words[1]);
    return 66;
  }
  child = fork();
  if (child < 0) return 71;
  if (child == 0) become(words + 2);
  signal(SIGTERM, pass_on);
  signal(SIGINT, pass_on);
  int status = 0;
  if (waitpid(child, &status, __WALL) != child || !WIFSTOPPED(status)) {
    fprintf(stderr, "syscall_killer: the program could not be traced\n");
    return 71;
  }
  ptrace(PTRACE_SETOPTIONS, child, NULL,
         (void*)(long)(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL));
  ptrace(PTRACE_SYSCALL, child, NULL, NULL);
  return watch(counters);
}
