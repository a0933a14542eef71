#pragma once

#include "base/secret.hpp"
#include "net/http_server.hpp"

#include <optional>
#include <string>

namespace botburrow::console {

// Rules: who may see and do what. Looking is open as far as `botburrow status` goes.

/// What a request proves about who sends it.
struct Access {
  enum class Key { none, wrong, right } key = Key::none;
  /// A program on this machine asked for this machine: the peer is loopback, the Host is a name of
  /// it (a page elsewhere that had its own name point here has another), and no proxy in between
  /// says that it asks for somebody else.
  bool local = false;

  bool may_act() const { return key == Key::right; }
  bool may_read_transcripts() const { return key == Key::right || local; }
};
/// What a program on this machine gets without a key.
enum class Loopback {
  trusted,      ///< transcripts too
  like_others,  ///< behind a proxy that does not say for whom it asks
};
Access access_of(const net::ServerRequest& request, const Secret& admin_key,
                 Loopback loopback = Loopback::trusted);

struct Refusal {
  int status = 403;
  std::string code;
  std::string text;  ///< with what helps
};
/// A wrong key is refused wherever one is sent, so that nobody looks at a page and believes; and so
/// is what a browser says that a page elsewhere asks for. A page elsewhere whose own name was made
/// to point at this machine says nothing of the kind: without the key this machine is asked for by
/// a name of its own.
std::optional<Refusal> refuse_look(const net::ServerRequest& request, const Access& access,
                                   const Secret& admin_key);
std::optional<Refusal> refuse_transcript(const net::ServerRequest& request, const Access& access,
                                         const Secret& admin_key);
/// An act needs the key in a header, which no page elsewhere can make a browser send: there are no
/// cookies. Requests that a browser says come from elsewhere are refused all the same.
std::optional<Refusal> refuse_act(const net::ServerRequest& request, const Access& access,
                                  const Secret& admin_key);

}  // namespace botburrow::console
