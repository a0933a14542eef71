#pragma once

#include <string_view>

namespace botburrow::sandbox {

/// How a model is spoken to.
enum class ModelApi { anthropic, openai, ollama };

/// Whether a program may make this call with the operator's key: asking a model and finding out
/// which there are, and nothing else that the key opens (files, batches, keys of an organisation).
/// `path` is what follows `/_/llm/<name>`, with its query. It is compared as it stands, so that no
/// dot and no escape leads anywhere else.
bool is_model_call(ModelApi api, std::string_view method, std::string_view path);

}  // namespace botburrow::sandbox
