#include "net/curl_multi.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <chrono>
#include <new>
#include <utility>

namespace botburrow::net {

namespace asio = boost::asio;
using Descriptor = asio::posix::stream_descriptor;

/// One socket of libcurl's. The descriptor only waits: libcurl owns the file descriptor.
struct CurlMulti::Watch {
  Watch(const asio::any_io_executor& executor, curl_socket_t socket)
      : descriptor(executor, socket), fd(socket) {}
  ~Watch() {
    if (descriptor.is_open()) descriptor.release();
  }
  Descriptor descriptor;
  curl_socket_t fd;
  int wanted = CURL_POLL_NONE;
  bool reading = false;
  bool writing = false;
  bool alive = true;
};

namespace {

void init_curl_once() {
  static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (code != CURLE_OK) throw std::bad_alloc();
}

}  // namespace

CurlMulti::CurlMulti(asio::any_io_executor executor, Done on_done)
    : executor_(std::move(executor)), timer_(executor_), on_done_(std::move(on_done)) {
  init_curl_once();
  multi_ = curl_multi_init();
  if (multi_ == nullptr) throw std::bad_alloc();
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &CurlMulti::on_socket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &CurlMulti::on_timer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
}

CurlMulti::~CurlMulti() {
  // Closing connections calls back; nothing may be waited for any more.
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, nullptr);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, nullptr);
  for (auto& [fd, watch] : watches_) {
    watch->alive = false;
    watch->descriptor.release();
  }
  watches_.clear();
  curl_multi_cleanup(multi_);
}

CURLMcode CurlMulti::add(CURL* easy) {
  return curl_multi_add_handle(multi_, easy);
}

void CurlMulti::remove(CURL* easy) {
  curl_multi_remove_handle(multi_, easy);
}

void CurlMulti::keep_connections(long count) {
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, count);
}

int CurlMulti::on_socket(CURL*, curl_socket_t fd, int what, void* self, void* watch) {
  static_cast<CurlMulti*>(self)->watch_socket(fd, what, static_cast<Watch*>(watch));
  return 0;
}

int CurlMulti::on_timer(CURLM*, long timeout_ms, void* self) {
  auto& multi = *static_cast<CurlMulti*>(self);
  if (timeout_ms < 0) {
    multi.timer_.cancel();
    return 0;
  }
  multi.timer_.expires_after(std::chrono::milliseconds(timeout_ms));
  multi.timer_.async_wait([weak = multi.weak_from_this()](boost::system::error_code error) {
    const auto alive = weak.lock();
    if (!error && alive) alive->act(CURL_SOCKET_TIMEOUT, 0);
  });
  return 0;
}

void CurlMulti::watch_socket(curl_socket_t fd, int what, Watch* known) {
  if (what == CURL_POLL_REMOVE) {
    const auto found = watches_.find(fd);
    if (found == watches_.end()) return;
    found->second->alive = false;
    // libcurl closes the socket itself or keeps it for reuse.
    found->second->descriptor.release();
    watches_.erase(found);
    curl_multi_assign(multi_, fd, nullptr);
    return;
  }
  if (known == nullptr) {
    auto& watch = watches_[fd];
    watch = std::make_shared<Watch>(executor_, fd);
    curl_multi_assign(multi_, fd, watch.get());
  }
  const auto& watch = watches_.at(fd);
  watch->wanted = what;
  wait_for(watch);
}

void CurlMulti::wait_for(const std::shared_ptr<Watch>& watch) {
  const auto wait = [&](bool Watch::* waiting, Descriptor::wait_type type, int poll, int select) {
    if ((watch->wanted & poll) == 0 || (*watch).*waiting) return;
    (*watch).*waiting = true;
    watch->descriptor.async_wait(type, [weak = weak_from_this(), watch, waiting, poll,
                                        select](boost::system::error_code error) {
      (*watch).*waiting = false;
      const auto self = weak.lock();
      if (!self || !watch->alive || error == asio::error::operation_aborted) return;
      if ((watch->wanted & poll) == 0) return;
      self->socket_ready(watch, error ? CURL_CSELECT_ERR : select);
    });
  };
  wait(&Watch::reading, Descriptor::wait_read, CURL_POLL_IN, CURL_CSELECT_IN);
  wait(&Watch::writing, Descriptor::wait_write, CURL_POLL_OUT, CURL_CSELECT_OUT);
}

void CurlMulti::socket_ready(const std::shared_ptr<Watch>& watch, int events) {
  act(watch->fd, events);
  if (watch->alive) wait_for(watch);
}

void CurlMulti::act(curl_socket_t fd, int events) {
  int running = 0;
  curl_multi_socket_action(multi_, fd, events, &running);
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg == CURLMSG_DONE) on_done_(message->easy_handle, message->data.result);
  }
}

}  // namespace botburrow::net
