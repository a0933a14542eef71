#pragma once

#include "net/resp.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>

#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace botburrow::net {

/// Speaks for a server: greets as a master does, and answers each command by its first word with
/// the bytes it was given, else +OK. Ends with the io_context.
class FakeRedis {
 public:
  explicit FakeRedis(boost::asio::io_context& ioc)
      : acceptor_(ioc, {boost::asio::ip::make_address("127.0.0.1"), 0}) {
    accept();
  }
  int port() const { return acceptor_.local_endpoint().port(); }
  std::string url() const { return fmt::format("redis://127.0.0.1:{}", port()); }
  std::string host() const { return fmt::format("127.0.0.1:{}", port()); }

  std::map<std::string, std::string> answers = {
      {"INFO", "$20\r\nredis_version:7.0.15\r\n"},
      {"ROLE", "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"},
      {"PING", "+PONG\r\n"},
      {"SETRANGE", ":0\r\n"},
  };
  /// As a sentinel: names that master.
  void name_master(int port) {
    const auto text = std::to_string(port);
    answers["SENTINEL"] = fmt::format("*2\r\n$9\r\n127.0.0.1\r\n${}\r\n{}\r\n", text.size(), text);
  }
  std::map<std::string, int> asked;
  int accepted = 0;

 private:
  struct Peer {
    explicit Peer(boost::asio::ip::tcp::socket s) : socket(std::move(s)) {}
    boost::asio::ip::tcp::socket socket;
    std::array<char, 4096> buffer{};
    RespReader reader{1u << 20};
  };
  void accept() {
    acceptor_.async_accept(
        [this](boost::system::error_code failure, boost::asio::ip::tcp::socket socket) {
          if (failure) return;
          ++accepted;
          read(std::make_shared<Peer>(std::move(socket)));
          accept();
        });
  }
  void read(std::shared_ptr<Peer> peer) {
    peer->socket.async_read_some(boost::asio::buffer(peer->buffer),
                                 [this, peer](boost::system::error_code failure, std::size_t got) {
                                   if (failure) return;
                                   peer->reader.feed({peer->buffer.data(), got});
                                   std::string out;
                                   while (auto* command = peer->reader.next()) {
                                     const auto& word = command->array().front().str();
                                     ++asked[word];
                                     const auto found = answers.find(word);
                                     out += found == answers.end() ? "+OK\r\n" : found->second;
                                   }
                                   boost::system::error_code ignored;
                                   boost::asio::write(peer->socket, boost::asio::buffer(out),
                                                      ignored);
                                   read(peer);
                                 });
  }
  boost::asio::ip::tcp::acceptor acceptor_;
};

}  // namespace botburrow::net
