#include "llm/prices.hpp"

#include "base/error.hpp"
#include "base/json.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace botburrow::llm {
namespace {

constexpr std::int64_t kEstimatedInput = 7'000;
constexpr std::int64_t kEstimatedOutput = 3'000;
constexpr std::size_t kModelsMax = 10'000;

// Anthropic's cache: reading costs a tenth, writing (for five minutes) a quarter more.
Price claude(double input, double output) {
  return {.input = input, .output = output, .cache_read = input * 0.1, .cache_write = input * 1.25};
}

double rounded(double usd, int decimals) {
  const double scale = std::pow(10.0, decimals);
  return std::round(usd * scale) / scale;
}

[[noreturn]] void refuse(std::string_view file, std::string_view model, std::string_view field,
                         std::string_view problem) {
  throw Error(errc::bad_input, fmt::format("{}: {}.{}: {}; expected USD per million tokens, e.g. "
                                           "{{\"input\": 3, \"output\": 15}}",
                                           file, model, field, problem));
}

Price read_price(const json::value& value, std::string_view file, std::string_view model) {
  if (!value.is_object()) refuse(file, model, "*", "no object");
  Price price;
  const auto field = [&](std::string_view name, double& target, bool required) {
    const auto* member = find_field(value, name);
    if (member == nullptr) {
      if (required) refuse(file, model, name, "missing");
      return;
    }
    const auto number = number_field(value, name);
    if (!number || !std::isfinite(*number) || *number < 0) {
      refuse(file, model, name, to_json(*member) + " is no number of at least 0");
    }
    target = *number;
  };
  field("input", price.input, true);
  field("output", price.output, true);
  field("cache_read", price.cache_read, false);
  field("cache_write", price.cache_write, false);
  for (const auto& [key, unused] : value.get_object()) {
    if (key != "input" && key != "output" && key != "cache_read" && key != "cache_write") {
      refuse(file, model, {key.data(), key.size()}, "unknown field");
    }
  }
  return price;
}

// Vendors name versions `gpt-4o-2024-08-06` and `claude-opus-4-5-20251101`.
std::string_view without_date(std::string_view model) {
  const auto ends_like = [&](std::string_view pattern) {
    if (model.size() <= pattern.size()) return false;
    const auto tail = model.substr(model.size() - pattern.size());
    for (std::size_t i = 0; i < pattern.size(); ++i) {
      const bool digit = tail[i] >= '0' && tail[i] <= '9';
      if (pattern[i] == '-' ? tail[i] != '-' : !digit) return false;
    }
    return true;
  };
  for (const std::string_view pattern : {"-0000-00-00", "-00000000"}) {
    if (ends_like(pattern)) return model.substr(0, model.size() - pattern.size());
  }
  return model;
}

bool is_free(std::string_view provider) {
  return provider == "ollama" || provider == "local" || provider == "offline";
}

}  // namespace

PriceTable::PriceTable()
    : prices_{
          {"claude-opus-4-5-20251101", claude(15, 75)},
          {"claude-sonnet-4-20250514", claude(3, 15)},
          {"claude-haiku-3-20250515", claude(0.25, 1.25)},
          {"gpt-4-turbo", {.input = 10, .output = 30}},
          {"gpt-4o", {.input = 5, .output = 15}},
          {"gpt-4o-mini", {.input = 0.15, .output = 0.60}},
          {"glm-4.7", {.input = 0, .output = 0}},
      },
      default_{.input = 3, .output = 15} {}

void PriceTable::read(std::string_view json_text, std::string_view file) {
  const auto document = parse_json(json_text, file);
  const auto* object = document.if_object();
  if (object == nullptr || object->size() > kModelsMax) {
    throw Error(errc::bad_input, fmt::format("{}: expected an object of model names, e.g. "
                                             "{{\"gpt-4o\": {{\"input\": 2.5, \"output\": 10}}}}",
                                             file));
  }
  // All or nothing: a fault in the last line leaves the table as it was.
  auto prices = prices_;
  auto fallback = default_;
  for (const auto& [key, value] : *object) {
    const std::string model(key.data(), key.size());
    const Price price = read_price(value, file, model);
    if (model == "default")
      fallback = price;
    else
      prices[model] = price;
  }
  prices_ = std::move(prices);
  default_ = fallback;
}

Price PriceTable::price_of(std::string_view provider, std::string_view model) const {
  if (is_free(provider)) return {};
  if (const auto found = prices_.find(model); found != prices_.end()) return found->second;
  for (const auto& [name, price] : prices_) {
    if (without_date(name) == without_date(model)) return price;
  }
  return default_;
}

double raw_cost_usd(const Price& price, const Usage& usage) {
  const double cache_read = price.cache_read < 0 ? price.input : price.cache_read;
  const double cache_write = price.cache_write < 0 ? price.input : price.cache_write;
  const auto plain = std::max<std::int64_t>(0, usage.input - usage.cache_read - usage.cache_write);
  return (static_cast<double>(plain) * price.input +
          static_cast<double>(usage.cache_read) * cache_read +
          static_cast<double>(usage.cache_write) * cache_write +
          static_cast<double>(usage.output) * price.output) /
         1e6;
}

double PriceTable::cost_usd(std::string_view provider, std::string_view model,
                            const Usage& usage) const {
  return rounded(raw_cost_usd(price_of(provider, model), usage), 6);
}

double PriceTable::cost_usd(const ModelAnswer& answer) const {
  if (answer.cost_usd) return rounded(std::max(0.0, *answer.cost_usd), 6);
  return answer.offline ? 0 : cost_usd(answer.provider, answer.model, answer.usage);
}

double PriceTable::estimate_usd(std::string_view provider, std::string_view model) const {
  const Usage usage{.input = kEstimatedInput, .output = kEstimatedOutput};
  return rounded(raw_cost_usd(price_of(provider, model), usage), 4);
}

}  // namespace botburrow::llm
