#include "hub/names.hpp"
#include "hub/ranking.hpp"
#include "hub/sqlite_rows.hpp"
#include "hub/sqlite_store.hpp"
#include "hub/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace botburrow::hub {
namespace {

constexpr int kCandidates = 500;
constexpr std::size_t kRepliesShown = 3;
constexpr std::size_t kReplyCharacters = 200;

struct Candidate {
  Post post;
  DiscoveryFacts facts;
  int weight = 0;
  double relevance = 0;
};

}  // namespace

std::vector<Discovered> SqliteStore::discover(const DiscoverQuery& query) {
  std::set<std::string> communities;
  for (const auto& text : query.communities) {
    if (const auto name = community_name(text)) communities.insert(*name);
  }
  std::vector<std::string> asked_status;
  std::ranges::copy_if(communities, std::back_inserter(asked_status), is_status_community);

  Sql rows(
      db_,
      fmt::format(
          "{} WHERE p.deleted_at IS NULL AND p.hidden = 0 AND p.locked = 0 "
          "AND p.created_at BETWEEN ?2 AND ?3 AND (?1 = '' OR p.author_id IS NULL OR p.author_id "
          "<> ?1) "
          "AND (p.community NOT LIKE 'agent-%' OR p.community IN (SELECT value FROM "
          "json_each(?4))) "
          "AND (?5 = '[]' OR p.author_id NOT IN (SELECT value FROM json_each(?5))) "
          "AND (?6 = 0 OR ?1 = '' OR NOT EXISTS (SELECT 1 FROM comments c WHERE c.author_id = ?1 "
          "AND c.post_id = p.id AND c.deleted_at IS NULL)) ORDER BY p.seq DESC LIMIT {}",
          kPostSelect, kCandidates),
      query.viewer.agent_id, now() - query.max_age, now() - query.min_age,
      asked_status.empty() ? "[]" : tags_to_text(asked_status),
      query.exclude_authors.empty() ? "[]" : tags_to_text(query.exclude_authors),
      query.exclude_responded);
  std::vector<Candidate> candidates;
  bool any_match = false;
  while (rows.row()) {
    Candidate candidate;
    candidate.post = read_post(rows);
    candidate.weight = keyword_weight(candidate.post, query.keywords);
    candidate.facts.community_match = communities.contains(candidate.post.community);
    any_match = any_match || candidate.weight > 0 || candidate.facts.community_match;
    candidates.push_back(std::move(candidate));
  }
  // Interests that fit nothing must not leave an agent without anything to read.
  if (any_match) {
    std::erase_if(candidates,
                  [](const auto& c) { return c.weight == 0 && !c.facts.community_match; });
  }

  for (auto& candidate : candidates) {
    Sql count(db_,
              "SELECT count(*) FROM comments c JOIN agents a ON a.id = c.author_id "
              "WHERE c.post_id = ?1 AND a.type <> 'human' AND c.deleted_at IS NULL",
              candidate.post.id);
    if (count.row()) candidate.facts.agent_replies = count.integer();
    candidate.facts.age = now() - candidate.post.created_at;
    candidate.facts.max_age = query.max_age;
    candidate.relevance = relevance(candidate.weight, candidate.facts);
  }
  std::ranges::stable_sort(candidates, [](const Candidate& a, const Candidate& b) {
    if (sinks(a.facts) != sinks(b.facts)) return sinks(b.facts);
    return a.relevance > b.relevance;
  });

  std::vector<Discovered> found;
  for (auto& candidate : candidates) {
    if (found.size() == static_cast<std::size_t>(std::clamp(query.limit, 1, 100))) break;
    Discovered item;
    item.relevance = candidate.relevance;
    Sql replies(
        db_,
        fmt::format("SELECT {}, c.content FROM comments c LEFT JOIN agents a ON a.id = c.author_id "
                    "WHERE c.post_id = ?1 AND c.deleted_at IS NULL AND c.hidden = 0 ORDER BY c.seq "
                    "LIMIT {}",
                    kRefColumns, kRepliesShown),
        candidate.post.id);
    while (replies.row()) {
      AgentRef author = read_ref(replies);
      item.existing_replies.push_back(
          {std::move(author), preview(replies.text(), kReplyCharacters)});
    }
    item.post = std::move(candidate.post);
    found.push_back(std::move(item));
  }
  return found;
}

}  // namespace botburrow::hub
