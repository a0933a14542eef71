#include "definitions/catalog.hpp"

#include "base/metric_table.hpp"
#include "definitions/file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <utility>

namespace botburrow::definitions {
namespace {

namespace fs = std::filesystem;

/// A kept definition: files of at most 256 KiB each, escaped.
constexpr std::size_t kKeptBytesMax = 4 * 1024 * 1024;

std::string kept_path(const fs::path& keep_dir, const std::string& name) {
  return (keep_dir / (name + ".json")).string();
}

std::optional<AgentDefinition> read_kept(const fs::path& keep_dir, const std::string& name) {
  if (keep_dir.empty() || !is_safe_name(name)) return std::nullopt;
  auto kept = from_cache_json(read_file(kept_path(keep_dir, name), kKeptBytesMax).text);
  if (kept && kept->name != name) kept.reset();
  return kept;
}

/// Why it could not be kept, or nothing. What is kept already is not written again: a start with
/// many agents costs no disk writes.
std::string keep(const fs::path& keep_dir, const AgentDefinition& definition) {
  if (keep_dir.empty()) return {};
  if (auto kept = read_kept(keep_dir, definition.name)) {
    kept->loaded_at = definition.loaded_at;
    if (*kept == definition) return {};
  }
  std::error_code ignored;
  fs::create_directories(keep_dir, ignored);
  try {
    write_file_atomically(kept_path(keep_dir, definition.name), to_cache_json(definition));
    return {};
  } catch (const Error& error) {
    return error.message();
  }
}

void forget_kept(const fs::path& keep_dir, const std::string& name) {
  std::error_code ignored;
  if (!keep_dir.empty() && is_safe_name(name)) fs::remove(kept_path(keep_dir, name), ignored);
}

std::vector<std::string> kept_names(const fs::path& keep_dir) {
  std::vector<std::string> names;
  std::error_code error;
  if (keep_dir.empty()) return names;
  for (fs::directory_iterator it(keep_dir, error), end; !error && it != end; it.increment(error)) {
    const fs::path file = it->path().filename();
    if (file.extension() == ".json" && is_safe_name(file.stem().string()))
      names.push_back(file.stem().string());
  }
  std::ranges::sort(names);
  return names;
}

std::int64_t count_errors(const std::vector<Problem>& problems) {
  return std::ranges::count(problems, Severity::error, &Problem::severity);
}

}  // namespace

/// What the io thread remembers of one agent.
struct DefinitionCatalog::Known {
  std::shared_ptr<const AgentDefinition> good;  // the last good version
  std::vector<Problem> problems;                // of the last read
  std::string fingerprint;                      // of the last read, good or not
  Instant read_at{};
  bool fresh = false;   // the last read still counts; false: read again
  bool broken = false;  // the last read gave no definition
  std::uint64_t ticket = 0;
};

/// What one visit to the source found out, made on the pool.
struct DefinitionCatalog::Reading {
  std::uint64_t ticket = 0;
  std::uint64_t generation = 0;
  bool unchanged = false;
  std::optional<DefinitionSource::Loaded> loaded;
  std::optional<Error> failure;
  std::optional<AgentDefinition> kept;
  std::string keep_fault;
};

DefinitionCatalog::DefinitionCatalog(const DefinitionSource& source, BlockingPool& pool,
                                     Options options, Log log, Metrics& metrics)
    : source_(source),
      pool_(pool),
      options_(std::move(options)),
      log_(std::move(log)),
      errors_(series_of(metrics, "botburrow_definition_errors")),
      reads_(series_of(metrics, "botburrow_config_cache_total")) {}

DefinitionCatalog::~DefinitionCatalog() = default;

DefinitionCatalog::Reading DefinitionCatalog::read(const DefinitionSource& source,
                                                   const std::string& name,
                                                   const std::optional<std::string>& seen,
                                                   bool want_kept, const fs::path& keep_dir) {
  Reading out;
  try {
    if (seen) {
      const auto now = source.fingerprint(name);
      out.unchanged = now && *now == *seen;
      if (out.unchanged) return out;
    }
    out.loaded = source.load(name);
  } catch (const Error& error) {
    out.failure = error;
  } catch (const std::exception& error) {
    out.failure = Error(errc::io, fmt::format("loading agent {}: {}", name, error.what()),
                        Retry::after_backoff);
  }
  if (out.loaded && out.loaded->definition) {
    out.keep_fault = keep(keep_dir, *out.loaded->definition);
  } else if (out.failure && out.failure->code() == errc::definition_not_found) {
    forget_kept(keep_dir, name);
  } else if (want_kept) {
    out.kept = read_kept(keep_dir, name);
  }
  return out;
}

Task<DefinitionCatalog::Entry> DefinitionCatalog::get(std::string name) {
  std::optional<std::string> seen;
  const auto found = known_.find(name);
  const bool has_good = found != known_.end() && found->second.good;
  if (found != known_.end() && found->second.fresh) {
    const Known& known = found->second;
    const bool can_tell = !known.fingerprint.empty();
    const auto age = BootClock::now() - known.read_at;
    if (can_tell) {
      seen = known.fingerprint;
    } else if (has_good && age < known.good->cache_ttl) {
      reads_.with({"hit"}).add();
      co_return Entry{known.good, known.problems, known.broken};
    }
  }
  const std::uint64_t ticket = ++tickets_;
  const std::uint64_t generation = generation_;
  Reading reading = co_await pool_.run_or_leave(
      [&source = source_, name, seen, want_kept = !has_good, keep_dir = options_.keep_dir] {
        return read(source, name, seen, want_kept, keep_dir);
      });
  reading.ticket = ticket;
  reading.generation = generation;
  co_return apply(name, std::move(reading));
}

DefinitionCatalog::Entry DefinitionCatalog::apply(const std::string& name, Reading reading) {
  if (reading.failure && reading.failure->code() == errc::definition_not_found) {
    known_.erase(name);
    errors_.erase({name});
    throw *reading.failure;
  }
  Known& known = known_[name];
  // A slower, older visit does not overwrite what a newer one found.
  const bool outrun = reading.ticket < known.ticket && known.good;
  if (outrun || (reading.unchanged && known.good)) {
    reads_.with({known.broken ? "stale" : "hit"}).add();
    return {known.good, known.problems, known.broken};
  }
  known.ticket = reading.ticket;
  if (reading.unchanged) {
    // Broken before and still: there never was a good version.
    throw invalid_definition(known.problems);
  }
  known.fresh = reading.generation == generation_;
  known.read_at = BootClock::now();
  if (!reading.keep_fault.empty())
    log_.warning("definition_not_kept", {{"agent_id", name}, {"error", reading.keep_fault}});
  if (reading.loaded && reading.loaded->definition)
    return apply_loaded(name, known, std::move(reading));
  return fall_back(name, known, std::move(reading));
}

DefinitionCatalog::Entry DefinitionCatalog::apply_loaded(const std::string& name, Known& known,
                                                         Reading reading) {
  const bool was_broken = std::exchange(known.broken, false);
  known.good = std::make_shared<const AgentDefinition>(std::move(*reading.loaded->definition));
  known.problems = std::move(reading.loaded->problems);
  known.fingerprint = std::move(reading.loaded->fingerprint);
  errors_.erase({name});
  reads_.with({"miss"}).add();
  log_.debug("agent_config_loaded", {{"agent_id", name}, {"commit", known.good->commit}});
  if (was_broken) log_.info("agent_config_recovered", {{"agent_id", name}});
  log_problems(name, known);
  return {known.good, known.problems, false};
}

DefinitionCatalog::Entry DefinitionCatalog::fall_back(const std::string& name, Known& known,
                                                      Reading reading) {
  const bool was_broken = std::exchange(known.broken, true);
  const bool away = reading.failure.has_value();
  const std::string before =
      std::exchange(known.fingerprint, away ? std::string() : reading.loaded->fingerprint);
  if (away) {
    known.fresh = false;
    known.problems = {{.severity = Severity::error,
                       .code = "source_away",
                       .agent = name,
                       .file = source_.describe(),
                       .message = reading.failure->message(),
                       .fix = "make the definitions readable again"}};
  } else {
    known.problems = std::move(reading.loaded->problems);
  }
  if (!known.good && reading.kept) {
    known.good = std::make_shared<const AgentDefinition>(std::move(*reading.kept));
  }
  errors_.with({name}).set(
      static_cast<double>(std::max<std::int64_t>(1, count_errors(known.problems))));
  reads_.with({"stale"}).add();
  if (!was_broken || before != known.fingerprint) {
    const auto first = std::ranges::find(known.problems, Severity::error, &Problem::severity);
    const std::string problem =
        first == known.problems.end() ? std::string("unknown fault") : to_short_text(*first);
    const std::string in_use =
        known.good ? "version of " + to_rfc3339(known.good->loaded_at) : "none";
    log_.error("agent_config_invalid", {{"agent_id", name},
                                        {"error", problem},
                                        {"errors", count_errors(known.problems)},
                                        {"in_use", in_use}});
  }
  if (known.good) return {known.good, known.problems, true};
  if (away) throw *reading.failure;
  throw invalid_definition(known.problems);
}

void DefinitionCatalog::log_problems(const std::string& name, const Known& known) const {
  for (const Problem& problem : known.problems) {
    const bool unknown_key = problem.code == "unknown_key";
    if (problem.severity == Severity::warning) {
      log_.warning(
          unknown_key ? "agent_config_unknown_key" : "agent_config_problem",
          {{"agent_id", name}, {"field", problem.field}, {"problem", to_short_text(problem)}});
    }
  }
}

Task<std::vector<std::string>> DefinitionCatalog::list() {
  struct Listing {
    std::vector<std::string> names;
    std::vector<Problem> ignored;
    std::optional<Error> failure;
  };
  Listing listing = co_await pool_.run_or_leave([&source = source_, keep_dir = options_.keep_dir] {
    Listing out;
    try {
      out.names = source.list_agents();
      out.ignored = source.ignored();
    } catch (const Error& error) {
      out.failure = error;
      out.names = kept_names(keep_dir);
    }
    return out;
  });
  if (!listing.failure) {
    names_ = listing.names;
    log_ignored(std::move(listing.ignored));
    co_return names_;
  }
  if (names_.empty()) names_ = std::move(listing.names);
  if (names_.empty()) throw *listing.failure;
  co_return names_;
}

void DefinitionCatalog::log_ignored(std::vector<Problem> ignored) {
  for (const Problem& problem : ignored) {
    const bool known = std::ranges::any_of(ignored_, [&](const Problem& before) {
      return before.file == problem.file && before.message == problem.message;
    });
    if (known || !tells_ignored_) continue;
    log_.warning("agent_folder_ignored",
                 {{"folder", problem.file}, {"problem", problem.message}, {"fix", problem.fix}});
  }
  ignored_ = std::move(ignored);
}

Task<std::vector<DefinitionCatalog::Entry>> DefinitionCatalog::load_all() {
  std::vector<Entry> out;
  if (!std::exchange(tells_ignored_, true)) ignored_.clear();
  const std::vector<std::string> names = co_await list();
  for (const std::string& name : names) {
    try {
      Entry entry = co_await get(name);
      out.push_back(std::move(entry));
    } catch (const Error& error) {
      // get() has logged what is wrong with a broken one; one that vanished meanwhile is no fault.
      if (error.code() != errc::definition_invalid) {
        log_.debug("agent_config_skipped", {{"agent_id", name}, {"error", error.message()}});
      }
    }
  }
  co_return out;
}

Task<std::vector<Skill>> DefinitionCatalog::skills() {
  co_return co_await pool_.run_or_leave([&source = source_] { return load_all_skills(source); });
}

std::shared_ptr<const AgentDefinition> DefinitionCatalog::find_known(
    const std::string& name) const {
  const auto found = known_.find(name);
  return found == known_.end() ? nullptr : found->second.good;
}

std::map<std::string, std::vector<Problem>> DefinitionCatalog::problems() const {
  std::map<std::string, std::vector<Problem>> out;
  for (const auto& [name, known] : known_) {
    if (!known.problems.empty()) out[name] = known.problems;
  }
  return out;
}

void DefinitionCatalog::invalidate(const std::string& name) {
  ++generation_;
  for (auto& [known_name, known] : known_) {
    if (name.empty() || known_name == name) known.fresh = false;
  }
}

}  // namespace botburrow::definitions
