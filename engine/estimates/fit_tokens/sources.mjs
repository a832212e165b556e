// What the weights are fitted and judged on. `bytes` balances the kinds; `held` sources only judge.

const languages = {
  ar: "ar-MA", bg: "", ca: "ca-ES", cs: "cs-CZ", da: "da-DK", de: "de-DE", el: "el-GR", es: "es-ES", et: "",
  fa: "fa-IR", fi: "", fr: "fr-FR", he: "", hi: "", hr: "hr-HR", hu: "", id: "id-ID", it: "it-IT", ja: "ja-JP",
  ko: "ko-KR", nb: "nb-NO", nl: "nl-NL", pl: "pl-PL", pt: "", pt_BR: "pt-BR", ro: "ro-RO", ru: "ru-RU", sk: "",
  sv: "sv-SE", tr: "tr-TR", uk: "", vi: "vi-VN", zh_CN: "zh-CN", zh_TW: "zh-TW", th: "", bn: "", ta: "", te: "",
  ml: "", mr: "", gu: "", kn: "", pa: "", ka: "", lt: "", lv: "", sr: "", sl: "", km: "", my: "", ne: "", si: "",
  hy: "", kk: "", mn: "", am: "", eu: "", ga: "", is: "", sq: "", sw: "", uz: "", af: "",
};
const cjk = /^(zh|ja|ko)/;
const common = /^(ar|de|es|fr|he|hi|it|nl|pl|pt|ru|th|tr|uk|vi|el)/;

