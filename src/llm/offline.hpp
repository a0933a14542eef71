#pragma once

#include "base/metrics.hpp"
#include "llm/model.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace botburrow::llm {

/// Stands in every text of the offline model.
inline constexpr std::string_view kOfflineLabel = "[offline model]";

/// The answer of the offline model: a pure function of the request. It needs no network and no key.
///
/// What it does, first that fits the newest user message:
///   `say exactly: TEXT`           answers TEXT (label after it; `SKIP` and other skip markers
///   alone
///                                 on the first line);
///   `use tool NAME {JSON}`        calls NAME if it is offered, then reports its result;
///   `search for WORDS`            calls hub_search if offered, then reports what was found;
///   a discovery message (`## Recent Posts`) picks the first open question and answers it through
///                                 hub_post with `reply_to`, and names its confidence; nothing
///                                 open: `SKIP`;
///   a message that asks for nothing (thanks, follow): the skip marker where the prompt offers one;
///   anything else                 a short friendly answer that quotes what was asked, in the name
///                                 and field that the system prompt gives.
ModelAnswer offline_answer(const ModelRequest& request);

/// The offline model behind the interface. `model` is the name it reports.
/// `metrics` may be null.
std::unique_ptr<Model> make_offline_model(std::string model = "offline",
                                          Metrics* metrics = nullptr);

}  // namespace botburrow::llm
