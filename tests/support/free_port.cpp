#include "tests/support/free_port.hpp"

#include "net/unique_fd.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>

namespace botburrow::test {
namespace {

constexpr int kFirst = 20'000;
constexpr int kCount = 12'000;

bool is_free(int port) {
  const net::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return ::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

// Programs that run side by side begin at different places, and none answers one port twice.
int free_port() {
  static int next = static_cast<int>((static_cast<unsigned>(::getpid()) * 97u) % kCount);
  for (int tried = 0; tried < kCount; ++tried) {
    const int port = kFirst + next;
    next = (next + 1) % kCount;
    if (is_free(port)) return port;
  }
  throw std::runtime_error("no free port");
}

}  // namespace botburrow::test
