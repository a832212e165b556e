// Marks in every text where tokens start, in all four families, with the npm tokenizers.
//
//   node label.mjs --tokenizers DIR --in corpus.jsonl --out corpus.bin     (DIR: prefix of npm install
//                        gpt-tokenizer llama3-tokenizer-js mistral-tokenizer-js)
//
// corpus.bin, per text, little-endian: u32 bytes, u8 held, u8 length of kind, kind, u8 length of source, source,
// u32 x 4 token counts, the text's bytes, one byte per byte of text: bit f set where a token of family f starts.
// With "tokens" in a line (known counts), the counts are compared with ours and differences are printed.

import fs from "node:fs";
import path from "node:path";
import readline from "node:readline";
import { pathToFileURL } from "node:url";

const args = Object.fromEntries(
  process.argv.slice(2).map((a, i, all) => [a, all[i + 1]]).filter(([a]) => a.startsWith("--")));
const packageFile = (file) => pathToFileURL(path.resolve(args["--tokenizers"], "node_modules", file)).href;
const load = (file) => import(packageFile(file));

const utf8 = new TextEncoder();
const families = ["o200k_base", "cl100k_base", "llama3", "mistral_v1"];

// Byte-pair encoding in its plain form: of all neighbours that may merge, those of the lowest rank do first, the
// leftmost of equals. `parts` is consumed.
function merge(parts, rankOf) {
  const rankAt = (i) => (i + 1 < parts.length ? rankOf(parts[i], parts[i + 1]) ?? Infinity : Infinity);
  const pairs = parts.map((_, i) => rankAt(i));
  for (;;) {
    let best = -1, lowest = Infinity;
    for (let i = 0; i < pairs.length; ++i) if (pairs[i] < lowest) { lowest = pairs[i]; best = i; }
    if (best < 0) return parts;
    parts[best] += parts[best + 1];
    parts.splice(best + 1, 1);
    pairs.splice(best + 1, 1);
    pairs[best] = rankAt(best);
    if (best > 0) pairs[best - 1] = rankAt(best - 1);
  }
}

// A tokenizer as: how a text falls into pieces that do not affect one another, and the lengths in bytes of a
// piece's tokens. Pieces repeat, so their lengths are remembered.
function remembering(split, lengthsOf) {
  const seen = new Map();
  return (text, visit) => {
    for (const piece of split(text)) {
      let lengths = seen.get(piece);
      if (!lengths) {
        lengths = lengthsOf(piece);
        if (piece.length < 40 && seen.size < 2e6) seen.set(piece, lengths);
      }
      visit(lengths);
    }
  };
}

// Tokens are byte strings (one character a byte), ranks their ids.
function byteLevel(regex, ranks) {
  return remembering((text) => text.match(regex) ?? [], (piece) => {
    const bytes = Buffer.from(piece, "utf8").toString("latin1");
    if (ranks.has(bytes)) return [bytes.length];
    return merge([...bytes], (a, b) => ranks.get(a + b)).map((part) => part.length);
  });
}

async function tiktoken(name) {
  const tokens = (await load(`gpt-tokenizer/esm/bpeRanks/${name}.js`)).default;
  const { CL100K_TOKEN_SPLIT_REGEX, O200K_TOKEN_SPLIT_REGEX } = await load("gpt-tokenizer/esm/encodingParams/constants.js");
  const ranks = new Map();
  tokens.forEach((token, id) => ranks.set(Buffer.from(token).toString("latin1"), id));
  return byteLevel(name === "o200k_base" ? O200K_TOKEN_SPLIT_REGEX : CL100K_TOKEN_SPLIT_REGEX, ranks);
}

async function llama3() {
  const tokenizer = (await load("llama3-tokenizer-js/bundle/llama3-tokenizer-with-baked-data.js")).default;
  // The vocabulary writes bytes as printable characters (GPT-2's table).
  const printable = (b) => (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || (b >= 174 && b <= 255);
  const byteOf = new Map();
  for (let b = 0, others = 0; b < 256; ++b) byteOf.set(String.fromCharCode(printable(b) ? b : 256 + others++), String.fromCharCode(b));
  const ranks = new Map();
  tokenizer.vocabById.slice(0, 128000).forEach((token, id) => ranks.set([...token].map((c) => byteOf.get(c)).join(""), id));
  // Llama 3's published split pattern.
  return byteLevel(/'(?:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+/giu, ranks);
}

async function mistral() {
  const tokenizer = (await load("mistral-tokenizer-js/mistral-tokenizer.js")).default;
  const known = new Set(tokenizer.vocabById);
  // No token of this vocabulary holds a space after anything else, or a line break beside anything. A character
  // that it does not have counts byte by byte.
  return remembering((text) => text.match(/\n| *[^ \n]+| +/g) ?? [], (piece) =>
    merge([...piece.replaceAll(" ", "▁")], (a, b) => tokenizer.merges.get(a + " " + b)).flatMap((part) => {
      const bytes = Buffer.byteLength(part.replaceAll("▁", " "));
      return known.has(part) ? [bytes] : Array(bytes).fill(1);
    }));
}

const tokenizers = [await tiktoken("o200k_base"), await tiktoken("cl100k_base"), await llama3(), await mistral()];
const out = fs.openSync(args["--out"], "w");
let texts = 0, differences = 0;
for await (const line of readline.createInterface({ input: fs.createReadStream(args["--in"]) })) {
  const entry = JSON.parse(line);
  const bytes = utf8.encode(entry.text);
  const marks = new Uint8Array(bytes.length);
  const counts = [0, 0, 0, 0];
  tokenizers.forEach((visitPieces, f) => {
    let at = 0;
    visitPieces(entry.text, (lengths) => {
      for (const length of lengths) {
        marks[at] |= 1 << f;
        at += length;
        ++counts[f];
      }
    });
    if (at !== bytes.length) console.error(`${families[f]}: tokens do not add up: ${at} != ${bytes.length}`, JSON.stringify(entry.text.slice(0, 80)));
  });
  if (entry.tokens)
    families.forEach((name, f) => {
      if (entry.tokens[name] !== counts[f] && ++differences <= 2000)
        console.error(`${entry.id} ${name}: known ${entry.tokens[name]}, here ${counts[f]}`);
    });
  const kind = Buffer.from(entry.kind ?? entry.category), source = Buffer.from(entry.source.slice(0, 100));
  const head = Buffer.alloc(4 + 1 + 1 + kind.length + 1 + source.length + 16);
  let p = head.writeUInt32LE(bytes.length, 0);
  p = head.writeUInt8(entry.held ?? true ? 1 : 0, p);
  p = head.writeUInt8(kind.length, p);
  p += kind.copy(head, p);
  p = head.writeUInt8(source.length, p);
  p += source.copy(head, p);
  for (const count of counts) p = head.writeUInt32LE(count, p);
  fs.writeSync(out, Buffer.concat([head, bytes, marks]));
  if (++texts % 5000 === 0) console.error(`${texts} texts`);
}
console.error(`${texts} texts, ${differences} counts that differ from known ones`);
