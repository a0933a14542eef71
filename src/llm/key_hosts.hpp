#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::llm {

/// Hosts that the operator speaks for, beside the vendors' and those of the operator's network.
struct KeyHosts {
  std::vector<std::string> own;    ///< of the settings' own base URLs
  std::vector<std::string> allow;  ///< MODEL_HOSTS_ALLOW: names, `*.example.org`, `*`
};

/// Whether the key that this variable of a vendor holds may be sent to `url`: to the vendor's own
/// hosts over https, to the operator's, and to hosts of the operator's own network by their name or
/// address. Never to link-local addresses and services of metadata, and never to what is no URL. A
/// definition may name any URL, and a key goes wherever it is sent.
bool vendor_key_may_go(std::string_view key_name, const std::string& url, const KeyHosts& hosts);

/// A host of the operator's own network: loopback, a private or shared address, a name without a
/// dot or with an ending that no public name has (`.internal`, `.local`, `.svc` …).
bool is_own_network(std::string_view host);

/// The host of a URL, in lower case and without a dot at its end; empty for what is none.
std::string host_of(const std::string& url);

/// Why this is no entry of MODEL_HOSTS_ALLOW; nothing when it is one.
std::optional<std::string> model_host_fault(std::string_view entry);

}  // namespace botburrow::llm
