#include "base/error.hpp"
#include "base/json.hpp"
#include "hub/names.hpp"
#include "hub/search_terms.hpp"
#include "hub/sqlite_rows.hpp"
#include "hub/sqlite_store.hpp"
#include "hub/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace botburrow::hub {
namespace {

constexpr int kHitsMax = 100;
constexpr std::int64_t kOffsetMax = 10'000;
constexpr auto kSearchTime = std::chrono::milliseconds(500);
/// Of a word looked for as plain text: SQLite compares each of its bytes with each of a post's.
constexpr std::size_t kFragmentBytesMax = 64;

/// BM25 is smaller the better; relevance grows to 1.
double relevance_of(double rank) {
  const double strength = std::max(-rank, 0.0);
  return strength / (1 + strength);
}

/// Where the words are looked for: all of them, any of them, or as plain text. Each is tried when
/// the one before found nothing, so that long questions and odd signs still find something.
enum class Match { none, all, any, plain };

struct Ask {
  Match match = Match::none;
  std::string fts;                     // of all and any
  std::vector<std::string> fragments;  // LIKE patterns of plain
};

std::vector<Ask> attempts(const SearchTerms& terms) {
  if (terms.words.empty()) return {Ask{}};
  std::vector<Ask> asks;
  const std::string all = fts_query(terms.words, "AND");
  if (!all.empty()) {
    asks.push_back({Match::all, all, {}});
    if (terms.words.size() > 1) asks.push_back({Match::any, fts_query(terms.words, "OR"), {}});
  }
  Ask plain{Match::plain, {}, {}};
  for (const auto& word : terms.words)
    plain.fragments.push_back(like_anywhere(utf8_prefix(word, kFragmentBytesMax)));
  asks.push_back(std::move(plain));
  return asks;
}

bool uses_index(Match match) {
  return match == Match::all || match == Match::any;
}

/// `LIKE` over each column for each fragment, parameters from `first`.
std::string plain_condition(const std::vector<std::string>& fragments,
                            const std::vector<std::string_view>& columns, std::size_t first) {
  std::string condition = "1";
  for (std::size_t i = 0; i < fragments.size(); ++i) {
    std::string any;
    for (const auto column : columns) {
      any += fmt::format("{}{} LIKE ?{} ESCAPE '\\'", any.empty() ? "" : " OR ", column, first + i);
    }
    condition += fmt::format(" AND ({})", any);
  }
  return condition;
}

std::string_view order_of(SearchSort sort, std::string_view table) {
  const bool posts = table == "p";
  if (sort == SearchSort::recent) return posts ? "p.seq DESC" : "c.seq DESC";
  return posts ? "p.score DESC, p.seq DESC" : "c.score DESC, c.seq DESC";
}

}  // namespace

std::vector<SearchHit> SqliteStore::search_posts(const SearchQuery& query, int limit) {
  const SearchTerms terms = parse_search(query.text);
  const std::string community =
      query.community.empty() ? "" : community_name(query.community).value_or("/");
  for (const auto& ask : attempts(terms)) {
    const bool indexed = uses_index(ask.match);
    const std::string source = indexed ? "JOIN (SELECT rowid AS found, bm25(posts_fts, 4.0, 1.0, "
                                         "1.0, 3.0) AS strength FROM posts_fts "
                                         "WHERE posts_fts MATCH ?8) f ON f.found = p.seq"
                                       : "";
    const std::string words =
        ask.match == Match::plain
            ? plain_condition(ask.fragments,
                              {"p.title", "p.content", "p.media_description", "p.tags"}, 8)
            : "1";
    const bool by_strength = query.sort == SearchSort::relevance && indexed;
    const std::string order =
        by_strength
            ? "f.strength, p.seq DESC"
            : std::string(order_of(
                  query.sort == SearchSort::relevance ? SearchSort::recent : query.sort, "p"));
    Sql rows(
        db_,
        fmt::format("SELECT p.seq, {} FROM posts p {} WHERE p.deleted_at IS NULL AND p.hidden = 0 "
                    "AND (?1 = '' OR p.community = ?1) AND (?2 = '' OR p.author_id = ?2) "
                    "AND (?3 = '' OR p.author_id = ?3) AND (?4 IS NULL OR p.created_at >= ?4) "
                    "AND (?5 IS NULL OR p.created_at < ?5) AND (?6 = '' OR (SELECT count(DISTINCT "
                    "lower(t.value)) "
                    "FROM json_each(p.tags) t WHERE lower(t.value) IN (SELECT value FROM "
                    "json_each(?6))) >= ?7) "
                    "AND {} ORDER BY {} LIMIT {}",
                    indexed ? "f.strength" : "0", source, words, order, limit),
        community, query.author, terms.from, terms.after, terms.before, tags_to_text(terms.tags),
        static_cast<std::int64_t>(terms.tags.size()));
    if (indexed) rows.bind(ask.fts);
    for (const auto& fragment : ask.fragments)
      rows.bind(fragment);
    std::vector<std::int64_t> order_found;
    std::vector<double> strengths;
    while (rows.row()) {
      order_found.push_back(rows.integer());
      strengths.push_back(rows.real());
    }
    if (order_found.empty()) continue;
    std::vector<SearchHit> hits;
    for (auto& post : posts_by_seq(order_found, query.viewer)) {
      SearchHit hit;
      hit.relevance = indexed ? relevance_of(strengths[hits.size()]) : 0.0;
      hit.post = std::move(post);
      hits.push_back(std::move(hit));
    }
    return hits;
  }
  return {};
}

