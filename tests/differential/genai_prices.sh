#!/bin/sh
# Holds `purser cost` to the npm package @pydantic/genai-prices on random calls; see genai_prices.mjs.
#
#   tests/differential/genai_prices.sh bin/purser [CALLS] [SEED]
#
# Says "skipped" and succeeds where npm, node or the registry is out of reach.
set -eu
purser=$(realpath "${1:?usage: genai_prices.sh PURSER [CALLS] [SEED]}")
here=$(dirname "$(realpath "$0")")
for tool in npm node; do
  command -v "$tool" > /dev/null || { echo "skipped: $tool is missing"; exit 0; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if ! (cd "$work" && npm pack --silent @pydantic/genai-prices@0.1.8 > /dev/null 2>&1 && tar xzf ./*.tgz); then
  echo "skipped: the npm registry cannot be reached"
  exit 0
fi
node "$here/genai_prices.mjs" "$purser" "$work/package" "$work" "${2:-10000}" "${3:-1}"
