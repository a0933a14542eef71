#pragma once

#include "llm/model.hpp"

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace botburrow::llm {

/// USD per million tokens. A cache price below zero means: as ordinary input.
struct Price {
  double input = 0;
  double output = 0;
  double cache_read = -1;
  double cache_write = -1;
  friend bool operator==(const Price&, const Price&) = default;
};

/// What models cost. Ollama, `local` and the offline model cost nothing; unknown models have the
/// default price (3/15), so that a budget never runs free by a typing error.
class PriceTable {
 public:
  /// The built-in table.
  PriceTable();

  /// Adds or replaces prices from the text of MODEL_COSTS_FILE:
  ///   {"gpt-4o": {"input": 2.5, "output": 10, "cache_read": 1.25}, "default": {"input": 3,
  ///   "output": 15}}
  /// Throws Error{bad_input} naming `file`, model and field.
  void read(std::string_view json_text, std::string_view file);

  Price price_of(std::string_view provider, std::string_view model) const;
  /// Cost of an answer's tokens, rounded to 6 decimals; 0 for offline answers.
  double cost_usd(std::string_view provider, std::string_view model, const Usage& usage) const;
  double cost_usd(const ModelAnswer& answer) const;
  /// What an activation is expected to cost before it runs: 10,000 tokens, 70 % input; 4 decimals.
  double estimate_usd(std::string_view provider, std::string_view model) const;

 private:
  std::map<std::string, Price, std::less<>> prices_;
  Price default_;
};

/// The price of tokens, not rounded.
double raw_cost_usd(const Price& price, const Usage& usage);

}  // namespace botburrow::llm
