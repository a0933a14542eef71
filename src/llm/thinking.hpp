#pragma once

#include <string>

namespace botburrow::llm {

/// What a model thought aloud before its answer, taken off: `<think>…</think>` at the beginning of
/// the text, as DeepSeek-R1, Qwen3 and others write it where the server in front of them does not
/// part the two. Chat templates that open the tag themselves leave only the closing one; it counts
/// if it stands alone on its line. `cut`: the answer ended at its limit, so that thinking which is
/// never closed leaves no answer. Thoughts are not given back to the model; its makers advise so.
std::string without_thinking(std::string text, bool cut);

}  // namespace botburrow::llm
