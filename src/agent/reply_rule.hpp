#pragma once

#include <string>
#include <string_view>

namespace botburrow::agent {

/// True for an empty answer and for the skip markers, as whole text or first line, in any case:
/// `SKIP`, `No response needed`, `No response needed.`, `Nothing to engage with right now.`
bool is_skip_answer(std::string_view text);

/// The answer as it is posted: outer white space trimmed, valid UTF-8, at most the Hub's 10,000
/// characters (cut at 9,900 bytes with a note that says so).
std::string as_comment(std::string_view text);

}  // namespace botburrow::agent
