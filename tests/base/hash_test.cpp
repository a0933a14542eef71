#include "base/hash.hpp"

#include <gtest/gtest.h>

#include <string>

namespace botburrow {
namespace {

TEST(Hash, AgreesWithPublishedVectors) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha1_hex("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(to_hex(std::string_view("\x00\x7f\xff", 3)), "007fff");
}

TEST(Base64, AgreesWithPublishedVectors) {
  const char* vectors[][2] = {{"", ""},
                              {"f", "Zg=="},
                              {"fo", "Zm8="},
                              {"foo", "Zm9v"},
                              {"foob", "Zm9vYg=="},
                              {"fooba", "Zm9vYmE="},
                              {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : vectors) {
    EXPECT_EQ(base64_encode(plain), encoded);
    EXPECT_EQ(base64_decode(encoded), plain);
  }
}

TEST(Base64, EveryByteComesBack) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) {
    bytes.push_back(static_cast<char>(i));
    EXPECT_EQ(base64_decode(base64_encode(bytes)), bytes);
  }
}

TEST(Base64, WhatNoEncoderWritesIsRefused) {
  for (const char* text :
       {"Z", "Zg", "Zg=", "Zm9", "====", "A===", "Zg=v", "Z=g=", "=Zg=", "Zm9v====", "Zm 9v",
        " Zm9", "Zm9v\n\n\n\n", "Zm9-", "Zm9_", "Zh==", "Zm9=", "Zm9\xff"}) {
    EXPECT_FALSE(base64_decode(text)) << text;
  }
}

TEST(ConstantTimeEquality, IsEquality) {
  EXPECT_TRUE(equal_in_constant_time("", ""));
  EXPECT_TRUE(equal_in_constant_time("key", "key"));
  EXPECT_FALSE(equal_in_constant_time("key", "kez"));
  EXPECT_FALSE(equal_in_constant_time("key", "keys"));
  EXPECT_FALSE(equal_in_constant_time("", "k"));
}

}  // namespace
}  // namespace botburrow
