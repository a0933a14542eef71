#include "sandbox/control.hpp"

#include "base/error.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace botburrow::sandbox {
namespace {

constexpr std::size_t kFdsMax = 3;

bool is_tcp(int fd) {
  int kind = 0, family = 0;
  socklen_t size = sizeof kind;
  if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &kind, &size) != 0) return false;
  size = sizeof family;
  if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) != 0) return false;
  return kind == SOCK_STREAM && (family == AF_INET || family == AF_INET6);
}

Got no_bytes(ssize_t got) {
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return Got::nothing;
  return Got::closed;
}

}  // namespace

SocketPair make_socket_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    throw Error(errc::io, fmt::format("sandbox: a pair of sockets: {}", ::strerror(errno)));
  SocketPair pair{net::UniqueFd(ends[0]), net::UniqueFd(ends[1])};
  ::fcntl(pair.ours.get(), F_SETFL, O_NONBLOCK);
  return pair;
}

Sent send_ask(int socket, const wire::Ask& ask, const std::string& texts,
              std::span<const int> fds) {
  wire::Ask head = ask;
  std::array<iovec, 2> parts{
      {{&head, sizeof head}, {const_cast<char*>(texts.data()), texts.size()}}};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kFdsMax * sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = texts.empty() ? 1 : 2;
  if (!fds.empty()) {
    BB_ASSERT(fds.size() <= kFdsMax);
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* const rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(rights), fds.data(), fds.size() * sizeof(int));
  }
  for (;;) {
    if (::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return Sent::yes;
    if (errno == EINTR) continue;
    return errno == EAGAIN || errno == ENOBUFS ? Sent::later : Sent::never;
  }
}

Got receive_tell(int socket, wire::Tell& tell) {
  // With room for one byte more, so that a longer message is seen to be one.
  std::array<char, sizeof(wire::Tell) + 1> bytes;
  const auto got = ::recv(socket, bytes.data(), bytes.size(), MSG_DONTWAIT);
  if (got <= 0) return no_bytes(got);
  if (got != sizeof tell) return Got::closed;
  std::memcpy(&tell, bytes.data(), sizeof tell);
  return Got::message;
}

Got receive_connection(int socket, net::UniqueFd& connection) {
  char byte = 0;
  iovec part{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const auto got = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got <= 0) return no_bytes(got);
  const cmsghdr* const rights = CMSG_FIRSTHDR(&message);
  if (!rights || rights->cmsg_type != SCM_RIGHTS || rights->cmsg_len != CMSG_LEN(sizeof(int)))
    return Got::nothing;
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(rights), sizeof fd);
  connection = net::UniqueFd(fd);
  if (!is_tcp(fd)) connection.reset();
  return connection.get() >= 0 ? Got::message : Got::nothing;
}

}  // namespace botburrow::sandbox
