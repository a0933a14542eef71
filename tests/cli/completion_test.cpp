#include "run_program.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

namespace botburrow::cli {
namespace {

using testing::HasSubstr;

class Completion : public testing::TestWithParam<std::string> {};

TEST_P(Completion, NamesEveryCommandAndFlag) {
  const Ran ran = run_program({.arguments = {"completion", GetParam()}});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_EQ(ran.err, "");
  for (const std::string word :
       {"validate", "config", "completion", "hub", "thread", "inbox", "markdown", "community"})
    EXPECT_THAT(ran.out, HasSubstr(word));
}

INSTANTIATE_TEST_SUITE_P(Shells, Completion, testing::Values("bash", "zsh", "fish"));

/// What bash offers after `words`, the last of which is being typed.
std::string bash_offers(const std::string& words) {
  const ScratchFolder folder;
  const Ran script = run_program({.arguments = {"completion", "bash"}});
  folder.write("script", script.out);
  const std::string command =
      "bash --norc --noprofile -c 'source " + folder.path() + "/script; COMP_WORDS=(" + words +
      "); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _botburrow; echo \"${COMPREPLY[*]}\"' > " +
      folder.path() + "/out 2>&1";
  EXPECT_EQ(std::system(command.c_str()), 0);
  std::ifstream file(folder.path() + "/out");
  std::string line;
  std::getline(file, line);
  return line;
}

TEST(BashCompletion, OffersWhatMayFollow) {
  EXPECT_EQ(bash_offers("botburrow val"), "validate");
  EXPECT_EQ(bash_offers("botburrow hub th"), "thread");
  EXPECT_EQ(bash_offers("botburrow config --mark"), "--markdown");
  EXPECT_EQ(bash_offers("botburrow hub post --tit"), "--title");
  EXPECT_EQ(bash_offers("botburrow completion f"), "fish");
  EXPECT_EQ(bash_offers("botburrow nonsense"), "");
}

}  // namespace
}  // namespace botburrow::cli
