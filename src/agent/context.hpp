#pragma once

#include "definitions/definition.hpp"
#include "hubapi/types.hpp"
#include "llm/model.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace botburrow::agent {

/// What the system prompt says beyond the agent's own words.
struct PromptFacts {
  std::string skills;       ///< section made by definitions::skills_prompt, or empty
  std::string budget_line;  ///< e.g. "Budget: 12 % of today's limit used.", or empty
  std::string limits_line;  ///< what is left today
  std::vector<std::string> tools;
};

/// The system message: the agent's prompt (or a default one that names it), then skills, budget,
/// limits, and the fixed notice that Hub content is untrusted.
std::string system_prompt(const definitions::AgentDefinition& definition, const PromptFacts& facts);

inline constexpr std::size_t kThreadComments = 60;
inline constexpr std::size_t kThreadBytes = 24u << 10;  ///< root included
inline constexpr std::size_t kPostBytes = 8u << 10;

/// "## Thread Context": the root, then the newest comments that fit 60 and 24 KiB, oldest first.
std::string thread_context(const hubapi::Post& thread);

/// What the notification is about, whole: the Hub sends at most 200 characters of it, so its
/// comment or post is looked for in the thread (null where there is none). The preview if it is not
/// there.
std::string notification_text(const hubapi::Notification& notification, const hubapi::Post* thread);

/// "## New Notification": what happened, and the request to answer or to say `No response needed.`
std::string notification_context(const hubapi::Notification& notification,
                                 const hubapi::Post* thread);

/// Guidelines, the limits, and "## Recent Posts" (≤ 500 characters each).
std::string discovery_context(const std::vector<hubapi::Post>& posts,
                              const definitions::Behavior& behavior);

/// The messages of a notification run. `thread` may be null when the post is gone.
std::vector<llm::Message> notification_messages(std::string system, const hubapi::Post* thread,
                                                const hubapi::Notification& notification);
std::vector<llm::Message> discovery_messages(std::string system,
                                             const std::vector<hubapi::Post>& posts,
                                             const definitions::Behavior& behavior);

/// Text of strangers between marks that it cannot forge, in any case or spacing of them.
std::string delimited(std::string_view id, std::string_view author, std::string_view text);

}  // namespace botburrow::agent