export function sources(debs, npm) {
  const all = [];
  const add = (kind, source, roots, files, form, bytes, more = {}) =>
    all.push({ kind, source, roots: [].concat(roots), files, form, bytes, ...more });
  const deb = (name) => `${debs}/${name}/usr`;
  const lib = (name) => `${npm}/${name.replace(/[@/]/g, "_")}/package`;
  const M = 1e6;

  // Other languages. The handbook is held back.
  for (const [code, handbook] of Object.entries(languages)) {
    const share = cjk.test(code) ? 2 : common.test(code) ? 1 : 0.4;
    const dash = code.toLowerCase().replace("_", "-").replace(/^pa$/, "pa-in");
    const kind = `lang_${code}`;
    if (handbook)
      add(kind, "debian-handbook", `${deb("debian-handbook")}/share/doc/debian-handbook/html/${handbook}`, /\.html$/,
          "html", 0.2 * M, { held: true });
    add(kind, "libreoffice-help", deb(`libreoffice-help-${dash}`), /\/text\/.*\.html$/, "html", 0.9 * M * share);
    add(kind, "libreoffice-l10n", deb(`libreoffice-l10n-${dash}`), /\.mo$/, "mo", 0.5 * M * share, { rounds: 40 });
    add(kind, "wesnoth", deb("wesnoth-1.16-data"), new RegExp(`locale/${code}/LC_MESSAGES/.*\\.mo$`), "mo",
        0.8 * M * share, { rounds: 40 });
    add(kind, "vlc", deb("vlc-l10n"), new RegExp(`locale/${code}(_PT)?/LC_MESSAGES/.*\\.mo$`), "mo", 0.15 * M * share,
        { rounds: 40 });
    add(kind, "gnome-user-docs", deb("gnome-user-docs"), new RegExp(`/help/${code}/.*\\.page$`), "html",
        0.3 * M * share);
    add(kind, "debian-reference", deb(`debian-reference-${dash}`), /\.html$/, "html", 0.4 * M * share);
    add(kind, "manpages", deb(`manpages-${dash.replace(/-.*/, "")}`), /\/man\/[a-z]+(_[A-Z]+)?\/man\d\/.*\.gz$/, "man",
        0.3 * M * share);
    add(kind, "debian-faq", deb(`debian-faq-${dash}`), /\.html$/, "html", 0.2 * M * share);
    add(kind, "developers-reference", deb(`developers-reference-${dash}`), /\.html$/, "html", 0.2 * M * share);
    add(kind, "aptitude-doc", deb(`aptitude-doc-${dash}`), /\.html$/, "html", 0.2 * M * share);
  }

  // English prose.
  add("english", "debian-handbook", `${deb("debian-handbook")}/share/doc/debian-handbook/html/en-US`, /\.html$/, "html",
      0.4 * M, { held: true });
  add("english", "debian-history", deb("debian-history"), /\.html$/, "html", 0.1 * M, { held: true });
  add("english", "fortunes", deb("fortunes"), /games\/fortunes\/[a-z-]+$/, "raw", 0.3 * M, { held: true });
  add("english", "libreoffice-help", deb("libreoffice-help-en-us"), /\/text\/.*\.html$/, "html", 1 * M);
  add("english", "wordnet", deb("wordnet-base"), /\/data\.(noun|verb|adj|adv)$/, "raw", 0.4 * M, { rounds: 100 });
  add("english", "wesnoth", deb("wesnoth-1.16-data"), /locale\/(de|fr)\/LC_MESSAGES\/.*\.mo$/, "msgid", 2 * M,
      { rounds: 60 });
  add("english", "perl-doc", deb("perl-doc"), /\.pod$/, "raw", 1 * M);
  add("english", "python3-doc", deb("python3-doc"), /\.html$/, "html", 1 * M);
  add("english", "postgresql-doc", deb("postgresql-doc-15"), /\.html$/, "html", 1 * M);
  add("english", "debian-reference", deb("debian-reference-common"), /\.html$/, "html", 0.5 * M);
  add("english", "jargon", [deb("dict-jargon"), deb("dict-foldoc")], /\.dict\.dz$/, "raw", 1 * M, { rounds: 100 });
  add("english", "installation-guide", deb("installation-guide-amd64"), /\/en\/.*\.html$/, "html", 0.5 * M);
  add("english", "gnome-user-docs", deb("gnome-user-docs"), /\/help\/C\/.*\.page$/, "html", 0.6 * M);
  add("english", "installed docs", "/usr/share/doc", /(README|NEWS|copyright|changelog)[^/]*$/i, "raw", 1.5 * M);
  add("english", "installed man pages", "/usr/share/man", /\/man\d\/.*\.gz$/, "man", 0.7 * M);

  // Code.
  const pyenv = "/usr/lib";
  add("code", "golang-src", deb("golang-1.19-src"), /\.go$/, "raw", 4 * M);
  add("code", "rust-src", deb("rust-src"), /\.rs$/, "raw", 3.5 * M);
  add("code", "boost", deb("libboost1.74-dev"), /\.[hi]pp$/, "raw", 2 * M);
  add("code", "libstdc++", "/usr/include/c++", /./, "raw", 1 * M);
  add("code", "c headers", "/usr/include", /^\/usr\/include\/(linux|x86_64-linux-gnu|node|sys|asm-generic|openssl)\/.*\.h$/,
      "raw", 1 * M);
  add("code", "ansible", [deb("ansible"), deb("ansible-core")], /\.py$/, "raw", 2.5 * M);
  add("code", "python stdlib", pyenv, /\/usr\/lib\/python3(\.\d+)?\/.*\.py$/, "raw", 2.5 * M);
  add("code", "python stdlib", "/usr/lib/python3.11", /python3.11\/[a-z]+\/[a-z_]+\.py$/, "raw",
      2 * M);
  add("code", "typescript", ["three", "rxjs", "eslint", "webpack", "lodash", "date-fns", "@mui/material", "next", "typescript", "vue", "svelte"].map(lib),
      /(?<!\.min)\.(ts|tsx|js|jsx|mjs|cjs)$/, "raw", 5 * M, { rounds: 1 });
  add("code", "npm", "/usr/lib/node_modules", /\.(ts|js)$/, "raw", 1 * M, { rounds: 1 });
  add("code", "shell", ["/usr/bin", "/usr/share", "/etc"], /\.sh$/, "raw", 0.5 * M);
  add("code", "perl", "/usr/share/perl", /\.p[ml]$/, "raw", 0.7 * M);
  add("code", "wesnoth lua", deb("wesnoth-1.16-data"), /\.lua$/, "raw", 0.6 * M);
  add("code", "wesnoth cfg", deb("wesnoth-1.16-data"), /\.cfg$/, "raw", 0.4 * M);
  add("code", "html css", [deb("postgresql-doc-15"), deb("python3-doc"), deb("nodejs-doc")], /\.(html|css)$/, "raw", 0.7 * M,
      { rounds: 1 });
  add("code", "protobuf headers", "/usr/include/google", /\.(h|proto)$/, "raw", 0.4 * M, { held: true });
  add("code", "re2 simdjson hnswlib headers", "/usr/include", /\/usr\/include\/(re2|hnswlib|gtest|gmock|benchmark|CLI)\/.*\.(h|hpp)$/,
      "raw", 0.4 * M, { held: true });
  add("code", "vite openai zod", ["vite", "openai", "zod"].map(lib), /\.(ts|js|mjs)$/, "raw", 0.6 * M,
      { held: true, rounds: 1 });
  add("code", "python 3.13 lib2", "/usr/lib/python3/dist-packages", /\.py$/, "raw", 0.5 * M,
      { held: true });

  // Data and configuration.
  add("json", "npm json", ["eslint", "webpack", "three", "cldr-core", "cldr-localenames-full", "mdn-data", "typescript", "next"].map(lib),
      /\.json$/, "raw", 2 * M, { rounds: 3 });
  add("json", "octokit", lib("@octokit/openapi"), /\.json$/, "raw", 1 * M, { rounds: 200 });
  add("json", "installed json", ["/usr/share", "/usr/lib/python3"], /\.json$/, "raw", 0.6 * M);
  add("json", "iso-codes", deb("iso-codes"), /\.json$/, "raw", 0.2 * M, { held: true, rounds: 10 });
  add("json", "vite openai zod", ["vite", "openai", "zod"].map(lib), /\.json$/, "raw", 0.2 * M, { held: true, rounds: 2 });
  add("yaml", "ansible", [deb("ansible")], /\.ya?ml$/, "raw", 2.5 * M);
  add("yaml", "npm yaml", [npm, "/usr/lib/python3"], /\.ya?ml$/, "raw", 0.6 * M);

  // Markdown.
  add("markdown", "npm", ["eslint", "webpack", "three", "rxjs", "date-fns", "@mui/material", "next", "mermaid", "js-yaml", "svelte", "typescript"].map(lib),
      /\.md$/, "raw", 3 * M, { rounds: 3 });
  add("markdown", "npm itself", "/usr/lib/node_modules", /\.md$/, "raw", 1 * M);
  add("markdown", "nodejs-doc", deb("nodejs-doc"), /\.md(\.gz)?$/, "raw", 1 * M);
  add("markdown", "ansible", deb("ansible"), /\.(md|rst)$/, "raw", 1.5 * M, { rounds: 3 });
  add("markdown", "rust-src", deb("rust-src"), /\.md$/, "raw", 0.4 * M);
  add("markdown", "vite openai zod", ["vite", "openai", "zod", "express"].map(lib), /\.md$/, "raw", 0.4 * M,
      { held: true, rounds: 2 });
  return all;
}
