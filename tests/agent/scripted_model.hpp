#pragma once

#include "base/error.hpp"
#include "llm/model.hpp"
#include "llm/providers.hpp"

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace botburrow::agent {

/// Answers what the test says, in turn, and keeps what it was asked.
class ScriptedModel final : public llm::Model {
 public:
  using Step = std::function<Task<llm::ModelAnswer>(const llm::ModelRequest&)>;

  ScriptedModel& then(Step step) {
    steps_.push_back(std::move(step));
    return *this;
  }
  ScriptedModel& then(llm::ModelAnswer answer) {
    return then([answer](const llm::ModelRequest&) -> Task<llm::ModelAnswer> { co_return answer; });
  }
  ScriptedModel& then(Error error) {
    return then([error](const llm::ModelRequest&) -> Task<llm::ModelAnswer> {
      throw error;
      co_return llm::ModelAnswer{};
    });
  }
  /// What every call past the steps gets.
  void always(Step step) { otherwise_ = std::move(step); }
  void always(llm::ModelAnswer answer) {
    always([answer](const llm::ModelRequest&) -> Task<llm::ModelAnswer> { co_return answer; });
  }
  void always(Error error) {
    always([error](const llm::ModelRequest&) -> Task<llm::ModelAnswer> {
      throw error;
      co_return llm::ModelAnswer{};
    });
  }

  Task<llm::ModelAnswer> complete(const llm::ModelRequest& request, Deadline) override {
    requests.push_back(request);
    Step step = otherwise_;
    if (!steps_.empty()) {
      step = std::move(steps_.front());
      steps_.pop_front();
    }
    if (!step) throw std::runtime_error("the script of the model is at its end");
    auto answer = co_await step(requests.back());
    answer.provider = "scripted";
    answer.model = "scripted-1";
    co_return answer;
  }
  std::string_view provider() const override { return "scripted"; }

  std::deque<llm::ModelRequest> requests;

 private:
  std::deque<Step> steps_;
  Step otherwise_;
};

inline llm::ModelAnswer says(std::string text) {
  llm::ModelAnswer answer;
  answer.text = std::move(text);
  answer.usage = {.input = 100, .output = 20};
  return answer;
}

inline llm::ModelAnswer calls(std::vector<std::pair<std::string, json::value>> wanted,
                              std::string text = "") {
  auto answer = says(std::move(text));
  answer.stop = llm::StopReason::tool_use;
  for (auto& [name, arguments] : wanted) {
    answer.tool_calls.push_back({.id = "id-" + std::to_string(answer.tool_calls.size()),
                                 .name = name,
                                 .arguments = std::move(arguments)});
  }
  return answer;
}

/// One model for everybody, or an error.
class OneModel final : public llm::ModelSource {
 public:
  explicit OneModel(std::shared_ptr<llm::Model> model) : model(std::move(model)) {}
  Task<std::shared_ptr<llm::Model>> model_for(llm::Brain) override {
    ++asked;
    if (failure) throw *failure;
    co_return model;
  }
  std::shared_ptr<llm::Model> model;
  std::optional<Error> failure;
  int asked = 0;
};

}  // namespace botburrow::agent
