#include "cli/backup_parts.hpp"

#include "base/error.hpp"
#include "base/json.hpp"
#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "cli/service.hpp"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include <cstdio>

namespace botburrow::cli {

namespace {

json::object census_json(const queue::Census& census) {
  return {{"enqueued", census.enqueued},
          {"waiting", census.waiting},
          {"leased", census.leased},
          {"dead", census.dead},
          {"done", census.done}};
}

}  // namespace

bool wants(const BackupFlags& flags, std::string_view part) {
  return flags.only.empty() || flags.only == part;
}

std::string database_url(const Context& context) {
  const auto url = context.environment.variable("DATABASE_URL");
  const auto prefixed = context.environment.variable("BOTBURROW_DATABASE_URL");
  return prefixed.value_or(url.value_or(""));
}

std::string database_of_settings(const Context& context) {
  constexpr std::string_view kScheme = "sqlite:///";
  const auto text = database_url(context);
  return text.starts_with(kScheme) ? text.substr(kScheme.size()) : "";
}

std::string data_folder_of(const Context& context, const LocateFlags& flags) {
  return flags.data.empty() ? context.environment.default_data_folder() : flags.data;
}

void no_database(const char* command) {
  throw Error(errc::usage, fmt::format("{}: the Hub's database is not known here: give "
                                       "--hub-database FILE, or leave it out with --only redis",
                                       command));
}

std::string census_text(const queue::Census& census) {
  return fmt::format("enqueued {} = waiting {} + leased {} + dead {} + done {}", census.enqueued,
                     census.waiting, census.leased, census.dead, census.done);
}

void tell(const Output& out, const BackupFlags& flags, const BackupHeader& header,
          const std::optional<queue::Census>& census, const Warnings& warnings,
          const std::string& closing) {
  for (const auto& warning : warnings)
    std::fprintf(stderr, "warning: %s\n", warning.c_str());
  if (flags.json) {
    json::object document = {{"file", flags.file},
                             {"id", header.id},
                             {"created_at", header.created_at},
                             {"redis", nullptr},
                             {"hub", nullptr},
                             {"warnings", json::array(warnings.begin(), warnings.end())}};
    if (census)
      document["redis"] = json::object{{"keys", header.redis->keys},
                                       {"bytes", header.redis->bytes},
                                       {"census", census_json(*census)}};
    if (header.hub && wants(flags, "hub"))
      document["hub"] = json::object{{"bytes", header.hub->bytes}};
    out.json(document);
    return;
  }
  if (census)
    out.line(fmt::format("Redis     {} keys, {}", header.redis->keys, census_text(*census)));
  if (header.hub && wants(flags, "hub"))
    out.line(fmt::format("Hub       {} bytes", header.hub->bytes));
  out.line(closing);
}

std::shared_ptr<BackupFlags> add_backup_flags(CLI::App& command) {
  auto flags = std::make_shared<BackupFlags>();
  command.add_option("file", flags->file, "The backup")->required()->type_name("FILE");
  command
      .add_option("--hub-database", flags->hub_database,
                  "The Hub's SQLite file (default hub.db in the data folder, or DATABASE_URL)")
      ->type_name("PATH");
  command.add_option("--only", flags->only, "One part alone")
      ->type_name("redis|hub")
      ->check(CLI::IsMember({"redis", "hub"}));
  command.add_flag("--json", flags->json, "Print what was done as JSON");
  return flags;
}

}  // namespace botburrow::cli
