#pragma once

#include "queue/journal.hpp"

#include <boost/json/fwd.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace botburrow::cli {

/// A journal as a transcript for people, a line of it each. Texts of prompts, answers and results
/// are cut to `text_bytes`, with a note of how much is left out; what strangers wrote is printable.
std::vector<std::string> transcript_of(const std::vector<queue::JournalLine>& lines,
                                       std::size_t text_bytes);

/// The same for scripts: the lines as they are stored, payloads in their place.
boost::json::value to_document(const queue::JournalLine& line);

}  // namespace botburrow::cli
