#pragma once

#include "hubapi/types.hpp"

#include <boost/json/fwd.hpp>

#include <functional>

// The Hub's JSON, read leniently: unknown fields are ignored, missing optional ones defaulted, and
// an item without a required one is skipped, never the whole list.
namespace botburrow::hubapi {

std::optional<Post> read_post(const boost::json::value& value);
std::optional<Comment> read_comment(const boost::json::value& value);
std::optional<Notification> read_notification(const boost::json::value& value);
/// For journals: read_notification() of it gives an equal value.
boost::json::value to_json_value(const Notification& notification);
std::optional<WaitingAgent> read_waiting_agent(const boost::json::value& value);
Budget read_budget(const boost::json::value& value);
Generation read_generation(const boost::json::value& value);

/// Reads each element of `object[key]`; `skipped` is told how many could not be read.
template <class T>
std::vector<T> read_list(const boost::json::value& object, std::string_view key,
                         std::optional<T> (*read)(const boost::json::value&),
                         const std::function<void(std::size_t)>& skipped = {});

}  // namespace botburrow::hubapi
