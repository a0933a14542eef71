#pragma once

#include "base/error.hpp"
#include "hubapi/client.hpp"

#include <boost/json/value.hpp>

#include <cstddef>
#include <string>

// What the client's methods make of an answer. Internal to this room.
namespace botburrow::hubapi {

inline bool is_fine(int status) {
  return status >= 200 && status <= 299;
}
/// A Hub that does not offer the call.
inline bool is_unknown_call(int status) {
  return status == 404 || status == 405 || status == 501;
}
/// The words of a problem body, bounded; empty where there are none.
std::string problem_text(const boost::json::value& body);
/// What an answer outside 2xx is as an Error; see HubClient.
Error status_error(const HubRequest& request, const HubAnswer& answer);

/// Where a list goes on: by the Hub's cursor, or by counting.
struct NextPage {
  bool more = false;
  std::string cursor;
  std::size_t seen = 0;

  /// An answer with `count` elements was read.
  void after(const boost::json::value& answer, std::size_t count);
  Query added_to(Query query) const;
};

}  // namespace botburrow::hubapi
