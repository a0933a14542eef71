// Every input that a fuzzer once found interesting, or that a defect was found with, in every
// build.
#include "tests/fuzz/targets.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace botburrow::fuzz {
namespace {

namespace fs = std::filesystem;

class FuzzCorpus : public ::testing::TestWithParam<Target> {};

TEST_P(FuzzCorpus, Holds) {
  const auto folder = fs::path(BOTBURROW_SOURCE_DIR) / "tests/fuzz/corpus" / GetParam().name;
  int inputs = 0;
  GetParam().run("");
  for (const auto& entry : fs::directory_iterator(folder)) {
    std::ostringstream text;
    text << std::ifstream(entry.path(), std::ios::binary).rdbuf();
    SCOPED_TRACE(entry.path().filename());
    const auto bytes = text.str();
    GetParam().run(bytes);
    // And broken off anywhere, as streams are.
    for (std::size_t size = 0; size < bytes.size(); size += 1 + bytes.size() / 64)
      GetParam().run(std::string_view(bytes).substr(0, size));
    ++inputs;
  }
  EXPECT_GE(inputs, 3) << folder;
}

INSTANTIATE_TEST_SUITE_P(Targets, FuzzCorpus, ::testing::ValuesIn(kTargets),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace botburrow::fuzz
