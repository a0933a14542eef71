#include "definitions/parse.hpp"
#include "tests/fuzz/targets.hpp"

namespace botburrow::fuzz {

// What stands before a line of three equal signs is config.yaml, the rest is system-prompt.md.
void definition(std::string_view bytes) {
  const auto cut = bytes.find("\n===\n");
  const definitions::DefinitionText text{
      .config = std::string(bytes.substr(0, cut)),
      .prompt = std::string(cut == std::string_view::npos ? "" : bytes.substr(cut + 5))};
  for (const bool strict : {false, true}) {
    const auto parsed = definitions::parse_definition(
        text, {.strict = strict, .missing_is_error = strict, .api_key_env_allow = {"MY_KEY"}});
    require(parsed.definition.has_value() != definitions::has_errors(parsed.problems),
            "usable is what has no errors");
    for (const auto& problem : parsed.problems)
      require(!problem.message.empty() && to_text(problem).find('\n') == std::string::npos,
              "a problem is one line of words");
  }
}

}  // namespace botburrow::fuzz
