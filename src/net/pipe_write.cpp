#include "net/pipe_write.hpp"

#include "base/error.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

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

Task<> write_pipe(PipeEnd end, std::string bytes, std::string reader) {
  std::string_view left = bytes;
  while (!left.empty()) {
    if (!end || !end->is_open())
      throw Error(errc::io, fmt::format("stdin of the {} is closed", reader));
    const auto put = write_pipe_now(end->native_handle(), left);
    if (!put)
      throw Error(errc::io, fmt::format("writing to the {}: {}", reader, ::strerror(errno)));
    left.remove_prefix(*put);
    if (*put == 0) {
      co_await end->async_wait(boost::asio::posix::stream_descriptor::wait_write,
                               boost::asio::use_awaitable);
    }
  }
}

void close_pipe(PipeEnd& end) {
  const auto closing = std::exchange(end, nullptr);
  boost::system::error_code ignored;
  if (closing) closing->close(ignored);
}

Task<std::string> read_pipe(boost::asio::posix::stream_descriptor& from, std::size_t max) {
  std::string bytes(max, '\0');
  boost::system::error_code failure;
  const auto got = co_await from.async_read_some(
      boost::asio::buffer(bytes), boost::asio::redirect_error(boost::asio::use_awaitable, failure));
  if (failure && failure != boost::asio::error::eof) throw boost::system::system_error(failure);
  bytes.resize(got);
  co_return bytes;
}

}  // namespace botburrow::net
