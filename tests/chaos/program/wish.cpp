#include "tests/chaos/program/wish.hpp"

#include <fmt/format.h>

#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <stdexcept>

namespace botburrow::chaos {

json::value read_json(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error(path + ": cannot be read");
  return parse_json(std::string(std::istreambuf_iterator<char>(file), {}), path);
}

Wish wish_of(int count, char** words) {
  Wish wish{.programs = {.botburrow = BOTBURROW_PROGRAM,
                         .clockshim = BOTBURROW_CLOCKSHIM,
                         .syscall_killer = BOTBURROW_SYSCALL_KILLER}};
  const auto text = [](std::string& to) { return [&to](const std::string& value) { to = value; }; };
  const std::map<std::string, std::function<void(const std::string&)>> flags = {
      {"--profile", text(wish.profile)},
      {"--seed", [&](const std::string& value) { wish.seed = std::stoull(value); }},
      {"--duration", [&](const std::string& value) { wish.duration = std::stoi(value); }},
      {"--stride", [&](const std::string& value) { wish.stride = std::stoi(value); }},
      {"--json", text(wish.json_file)},
      {"--replay", text(wish.replay_file)},
      {"--keep", text(wish.keep)},
      {"--program", text(wish.programs.botburrow)}};
  for (int n = 1; n < count; n += 2) {
    const std::string name = words[n];
    const auto flag = flags.find(name);
    if (flag == flags.end())
      throw std::runtime_error(fmt::format(
          "{}: expected --profile, --seed, --duration, --stride, --json, --replay, --keep or "
          "--program",
          name));
    if (n + 1 == count) throw std::runtime_error(name + " needs a value");
    try {
      flag->second(words[n + 1]);
    } catch (const std::logic_error&) {
      throw std::runtime_error(fmt::format("{} {}: a number is needed", name, words[n + 1]));
    }
  }
  wish.keep_always = !wish.keep.empty();
  if (wish.keep.empty()) wish.keep = fmt::format("/tmp/bb-chaos-{}-{}", wish.profile, wish.seed);
  return wish;
}

}  // namespace botburrow::chaos
