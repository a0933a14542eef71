#include "net/page_origin.hpp"

#include <gtest/gtest.h>

namespace botburrow::net {
namespace {

ServerRequest asked(HttpHeaders headers) {
  ServerRequest request;
  request.headers = std::move(headers);
  request.peer_is_loopback = true;
  return request;
}

TEST(PageOrigin, ProgramsAndTheServicesOwnPageAreNotForeign) {
  EXPECT_FALSE(is_from_foreign_page(asked({{"host", "127.0.0.1:9090"}})));
  EXPECT_FALSE(is_from_foreign_page(
      asked({{"host", "Hub.example:8000"}, {"origin", "https://hub.example:8000"}})));
  EXPECT_FALSE(
      is_from_foreign_page(asked({{"host", "hub.example"}, {"sec-fetch-site", "same-origin"}})));
  EXPECT_FALSE(is_from_foreign_page(asked({{"host", "hub.example"}, {"sec-fetch-site", "none"}})));
}

TEST(PageOrigin, OtherPagesAre) {
  EXPECT_TRUE(
      is_from_foreign_page(asked({{"host", "127.0.0.1:9090"}, {"origin", "http://evil.example"}})));
  EXPECT_TRUE(is_from_foreign_page(asked({{"host", "127.0.0.1:9090"}, {"origin", "null"}})));
  // An image of a foreign page has no Origin.
  EXPECT_TRUE(
      is_from_foreign_page(asked({{"host", "127.0.0.1:9090"}, {"sec-fetch-site", "cross-site"}})));
}

TEST(PageOrigin, WhoeverComesThroughAProxyIsNotOfThisMachine) {
  EXPECT_TRUE(is_from_this_machine(asked({{"host", "x"}})));
  EXPECT_FALSE(is_from_this_machine(asked({{"host", "x"}, {"x-forwarded-for", "203.0.113.7"}})));
}

}  // namespace
}  // namespace botburrow::net
