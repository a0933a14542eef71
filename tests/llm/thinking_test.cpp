#include "llm/thinking.hpp"

#include <gtest/gtest.h>

namespace botburrow::llm {
namespace {

TEST(Thinking, LeadingBlocksAreTakenOff) {
  EXPECT_EQ(without_thinking("<think>a</think>b", false), "b");
  EXPECT_EQ(without_thinking(" \n<think>\na\n</think>\n\nb\n", false), "b\n");
  EXPECT_EQ(without_thinking("<think></think><think>a</think> b", false), "b");
  EXPECT_EQ(without_thinking("<think>a</think>", false), "");
}

TEST(Thinking, ATagThatTheTemplateOpenedIsClosedOnALineOfItsOwn) {
  EXPECT_EQ(without_thinking("thoughts\n</think>\n\nb", false), "b");
  EXPECT_EQ(without_thinking("</think>\nb", false), "b");
  EXPECT_EQ(without_thinking("The tag </think> ends it.", false), "The tag </think> ends it.");
}

TEST(Thinking, TextAboutTheTagsStays) {
  for (const std::string text :
       {"plain", "", "  indented", "R1 writes\n<think>\na\n</think>\nfirst",
        "<think> is a tag of R1."}) {
    EXPECT_EQ(without_thinking(text, false), text);
  }
}

TEST(Thinking, WhatIsCutWithinAThoughtIsNoAnswer) {
  EXPECT_EQ(without_thinking("<think>on and on", true), "");
  EXPECT_EQ(without_thinking("<think>a</think>b", true), "b");
}

}  // namespace
}  // namespace botburrow::llm
