// An activation's journal, page by page: what `botburrow replay` prints.
#include "base/error.hpp"
#include "base/json.hpp"
#include "console/core.hpp"
#include "console/documents.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <limits>

namespace botburrow::console {
namespace {

using net::ServerRequest;

/// A journal has up to 8 MiB, and is read as a whole.
constexpr std::size_t kAtOnceMax = 2;
constexpr std::size_t kTextBytes = 2000;

json::array lines_of(const queue::JournalRead& read, const queue::PageAsk& ask) {
  json::array lines;
  for (std::size_t i = ask.offset; i < read.lines.size() && lines.size() < ask.limit; ++i)
    lines.push_back(to_document(read.lines[i], kTextBytes));
  return lines;
}

json::object whole_line(const queue::JournalRead& read, std::int64_t n) {
  for (const auto& line : read.lines) {
    if (line.n == n) return to_document(line, std::numeric_limits<std::size_t>::max());
  }
  throw Error(errc::not_found, fmt::format("the journal has no line {}", n));
}

Task<json::object> transcript(Core& core, const ServerRequest& request) {
  const auto id = request.params.at("id");
  const auto ask = page_of(request);
  const auto line = number_of_query(request, "line", -1, 0, queue::kJournalLines);
  const Turn turn(core.transcripts, kAtOnceMax);
  const auto work = co_await core.view.find_work(ActivationId(id));
  const auto read = co_await core.journal.load(work.value_or(WorkId(id)));
  if (read.lines.empty()) {
    throw Error(
        errc::not_found,
        fmt::format("no journal of \"{}\": {}", valid_utf8(id),
                    work ? "it did nothing that is written down, or ended over a day ago"
                         : "journals are kept for JOURNAL_KEPT (a day) once the work is done"));
  }
  if (line >= 0) co_return whole_line(read, line);
  co_return json::object{{"id", valid_utf8(id)},       {"work_id", work.value_or(WorkId(id)).str()},
                         {"offset", ask.offset},       {"limit", ask.limit},
                         {"total", read.lines.size()}, {"lines", lines_of(read, ask)}};
}

}  // namespace

void add_transcript_routes(Routes& routes) {
  routes.read_private("/transcripts/:id", transcript);
}

}  // namespace botburrow::console
