#include "net/pipe_write.hpp"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

namespace botburrow::net {
namespace {

// A pipe has no MSG_NOSIGNAL. The signal goes to the thread that writes, so it is held back here
// and taken away; the process's handling of it is not ours to change.
class NoSigpipe {
 public:
  NoSigpipe() {
    ::sigemptyset(&sigpipe_);
    ::sigaddset(&sigpipe_, SIGPIPE);
    sigset_t pending;
    ::sigpending(&pending);
    was_pending_ = ::sigismember(&pending, SIGPIPE) == 1;
    if (!was_pending_) ::pthread_sigmask(SIG_BLOCK, &sigpipe_, &before_);
  }
  ~NoSigpipe() {
    if (was_pending_) return;
    const timespec now{};
    while (::sigtimedwait(&sigpipe_, nullptr, &now) < 0 && errno == EINTR) {
    }
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  NoSigpipe(const NoSigpipe&) = delete;
  NoSigpipe& operator=(const NoSigpipe&) = delete;

 private:
  sigset_t sigpipe_{};
  sigset_t before_{};
  bool was_pending_ = false;
};

}  // namespace

std::optional<std::size_t> write_pipe_now(int fd, std::string_view bytes) {
  ssize_t put = 0;
  int failure = 0;
  {
    const NoSigpipe held_back;
    put = ::write(fd, bytes.data(), bytes.size());
    failure = errno;
  }
  if (put >= 0) return static_cast<std::size_t>(put);
  if (failure == EAGAIN || failure == EINTR) return 0;
  errno = failure;
  return {};
}

}  // namespace botburrow::net
