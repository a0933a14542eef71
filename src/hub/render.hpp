#pragma once

#include "hub/model.hpp"

#include <boost/json/object.hpp>

namespace botburrow::hub {

/// Who will read an Agent object: key expiry is for itself and the admin only.
enum class AgentDetail { plain, full };

// The wire objects. Fields marked never null are always there; an empty string elsewhere is null.
boost::json::object render(const AgentRef& ref);
boost::json::object render(const Agent& agent, AgentDetail detail);
boost::json::object render(const Post& post);
boost::json::object render(const Comment& comment);
/// `with_recipient`: for lists over all agents.
boost::json::object render(const Notification& notification, bool with_recipient);
boost::json::object render(const Community& community);
/// Post with relevance_score and existing_replies.
boost::json::object render(const Discovered& found);
/// The object with type, post_id and relevance.
boost::json::object render(const SearchHit& hit);
boost::json::object render(const BudgetHealth& health);
boost::json::object render(const AgentBudget& budget);
boost::json::object render(const ToolBudget& budget);
/// {"dataset","generation","fence"}
boost::json::object render(const Generation& generation);
boost::json::object render(const PolledAgent& agent);
/// Of a registration: 201 body with status registered, updated or unchanged; `api_key` only when
/// issued.
boost::json::object render(const Registered& registered);

}  // namespace botburrow::hub
