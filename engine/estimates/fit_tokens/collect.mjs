// Gathers text to fit and to judge token weights on, out of unpacked Debian packages, npm packages and what is
// installed here. Nothing of it goes into the repository; only the weights do.
//
//   node collect.mjs --debs DIR --npm DIR --out corpus.jsonl
//
// --debs: DIR/PACKAGE/ holds `dpkg -x` of each package named in sources.mjs; --npm: DIR/PACKAGE/ what `npm pack`
// leaves, unpacked (@ and / in a name become _). A source that is not there is skipped with a message. Each line: {"kind","source","held","text"}.
// `held` sources are never fitted on: whole packages, not lines of the same files.

import fs from "node:fs";
import path from "node:path";
import zlib from "node:zlib";
import crypto from "node:crypto";
import { sources } from "./sources.mjs";

const args = Object.fromEntries(
  process.argv.slice(2).map((a, i, all) => [a, all[i + 1]]).filter(([a]) => a.startsWith("--")));
const kPieceBytes = 6000;  // Of one file at most so much at a time, so that many files are seen.

function* walk(dir, depth = 0) {
  let entries;
  try { entries = fs.readdirSync(dir, { withFileTypes: true }); } catch { return; }
  for (const entry of entries) {
    const full = path.join(dir, entry.name);
    if (entry.isDirectory() && depth < 14) yield* walk(full, depth + 1);
    else if (entry.isFile()) yield full;
  }
}

const entities = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: " ", copy: "©", mdash: "—", ndash: "–",
                   hellip: "…", lsquo: "‘", rsquo: "’", ldquo: "“", rdquo: "”" };

function htmlToText(html) {
  return html
    .replace(/<(script|style|head|nav)\b[\s\S]*?<\/\1>/gi, "")
    .replace(/\s*\n\s*/g, "\n")
    .replace(/<(p|div|br|li|tr|h\d|dt|dd|pre|table|ul|ol)\b[^>]*>/gi, "\n")
    .replace(/<[^>]*>/g, "")
    .replace(/&#x([0-9a-f]+);/gi, (_, n) => String.fromCodePoint(parseInt(n, 16)))
    .replace(/&#(\d+);/g, (_, n) => String.fromCodePoint(+n))
    .replace(/&(\w+);/g, (all, name) => entities[name] ?? all)
    .replace(/[ \t]+\n/g, "\n").replace(/\n{3,}/g, "\n\n").trim();
}

// The translations of a gettext catalogue, in its order.
function catalogueToText(buffer, originals) {
  if (buffer.length < 28 || buffer.readUInt32LE(0) !== 0x950412de) return "";
  const count = buffer.readUInt32LE(8), table = buffer.readUInt32LE(originals ? 12 : 16);
  const out = [];
  for (let i = 1; i < count; ++i) {
    const length = buffer.readUInt32LE(table + 8 * i), at = buffer.readUInt32LE(table + 8 * i + 4);
    const text = buffer.subarray(at, at + length).toString("utf8").split("\0").pop().split("\x04").pop();
    if (text.length >= 12) out.push(text);
  }
  return out.join("\n");
}

function manToText(roff) {
  return roff.split("\n").filter((line) => !/^[.']\\"/.test(line))
    .map((line) => line.replace(/^\.(\w+) ?/, (_, m) => (/^(SH|SS|TH)$/.test(m) ? "\n" : ""))
      .replace(/\\f[A-Z]|\\f\(..|\\&|\\[|%:]/g, "").replace(/\\-/g, "-").replace(/\\\(../g, " "))
    .join("\n").replace(/\n{3,}/g, "\n\n");
}

function readText(file, form) {
  let bytes = fs.readFileSync(file);
  if (file.endsWith(".gz")) bytes = zlib.gunzipSync(bytes);
  if (form === "mo") return catalogueToText(bytes, false);
  if (form === "msgid") return catalogueToText(bytes, true);
  const text = bytes.toString("utf8");
  if (form === "html") return htmlToText(text);
  if (form === "man") return manToText(text);
  return text;
}

const hash = (text) => crypto.createHash("md5").update(text).digest();

// A run of whole lines from a place in the text that depends on nothing but the text.
function cut(text, seed) {
  if (text.length <= kPieceBytes) return text;
  let at = seed.readUInt32LE(0) % (text.length - kPieceBytes);
  const line = text.lastIndexOf("\n", at);
  if (at - line < 400) at = line + 1;
  const piece = text.slice(at, at + kPieceBytes);
  const end = piece.lastIndexOf("\n");
  return end > kPieceBytes / 2 ? piece.slice(0, end) : piece;
}

const out = fs.openSync(args["--out"], "w");
for (const s of sources(args["--debs"], args["--npm"])) {
  const files = s.roots.flatMap((root) => [...walk(root)]).filter((f) => s.files.test(f))
    .map((f) => [hash(path.basename(path.dirname(f)) + "/" + path.basename(f)), f])
    .sort((a, b) => Buffer.compare(a[0], b[0])).map(([, f]) => f);
  let left = s.bytes, pieces = 0, lines = [];
  // Several rounds, each another piece of each file, until there is enough.
  for (let round = 0; round < (s.rounds ?? 6) && left > 0; ++round) {
    for (const file of files) {
      if (left <= 0) break;
      let text;
      try {
        if (fs.statSync(file).size > 30e6) continue;
        text = readText(file, s.form).replace(/\r\n/g, "\n");
      } catch { continue; }
      if (text.length < 60 || text.includes("\ufffd") || text.includes("\0")) continue;
      if (round > 0 && text.length < kPieceBytes * (round + 1)) continue;
      const piece = cut(text, hash(file + round)).toWellFormed();
      left -= Buffer.byteLength(piece);
      ++pieces;
      lines.push(JSON.stringify({ kind: s.kind, source: s.source, held: !!s.held, text: piece }));
    }
  }
  if (lines.length) fs.writeSync(out, lines.join("\n") + "\n");
  console.error(`${s.held ? "held " : "fit  "} ${s.kind} ${s.source}: ${pieces} pieces, ${s.bytes - left} bytes` +
                (files.length ? "" : "  (not here: skipped)"));
}
