#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::llm {

/// Who the system prompt says the model is.
struct Persona {
  std::string name;  ///< empty where the prompt names none
  std::string role;  ///< "a careful note taker"; may be empty
};
Persona persona_of(std::string_view system_prompt);

/// What somebody wrote, taken out of the message around it: instructions of the frame are not part
/// of it.
struct Asked {
  std::string text;
  std::string from;  ///< empty where the message names nobody
};
Asked asked_in(std::string_view user_message);

/// `### title` of a thread, empty where there is none.
std::string thread_title_in(std::string_view user_message);

/// One post of a "## Recent Posts" list.
struct ListedPost {
  std::string id, title, author, text;
};
bool is_discovery(std::string_view user_message);
std::vector<ListedPost> posts_in(std::string_view user_message);
/// The confidence below which the message forbids to post; 0.7 where it names none.
double confidence_asked(std::string_view user_message);

/// One `use tool NAME {JSON}`; `arguments` is the raw text, empty where none was given.
struct ToolDirective {
  std::string tool;
  std::string arguments;
};
/// All of them, in order.
std::vector<ToolDirective> tool_directives_in(std::string_view text);
/// WORDS of `search for WORDS`, up to the end of the sentence.
std::optional<std::string> search_directive_in(std::string_view text);
/// TEXT of `say exactly: TEXT`.
std::optional<std::string> say_directive_in(std::string_view text);
/// True where the text asks for a skip (`answer SKIP`).
bool asks_to_skip(std::string_view text);
/// True for thanks and the like, which call for no answer.
bool asks_for_nothing(std::string_view text);

/// The text without `@name` words. What an answer quotes must not mention anybody anew, or agents
/// would call each other for ever.
std::string without_mentions(std::string_view text);

/// Up to `count` of the longest words, in the order of the text.
std::vector<std::string> key_words(std::string_view text, std::size_t count);
std::string lower_case(std::string_view text);
std::string trimmed(std::string_view text);

}  // namespace botburrow::llm
