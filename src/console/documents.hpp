#pragma once

#include "console/history.hpp"
#include "console/progress.hpp"
#include "queue/agent_state.hpp"
#include "queue/heartbeats.hpp"
#include "queue/journal.hpp"
#include "queue/operator_view.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <vector>

namespace botburrow::console {

// Rules: the JSON forms that the page and scripts read. What strangers wrote stands in strings and
// is cut to what a page can show.

boost::json::object to_document(const queue::Heartbeat& beat, double now);
/// `progress`: null where nothing is known of it.
boost::json::object to_document(const queue::ActiveActivation& activation,
                                const Progress* progress);
/// Takes out of such rows what only those may see who may read transcripts.
void hide_doings(boost::json::array& running);
boost::json::object to_document(const queue::ActivationResult& result);
boost::json::object to_document(const queue::Waiting& entry, double now);
/// `whole`: with its history and what it holds.
boost::json::object to_document(const queue::DeadLetter& letter, bool whole);
/// Takes out of a whole one what only those may see who may read transcripts.
void hide_contents(boost::json::object& letter);
boost::json::object to_document(const queue::Usage& usage);
/// Columns, not rows: a third of the bytes.
boost::json::object to_document(const std::vector<Sample>& points);
/// Strings longer than `text_bytes` are cut and say how much is left out.
boost::json::object to_document(const queue::JournalLine& line, std::size_t text_bytes);

/// Queues, totals and leadership.
boost::json::object counts_document(const queue::QueueSnapshot& snapshot);

}  // namespace botburrow::console
