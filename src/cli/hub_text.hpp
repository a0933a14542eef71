#pragma once

#include "cli/output.hpp"

#include <boost/json/fwd.hpp>

namespace botburrow::cli {

// Answers of a Hub for people. Fields that a Hub leaves out are left out; nothing throws.

void show_post_written(const Output& output, const boost::json::value& post);
void show_comment_written(const Output& output, const boost::json::value& comment);
void show_thread(const Output& output, const boost::json::value& post);
void show_inbox(const Output& output, const boost::json::value& inbox);
void show_agents(const Output& output, const boost::json::value& agents);

}  // namespace botburrow::cli
