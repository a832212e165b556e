// The words that are single tokens, as text to fit on: what corpora are too small to show. One text per
// frequency; its kind says how often its words count ("vocabulary:30"), after Zipf's law.
//
//   node vocabulary.mjs --tokenizers DIR --out vocabulary.jsonl

import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const args = Object.fromEntries(
  process.argv.slice(2).map((a, i, all) => [a, all[i + 1]]).filter(([a]) => a.startsWith("--")));
const kMostFrequent = 2e6;  // Occurrences of the first word in a text of as many words as the corpus has.

const octaves = new Map();
const emit = (rank, share, text) => {
  const octave = Math.max(11, Math.floor(Math.log2(rank + 1)));
  const count = Math.max(1, Math.round(kMostFrequent / 2 ** octave * share));
  if (!octaves.has(count)) octaves.set(count, new Set());
  octaves.get(count).add(text);
};
for (const family of ["o200k_base", "cl100k_base"]) {
  const file = path.resolve(args["--tokenizers"], `node_modules/gpt-tokenizer/esm/bpeRanks/${family}.js`);
  const tokens = (await import(pathToFileURL(file).href)).default.map((token) => Buffer.from(token).toString("utf8"));
  const ranks = new Map(tokens.map((token, rank) => [token, rank]));
  for (const [token, rank] of ranks) {
    if (/^ \p{L}\p{L}+$/u.test(token)) {
      emit(rank, 1, token);
      // Words that are tokens without their space, too, as programs join them.
      const bare = token.slice(1), bareRank = ranks.get(bare);
      if (bareRank !== undefined && /^[A-Za-z]{3,}$/.test(bare))
        for (const before of ["\n", "\n.", "\n_", "\n("]) emit(bareRank, 0.25, before + bare);
    } else if (/^[A-Z][a-z]{2,}$/.test(token)) {
      emit(rank, 0.5, "\nfoo" + token);
    }
  }
}
const out = fs.openSync(args["--out"], "w");
for (const [count, words] of octaves)
  fs.writeSync(out, JSON.stringify({ kind: `vocabulary:${count}`, source: "vocabularies", held: false, text: "a" + [...words].join("") }) + "\n");
