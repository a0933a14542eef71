#include "cli/doctor/check.hpp"
#include "cli/doctor/facts.hpp"
#include "cli/doctor/words.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace botburrow::cli::doctor {
namespace {

bool covers(const std::string& listens, const std::string& wanted) {
  return listens == wanted || listens == "::" ||
         (listens == "0.0.0.0" && wanted.find(':') == std::string::npos);
}

std::string held_by(const PortFacts& port) {
  if (!port.answered_by.empty()) return port.answered_by;
  return port.holder.empty() ? "another program" : port.holder;
}

/// Services of ours by their own word; a program that was asked for by URL and says another name,
/// and one that sits at a port that a setting here gives to a service.
Verdict taken(const Facts& facts) {
  std::vector<std::string> wrong, fine;
  for (const auto& service : facts.services) {
    if (!answered_by_another(service)) continue;
    wrong.push_back(fmt::format("{} is answered by {}", service.url, service.name));
  }
  for (const auto& port : facts.ports) {
    if (!port.url.empty()) continue;
    const bool ours = port.answered_by.starts_with("botburrow-");
    if (port.listens_on.empty())
      fine.push_back(port.said_by + " is free");
    else if (ours)
      fine.push_back(fmt::format("{} is {}'s", port.said_by, port.answered_by));
    else
      wrong.push_back(fmt::format("{} is held by {}", port.said_by, held_by(port)));
  }
  if (!wrong.empty()) return fault(few(wrong));
  if (!facts.ports_trouble.empty()) return unknown(facts.ports_trouble);
  return good(fine.empty() ? "no other program has one of ours" : few(fine));
}

Verdict address(const Facts& facts) {
  if (!facts.ports_trouble.empty()) return unknown(facts.ports_trouble);
  std::vector<std::string> wrong, fine;
  for (const auto& port : facts.ports) {
    if (port.url.empty() || !port.here) continue;
    if (listens_elsewhere(port)) {
      wrong.push_back(fmt::format("{} ({}) means {} on this machine, which listens on {} only",
                                  port.url, port.service, fmt::join(port.addresses, ", "),
                                  fmt::join(port.listens_on, ", ")));
    } else if (!port.listens_on.empty()) {
      fine.push_back(fmt::format("{} listens on {}", port.url, fmt::join(port.listens_on, ", ")));
    }
  }
  if (!wrong.empty()) return fault(few(wrong));
  return fine.empty() ? nothing_there("no address that is known is of this machine")
                      : good(few(fine));
}

}  // namespace

bool listens_elsewhere(const PortFacts& port) {
  if (port.url.empty() || !port.here || port.listens_on.empty()) return false;
  for (const auto& wanted : port.addresses)
    for (const auto& listens : port.listens_on)
      if (covers(listens, wanted)) return false;
  return true;
}

bool listens_elsewhere(const Facts& facts, const std::string& url) {
  return std::ranges::any_of(
      facts.ports, [&](const auto& port) { return port.url == url && listens_elsewhere(port); });
}

bool answered_by_another(const ServiceFacts& service) {
  return service.trouble.empty() && !service.name.empty() &&
         service.name != "botburrow-" + service.kind;
}

const std::vector<Check>& port_checks() {
  static const std::vector<Check> checks = {
      {"ports.taken", "Ports are our services' own",
       "another program has the port of a service, which then ends at its start (`port_in_use`)",
       "stop that program, or give the service another port (METRICS_PORT, API_PORT of the Hub)",
       taken},
      {"ports.address", "Services listen where they are looked for",
       "METRICS_HOST (API_HOST of the Hub) lets it listen on another address than the URL names: "
       "on 127.0.0.1 it is there for this machine alone",
       "METRICS_HOST=0.0.0.0 (API_HOST=0.0.0.0 for the Hub) and restart it, or correct the URL",
       address}};
  return checks;
}

}  // namespace botburrow::cli::doctor
