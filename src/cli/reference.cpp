#include "base/error.hpp"
#include "base/json.hpp"
#include "base/metric_table.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"
#include "cli/output.hpp"
#include "cli/reference/events.hpp"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

namespace botburrow::cli {
namespace {

struct Asked {
  std::vector<std::string> names;
  bool as_json = false;
  bool as_markdown = false;

  bool wants(std::string_view name) const {
    return names.empty() || std::ranges::find(names, name) != names.end();
  }
};

json::array list_of(const std::vector<std::string>& words) {
  return json::array(words.begin(), words.end());
}

json::object document(const MetricSpec& spec) {
  return {{"name", spec.name},
          {"type", name_of(spec.kind)},
          {"labels", list_of(spec.labels)},
          {"services", spec.services},
          {"buckets", json::array(spec.bounds.begin(), spec.bounds.end())},
          {"help", spec.help},
          {"more", spec.more}};
}

json::object document(const EventSpec& spec) {
  return {{"name", spec.name},
          {"levels", spec.levels},
          {"fields", spec.fields},
          {"meaning", spec.meaning}};
}

void explain(const MetricSpec& spec, const Output& output) {
  output.line(output.styled(Style::bold, spec.name));
  output.line(fmt::format("  {}{}{}", spec.help, spec.more.empty() ? "" : " ", spec.more));
  output.line(fmt::format("  type      {}", name_of(spec.kind)));
  output.line(fmt::format("  labels    {}", spec.labels.empty()
                                                ? "none"
                                                : fmt::format("{}", fmt::join(spec.labels, ", "))));
  output.line(fmt::format("  of        {}", spec.services));
  if (!spec.bounds.empty())
    output.line(fmt::format("  buckets   {}", fmt::join(spec.bounds, ", ")));
}

void explain(const EventSpec& spec, const Output& output) {
  output.line(output.styled(Style::bold, spec.name));
  output.line(fmt::format("  {}", spec.meaning));
  output.line(fmt::format("  level     {}", spec.levels));
  output.line(fmt::format("  fields    {}", spec.fields.empty() ? "none" : spec.fields));
}

std::vector<std::string> row(const MetricSpec& spec) {
  return {std::string(spec.name), std::string(name_of(spec.kind)), std::string(spec.services),
          std::string(spec.help)};
}
std::vector<std::string> row(const EventSpec& spec) {
  return {std::string(spec.name), std::string(spec.levels), std::string(spec.meaning)};
}

template <class Spec>
int answer(const Context& context, const Asked& asked, const std::vector<const Spec*>& specs,
           std::vector<std::string> head, const char* key) {
  const Output output(context.environment);
  json::array documents;
  std::vector<std::vector<std::string>> rows;
  for (const auto* spec : specs) {
    if (!asked.wants(spec->name)) continue;
    if (asked.as_json)
      documents.push_back(document(*spec));
    else if (asked.names.empty())
      rows.push_back(row(*spec));
    else
      explain(*spec, output);
  }
  if (asked.as_json) output.json(json::object{{key, std::move(documents)}});
  if (!rows.empty()) output.table(std::move(head), rows);
  return exit_code::kDone;
}

template <class Find>
void check_names(const Asked& asked, const char* what, Find find) {
  for (const auto& name : asked.names)
    if (find(name) == nullptr)
      throw Error(errc::usage, fmt::format("no {0} is named \"{1}\"; `botburrow reference {0}s` "
                                           "lists all",
                                           what, printable(name)));
}

int print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  return exit_code::kDone;
}

int run_metrics(const Context& context, const Asked& asked) {
  if (asked.as_markdown) return print(metrics_markdown());
  check_names(asked, "metric", find_metric);
  std::vector<const MetricSpec*> specs;
  for (const auto& section : metric_sections())
    for (const auto& spec : section.metrics)
      specs.push_back(&spec);
  return answer(context, asked, specs, {"METRIC", "TYPE", "OF", "MEANING"}, "metrics");
}

int run_events(const Context& context, const Asked& asked) {
  if (asked.as_markdown) return print(events_markdown());
  check_names(asked, "event", find_event);
  std::vector<const EventSpec*> specs;
  for (const auto& section : event_sections())
    for (const auto& spec : section.events)
      specs.push_back(&spec);
  return answer(context, asked, specs, {"EVENT", "LEVEL", "MEANING"}, "events");
}

using Run = int (*)(const Context&, const Asked&);

void add_table(CLI::App& reference, Context& context, const char* name, const char* help,
               const char* page, Run run) {
  auto asked = std::make_shared<Asked>();
  CLI::App* command = reference.add_subcommand(name, help);
  command->add_option("name", asked->names, "Only these, with all that is known of them")
      ->type_name("NAME");
  command->add_flag("--json", asked->as_json, "Machine-readable answer");
  command->add_flag("--markdown", asked->as_markdown,
                    fmt::format("The whole page, as in {}", page));
  on_run(*command, context, [&context, asked, run] { return run(context, *asked); });
}

}  // namespace

void add_reference(CLI::App& app, Context& context) {
  CLI::App* reference =
      app.add_subcommand("reference", "What a metric or an event of the log means");
  reference->require_subcommand(1);
  add_table(*reference, context, "metrics", "Every metric that services expose",
            "docs/operations/metrics.md", run_metrics);
  add_table(*reference, context, "events", "Every event that services log, and what to do",
            "docs/operations/events.md", run_events);
}

}  // namespace botburrow::cli
