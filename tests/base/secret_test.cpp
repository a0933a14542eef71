#include "base/secret.hpp"

#include "base/log.hpp"

#include <fmt/format.h>
#include <fmt/ostream.h>
#include <gtest/gtest.h>

#include <ostream>
#include <type_traits>

namespace botburrow {
namespace {

template <class T>
concept Streamable = requires(std::ostream& out, const T& value) { out << value; };

// The ways a value gets into a line by accident.
static_assert(!fmt::is_formattable<Secret>::value);
static_assert(!Streamable<Secret>);
static_assert(!std::is_convertible_v<Secret, std::string>);
static_assert(!std::is_convertible_v<Secret, std::string_view>);
static_assert(!std::is_constructible_v<LogField, const char*, Secret>);
static_assert(!std::is_convertible_v<std::string, Secret>);
// The checks themselves can fail.
static_assert(fmt::is_formattable<std::string>::value && Streamable<std::string>);
static_assert(std::is_constructible_v<LogField, const char*, std::string>);

TEST(Secret, ShowsOnlyItsLength) {
  EXPECT_EQ(Secret("hunter2").masked(), "set (len 7)");
  EXPECT_EQ(Secret().masked(), "unset");
  EXPECT_TRUE(Secret("").empty());
}

TEST(Secret, IsRevealedOnRequest) {
  EXPECT_EQ(Secret("hunter2").reveal(), "hunter2");
  EXPECT_TRUE(Secret("a") == Secret("a"));
  EXPECT_FALSE(Secret("a") == Secret("b"));
}

}  // namespace
}  // namespace botburrow
