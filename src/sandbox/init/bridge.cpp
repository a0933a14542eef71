#include "sandbox/init/bridge.hpp"

#include "sandbox/init/keep.hpp"
#include "sandbox/init/protocol.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>

namespace botburrow::sandbox::init {

int open_bridge(int port) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener < 0) return -1;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
      ::listen(listener, 64) == 0)
    return listener;
  ::close(listener);
  return -1;
}

int port_of(int listener) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  if (::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  return ntohs(address.sin_port);
}

void pass_connection_on(int listener, Keeper* keeper) {
  sockaddr_in peer{};
  socklen_t peer_size = sizeof peer;
  const int connection = ::accept4(listener, reinterpret_cast<sockaddr*>(&peer), &peer_size,
                                   SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (connection < 0) return;
  // Without a network of our own anybody on this machine can come here.
  if (keeper && !keeper->made_by_us(ntohs(peer.sin_port))) {
    ::close(connection);
    return;
  }
  char byte = 'c';
  iovec part{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr head{};
  head.msg_iov = &part;
  head.msg_iovlen = 1;
  head.msg_control = control;
  head.msg_controllen = sizeof control;
  cmsghdr* const rights = CMSG_FIRSTHDR(&head);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(rights), &connection, sizeof(int));
  // A runner that does not take them is not waited for: the connection then just closes.
  [[maybe_unused]] const auto sent = ::sendmsg(wire::kBridgeFd, &head, MSG_NOSIGNAL | MSG_DONTWAIT);
  ::close(connection);
}

}  // namespace botburrow::sandbox::init
