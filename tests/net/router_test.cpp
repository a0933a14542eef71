#include "net/router.hpp"

#include "base/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace botburrow::net {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

TEST(Router, LiteralsWinOverNamesAndNamesOverTheRest) {
  Router router;
  router.add("GET", "/posts/:id", 0);
  router.add("GET", "/posts/search", 1);
  router.add("GET", "/*rest", 2);
  EXPECT_EQ(router.find("GET", "/posts/search").route, 1u);
  EXPECT_EQ(router.find("GET", "/posts/7").route, 0u);
  EXPECT_EQ(router.find("GET", "/posts/7/x").route, 2u);
}

TEST(Router, ADeadEndOfLiteralsIsLeftAgain) {
  Router router;
  router.add("GET", "/a/b/c", 0);
  router.add("GET", "/a/:x/d", 1);
  const auto match = router.find("GET", "/a/b/d");
  EXPECT_EQ(match.route, 1u);
  EXPECT_THAT(match.params, ElementsAre(Pair("x", "b")));
}

TEST(Router, PartsAreDecodedAfterSplitting) {
  Router router;
  router.add("GET", "/files/:name", 0);
  EXPECT_THAT(router.find("GET", "/files/a%2Fb%20c+d").params,
              ElementsAre(Pair("name", "a/b c+d")));
  EXPECT_FALSE(router.find("GET", "/files/%zz").route);
  EXPECT_FALSE(router.find("GET", "/files/%00").route);
}

TEST(Router, NamesTakeOneNonEmptyPart) {
  Router router;
  router.add("GET", "/x/:id", 0);
  EXPECT_FALSE(router.find("GET", "/x/").route);
  EXPECT_FALSE(router.find("GET", "/x").route);
  EXPECT_FALSE(router.find("GET", "/x/1/").route);
  EXPECT_FALSE(router.find("GET", "//x/1").route);
}

TEST(Router, EachRouteKeepsItsOwnNames) {
  Router router;
  router.add("GET", "/p/:id", 0);
  router.add("POST", "/p/:name", 1);
  EXPECT_THAT(router.find("POST", "/p/1").params, ElementsAre(Pair("name", "1")));
  EXPECT_THAT(router.find("GET", "/p/1").params, ElementsAre(Pair("id", "1")));
}

TEST(Router, AnotherMethodOfAKnownPathIsTold) {
  Router router;
  router.add("GET", "/p/:id", 0);
  router.add("DELETE", "/p/:id", 1);
  router.add("POST", "/p/search", 2);
  const auto match = router.find("PUT", "/p/search");
  EXPECT_FALSE(match.route);
  EXPECT_THAT(match.allowed, ElementsAre("DELETE", "GET", "HEAD", "POST"));
  EXPECT_EQ(router.find("GET", "/p/search").route, 0u);
  EXPECT_THAT(router.find("PUT", "/q").allowed, IsEmpty());
}

TEST(Router, HeadFindsGetUnlessThereIsAHead) {
  Router router;
  router.add("GET", "/a", 0);
  router.add("GET", "/b", 1);
  router.add("HEAD", "/b", 2);
  EXPECT_EQ(router.find("HEAD", "/a").route, 0u);
  EXPECT_EQ(router.find("HEAD", "/b").route, 2u);
}

TEST(Router, RestTakesAllThatFollows) {
  Router router;
  router.add("GET", "/console/*file", 0);
  EXPECT_THAT(router.find("GET", "/console/css/a.css").params,
              ElementsAre(Pair("file", "css/a.css")));
  EXPECT_THAT(router.find("GET", "/console/").params, ElementsAre(Pair("file", "")));
  EXPECT_FALSE(router.find("GET", "/console").route);
}

TEST(Router, BrokenAndRepeatedTemplatesAreRefused) {
  Router router;
  router.add("GET", "/a/:x", 0);
  EXPECT_THROW(router.add("GET", "/a/:y", 1), Error);
  EXPECT_THROW(router.add("GET", "a", 1), Error);
  EXPECT_THROW(router.add("GET", "", 1), Error);
  EXPECT_THROW(router.add("GET", "/*rest/b", 1), Error);
}

TEST(Router, VeryDeepPathsAreUnknown) {
  Router router;
  router.add("GET", "/*rest", 0);
  std::string deep;
  for (int i = 0; i < 100; ++i)
    deep += "/a";
  EXPECT_FALSE(router.find("GET", deep).route);
}

}  // namespace
}  // namespace botburrow::net
