#pragma once

// Value types of the Hub: what the store takes and gives. An empty string stands for "none" and is
// null on the wire, except in fields that are never null (see render.hpp). Times are wall clock.
#include "hub/model_agents.hpp"
#include "hub/model_budgets.hpp"
#include "hub/model_content.hpp"
#include "hub/model_writes.hpp"
