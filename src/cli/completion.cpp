#include "base/settings.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>

namespace botburrow::cli {
namespace {

struct Word {
  std::string text, help;
  bool takes_value = false;
  std::vector<std::string> choices;
};

/// What may follow a chain of commands such as "hub post".
struct Level {
  std::string path;
  std::vector<Word> commands, flags;
};

std::vector<std::string> choices_of(const std::string& flag) {
  std::vector<std::string> out;
  for (const SettingSpec& spec : settings_table())
    if (spec.flag == flag) out.assign(spec.choices.begin(), spec.choices.end());
  return out;
}

void collect(const CLI::App& app, const std::string& path, std::vector<Level>& levels) {
  const auto every_command = [](const CLI::App*) { return true; };
  const std::size_t at = levels.size();
  levels.push_back({path, {}, {}});
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames())
      levels[at].flags.push_back({"--" + name, option->get_description(),
                                  option->get_items_expected_max() > 0, choices_of("--" + name)});
  for (const CLI::App* command : app.get_subcommands(every_command)) {
    levels[at].commands.push_back({command->get_name(), command->get_description(), false, {}});
    collect(*command, path.empty() ? command->get_name() : path + " " + command->get_name(),
            levels);
  }
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words)
    out += (out.empty() ? "" : " ") + word;
  return out;
}

std::string words_of(const Level& level) {
  std::vector<std::string> words;
  for (const Word& word : level.commands)
    words.push_back(word.text);
  for (const Word& word : level.flags)
    words.push_back(word.text);
  return joined(words);
}

/// Every chain of commands as a pattern for `case`, without the empty one.
std::string known_paths(const std::vector<Level>& levels) {
  std::string out;
  for (const Level& level : levels)
    if (!level.path.empty()) out += fmt::format("{}\"{}\"", out.empty() ? "" : "|", level.path);
  return out;
}

std::string bash_script(const std::vector<Level>& levels) {
  std::string words, values;
  for (const Level& level : levels) {
    words += fmt::format("    \"{}\") words=\"{}\" ;;\n", level.path, words_of(level));
    for (const Word& flag : level.flags)
      if (flag.takes_value)
        values += fmt::format("    \"{}|{}\") words=\"{}\"; value=1 ;;\n", level.path, flag.text,
                              joined(flag.choices));
  }
  return fmt::format(
      R"(# bash completion of botburrow. In ~/.bashrc: source <(botburrow completion bash)
_botburrow() {{
  local cur="${{COMP_WORDS[COMP_CWORD]}}" prev="${{COMP_WORDS[COMP_CWORD-1]}}"
  local chain="" next words="" value="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    next="${{chain:+$chain }}${{COMP_WORDS[i]}}"
    case "$next" in
    {}) chain="$next" ;;
    esac
  done
  case "$chain" in
{}  esac
  case "$chain|$prev" in
{}  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  if [[ -n "$value" && -z "$words" ]]; then COMPREPLY=($(compgen -f -- "$cur")); fi
}}
complete -o bashdefault -o default -F _botburrow botburrow
)",
      known_paths(levels), words, values);
}

/// Inside single quotes of a shell.
std::string shell_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text)
    out += c == '\'' ? std::string("'\\''") : std::string(1, c == '\n' ? ' ' : c);
  return out + "'";
}

std::string zsh_entry(const Word& word) {
  std::string name;
  for (const char c : word.text)
    name += c == ':' ? std::string("\\:") : std::string(1, c);
  return shell_quoted(name + ":" + word.help);
}

std::string zsh_script(const std::vector<Level>& levels) {
  std::string cases, values;
  for (const Level& level : levels) {
    cases += fmt::format("    \"{}\")\n", level.path);
    for (const Word& word : level.commands)
      cases += fmt::format("      names+=({})\n", zsh_entry(word));
    for (const Word& word : level.flags)
      cases += fmt::format("      flags+=({})\n", zsh_entry(word));
    cases += "      ;;\n";
    for (const Word& flag : level.flags) {
      if (!flag.takes_value) continue;
      const std::string action =
          flag.choices.empty() ? "_files" : "compadd -- " + joined(flag.choices);
      values += fmt::format("    \"{}|{}\") {}; return ;;\n", level.path, flag.text, action);
    }
  }
  return fmt::format(R"(#compdef botburrow
# zsh completion of botburrow. Save as _botburrow in a folder of $fpath.
_botburrow() {{
  local chain="" next word
  local -a names flags
  for word in ${{words[2,CURRENT-1]}}; do
    next="${{chain:+$chain }}$word"
    case "$next" in
    {}) chain="$next" ;;
    esac
  done
  case "$chain|${{words[CURRENT-1]}}" in
{}  esac
  case "$chain" in
{}  esac
  if [[ "${{words[CURRENT]}}" == -* ]]; then
    _describe -t flags flag flags
  elif (( ${{#names}} )); then
    _describe -t commands command names
  else
    _files
  fi
}}
if [[ "${{funcstack[1]}}" == _botburrow ]]; then _botburrow "$@"; else compdef _botburrow botburrow; fi
)",
                     known_paths(levels), values, cases);
}

std::string fish_script(const std::vector<Level>& levels) {
  std::string chains, rules;
  for (const Level& level : levels) {
    if (!level.path.empty()) chains += fmt::format(" {}", shell_quoted(level.path));
    const std::string at = shell_quoted("__botburrow_at " + shell_quoted(level.path));
    for (const Word& word : level.commands)
      rules += fmt::format("complete -c botburrow -n {} -f -a {} -d {}\n", at, word.text,
                           shell_quoted(word.help));
    for (const Word& flag : level.flags) {
      const std::string value = !flag.takes_value ? ""
                                : flag.choices.empty()
                                    ? " -r -F"
                                    : " -x -a " + shell_quoted(joined(flag.choices));
      rules += fmt::format("complete -c botburrow -n {} -l {}{} -d {}\n", at, flag.text.substr(2),
                           value, shell_quoted(flag.help));
    }
  }
  return fmt::format(
      R"(# fish completion of botburrow. Save as ~/.config/fish/completions/botburrow.fish
function __botburrow_at
  set -l chain ""
  set -l words (commandline -opc)
  set -e words[1]
  for word in $words
    set -l next (string trim -- "$chain $word")
    if contains -- "$next"{}
      set chain "$next"
    end
  end
  test "$chain" = "$argv[1]"
end
{})",
      chains, rules);
}

}  // namespace

void add_completion(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("completion", "Print the completion script of a shell");
  const std::pair<const char*, std::string (*)(const std::vector<Level>&)> shells[] = {
      {"bash", bash_script}, {"zsh", zsh_script}, {"fish", fish_script}};
  for (const auto& [name, script] : shells) {
    CLI::App* shell = command->add_subcommand(name, fmt::format("For {}", name));
    on_run(*shell, context, [&app, script = script] {
      std::vector<Level> levels;
      collect(app, "", levels);
      const std::string text = script(levels);
      std::fwrite(text.data(), 1, text.size(), stdout);
      return exit_code::kDone;
    });
  }
}

}  // namespace botburrow::cli
