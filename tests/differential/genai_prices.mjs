// Prices random calls with @pydantic/genai-prices and with `purser cost` over a book imported from that package's own table,
// and compares. Usage: node genai_prices.mjs PURSER PACKAGE_DIR WORK_DIR [CALLS] [SEED]

import {execFileSync} from 'node:child_process'
import {openSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {pathToFileURL} from 'node:url'

const [purser, packageDir, workDir, callsText = '10000', seedText = '1'] = process.argv.slice(2)
const {calcPrice, findProvider} = await import(pathToFileURL(join(packageDir, 'dist/index.js')))

// mulberry32: small, seeded, good enough to pick test cases.
let state = Number(seedText) >>> 0
function random() {
  state = (state + 0x6d2b79f5) >>> 0
  let t = Math.imul(state ^ (state >>> 15), state | 1)
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296
}
const below = n => Math.floor(random() * n)
const pick = list => list[below(list.length)]

function table() {
  // Into a file: the program leaves before a pipe is empty.
  const listPath = join(workDir, 'list.txt')
  execFileSync('node', [join(packageDir, 'dist/cli.js'), 'list'], {stdio: ['ignore', openSync(listPath, 'w'), 'inherit']})
  const listed = readFileSync(listPath, 'utf8')
  const ids = [...new Set([...listed.matchAll(/^\s*([^\s:]+):/gm)].map(match => match[1]))]
  return ids.map(id => findProvider({providerId: id})).filter((provider, i, all) => provider && all.indexOf(provider) === i)
}

// A name that the model's match rule may be meant for.
function nameOf(model) {
  const names = [model.id]
  const visit = match => {
    const [kind, value] = Object.entries(match)[0]
    if (Array.isArray(value)) value.forEach(visit)
    else if (kind === 'equals') names.push(value)
    else if (kind === 'starts_with') names.push(value, value + '-20250' + (1 + below(9)) + '1' + below(9))
    else if (kind === 'contains') names.push('x/' + value, value)
    else if (kind === 'ends_with') names.push('some-' + value)
  }
  visit(model.match)
  const name = pick(names)
  return random() < 0.1 ? name.toUpperCase() : name
}

// Counts for every corner of the space, summed up into every meter, so that they never contradict each other.
function consistentUsage() {
  const size = pick([10, 1000, 100000, 1000000])
  const usage = {}
  const add = (key, units) => { usage[key] = (usage[key] ?? 0) + units }
  const modalities = random() < 0.5 ? ['text'] : ['text', 'audio', 'image', 'video']
  for (const modality of modalities) {
    const corners = [['', 1], ['cache_read', 0.6], ['cache_write_5m', 0.3], ['cache_write_1h', 0.3], ['tool', 0.2]]
    for (const [kind, chance] of corners) {
      const units = random() < chance ? below(size) : 0
      add('input_tokens', units)
      add(`input_${modality}_tokens`, units)
      if (kind === '') continue
      if (kind === 'tool') {
        add('input_tool_tokens', units)
        add(`input_${modality}_tool_tokens`, units)
        continue
      }
      const rest = kind.slice('cache_'.length)
      for (const step of rest.startsWith('write') ? ['write', rest] : [rest]) {
        add(`cache_${step}_tokens`, units)
        add(`cache_${modality}_${step}_tokens`, units)
      }
    }
    for (const [kind, chance] of [['', 1], ['reasoning', 0.4], ['citation', 0.2]]) {
      const units = random() < chance ? below(size / 4) : 0
      add('output_tokens', units)
      add(`output_${modality}_tokens`, units)
      if (kind === '') continue
      add(`output_${kind}_tokens`, units)
      add(`output_${modality}_${kind}_tokens`, units)
    }
  }
  if (random() < 0.3) usage.web_searches = below(20)
  return usage
}

const providers = table()
const tablePath = join(workDir, 'table.json')
const bookPath = join(workDir, 'book.textproto')
writeFileSync(tablePath, JSON.stringify(providers))
const report = execFileSync(purser, ['prices', 'import', '--from', 'genai-prices', tablePath, '--out', bookPath,
                                     '--allow-suspicious'], {encoding: 'utf8', maxBuffer: 1 << 28})
console.log(report.trim().split('\n').at(-1))

console.warn = () => {}
const cases = []
for (let i = 0; i < Number(callsText); ++i) {
  const provider = pick(providers.filter(one => one.models.length > 0))
  const model = nameOf(pick(provider.models))
  const time = new Date(Date.UTC(2024, 0, 1) + below(3 * 365 * 86400) * 1000)
  const usage = consistentUsage()
  let expected = null
  let refused = null
  try {
    expected = calcPrice({...usage}, model, {providerId: provider.id, timestamp: time})
  } catch (error) {
    refused = String(error.message)
  }
  cases.push({id: String(i), provider: provider.id, model, time: time.toISOString(), usage, expected, refused})
}
const input = cases.map(({id, provider, model, time, usage}) => JSON.stringify({id, provider, model, time, usage})).join('\n')
const output = execFileSync(purser, ['cost', '--prices', bookPath], {input, encoding: 'utf8', maxBuffer: 1 << 30})
const got = new Map(output.trim().split('\n').map(line => JSON.parse(line)).map(one => [one.id, one]))

// The package adds up doubles.
const close = (a, b) => Math.abs(a - b) <= 1e-12 * Math.max(1, Math.abs(a), Math.abs(b))
const tally = {
  agree: 0,
  'unknown to both': 0,
  'refused by genai-prices only': 0,
  'named by its id, which only Purser takes for a name': 0,
  'unpriced: an error here, 0 there': 0,
  differ: 0,
}
const reasons = new Map()
for (const one of cases) {
  const mine = got.get(one.id)
  const {expected} = one
  if (one.refused) {
    tally['refused by genai-prices only']++
    const reason = one.refused.replace(/[(]?\d+[)]?/g, 'N')
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
  } else if (expected === null) {
    const byId = providers.find(({id}) => id === one.provider).models.some(model => model.id.toLowerCase() === one.model.toLowerCase())
    if (byId && 'cost_usd' in mine) tally['named by its id, which only Purser takes for a name']++
    else if ('error' in mine && !('cost_usd' in mine)) tally['unknown to both']++
    else tally.differ++ < 10 && console.log('only Purser has a price:', JSON.stringify(one), JSON.stringify(mine))
  } else if ('cost_usd' in mine && close(Number(mine.cost_usd), expected.total_price) &&
             close(Number(mine.input_usd), expected.input_price) && close(Number(mine.output_usd), expected.output_price)) {
    tally.agree++
  } else if ('error' in mine && mine.error.includes('no rate for') && expected.total_price === 0) {
    tally['unpriced: an error here, 0 there']++
  } else {
    tally.differ++ < 10 && console.log('differs:', JSON.stringify(one), JSON.stringify(mine))
  }
}
for (const [what, count] of Object.entries(tally)) console.log(`${String(count).padStart(6)} ${what}`)
for (const [reason, count] of [...reasons].sort((a, b) => b[1] - a[1]).slice(0, 5)) console.log(`       ${count} x ${reason}`)
process.exit(tally.differ === 0 ? 0 : 1)