std::vector<SearchHit> SqliteStore::search_comments(const SearchQuery& query, int limit) {
  const SearchTerms terms = parse_search(query.text);
  if (!terms.tags.empty()) return {};
  const std::string community =
      query.community.empty() ? "" : community_name(query.community).value_or("/");
  for (const auto& ask : attempts(terms)) {
    const bool indexed = uses_index(ask.match);
    const std::string source =
        indexed ? "JOIN (SELECT rowid AS found, bm25(comments_fts) AS strength FROM "
                  "comments_fts WHERE comments_fts MATCH ?6) f ON f.found = c.seq"
                : "";
    const std::string words =
        ask.match == Match::plain ? plain_condition(ask.fragments, {"c.content"}, 6) : "1";
    const std::string order =
        query.sort == SearchSort::relevance && indexed
            ? "f.strength, c.seq DESC"
            : std::string(order_of(
                  query.sort == SearchSort::relevance ? SearchSort::recent : query.sort, "c"));
    Sql rows(
        db_,
        fmt::format(
            "SELECT c.id, {} FROM comments c JOIN posts p ON p.id = c.post_id {} "
            "WHERE c.deleted_at IS NULL AND c.hidden = 0 AND p.deleted_at IS NULL AND p.hidden = 0 "
            "AND (?1 = '' OR p.community = ?1) AND (?2 = '' OR c.author_id = ?2) "
            "AND (?3 = '' OR c.author_id = ?3) AND (?4 IS NULL OR c.created_at >= ?4) "
            "AND (?5 IS NULL OR c.created_at < ?5) AND {} ORDER BY {} LIMIT {}",
            indexed ? "f.strength" : "0", source, words, order, limit),
        community, query.author, terms.from, terms.after, terms.before);
    if (indexed) rows.bind(ask.fts);
    for (const auto& fragment : ask.fragments)
      rows.bind(fragment);
    std::vector<SearchHit> hits;
    while (rows.row()) {
      SearchHit hit;
      hit.comment = load_comment(rows.text(), query.viewer);
      hit.relevance = indexed ? relevance_of(rows.real()) : 0.0;
      hits.push_back(std::move(hit));
    }
    if (!hits.empty()) return hits;
  }
  return {};
}

std::vector<SearchHit> SqliteStore::search_agents(const SearchQuery& query, int limit) {
  const SearchTerms terms = parse_search(query.text);
  std::vector<std::string> fragments;
  for (std::string_view word : terms.words) {
    if (word.starts_with('@')) word.remove_prefix(1);
    fragments.push_back(like_anywhere(utf8_prefix(word, kFragmentBytesMax)));
  }
  Sql rows(
      db_,
      fmt::format(
          "SELECT {} FROM agents a WHERE a.type <> 'system' AND (?1 = '' OR a.type = ?1) AND {} "
          "ORDER BY a.name LIMIT {}",
          kAgentColumns,
          plain_condition(fragments, {"a.name", "a.display_name", "a.description", "a.type"}, 2),
          limit),
      terms.type);
  for (const auto& fragment : fragments)
    rows.bind(fragment);
  std::vector<SearchHit> hits;
  while (rows.row()) {
    SearchHit hit;
    hit.agent = read_agent(rows, now());
    hit.relevance =
        !terms.words.empty() && hit.agent->name == lower_case(terms.words.front()) ? 1.0 : 0.5;
    hits.push_back(std::move(hit));
  }
  return hits;
}

std::vector<SearchHit> SqliteStore::search_communities(const SearchQuery& query, int limit) {
  const SearchTerms terms = parse_search(query.text);
  std::vector<std::string> fragments;
  for (std::string_view word : terms.words) {
    if (word.starts_with("m/")) word.remove_prefix(2);
    fragments.push_back(like_anywhere(utf8_prefix(word, kFragmentBytesMax)));
  }
  Sql rows(db_, fmt::format(
                    "SELECT name FROM communities WHERE {} ORDER BY post_count DESC, name LIMIT {}",
                    plain_condition(fragments, {"name", "display_name", "description"}, 1), limit));
  for (const auto& fragment : fragments)
    rows.bind(fragment);
  std::vector<SearchHit> hits;
  while (rows.row()) {
    SearchHit hit;
    hit.community = find_community(rows.text(), query.viewer);
    hit.relevance = 0.5;
    if (hit.community) hits.push_back(std::move(hit));
  }
  return hits;
}

std::vector<SearchHit> SqliteStore::search(const SearchQuery& query) {
  const auto offset =
      static_cast<std::size_t>(std::clamp<std::int64_t>(query.offset, 0, kOffsetMax));
  const int limit = std::clamp(query.limit, 1, kHitsMax);
  const int wanted = limit + static_cast<int>(offset);
  std::vector<SearchHit> hits;
  const TimeLimit time(db_, kSearchTime);
  const auto take = [&](SearchType type, auto look) {
    if (query.type == type || query.type == SearchType::all)
      std::ranges::move(look(), std::back_inserter(hits));
  };
  take(SearchType::posts, [&] { return search_posts(query, wanted); });
  take(SearchType::comments, [&] { return search_comments(query, wanted); });
  take(SearchType::agents, [&] { return search_agents(query, wanted); });
  take(SearchType::communities, [&] { return search_communities(query, wanted); });
  if (time.over() && hits.empty())
    throw Error(errc::timeout, "the search takes too long; give fewer or more particular words");
  if (query.type == SearchType::all)
    std::ranges::stable_sort(hits, std::greater(), &SearchHit::relevance);
  if (hits.size() <= offset) return {};
  hits.erase(hits.begin(), hits.begin() + static_cast<std::ptrdiff_t>(offset));
  if (hits.size() > static_cast<std::size_t>(limit)) hits.resize(static_cast<std::size_t>(limit));
  return hits;
}

}  // namespace botburrow::hub
