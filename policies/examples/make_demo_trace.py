"""Writes the demo's trace to standard output: one working day of a small company's model calls, 334 lines of JSON.

Everything is made up here from word lists with a fixed seed, so the trace is the same everywhere. The agent task is
the published example of an expensive loop: 2,000 tokens of planning, three tool calls of 1,500, 3,000 of synthesis, a
retry of 5,000; we add a closing check of 1,000, which makes 15,500. One of the nine tasks goes wrong and repeats its
retry until something stops it.

Token counts are counts of words and punctuation marks, which for this plain English is within a few percent of what
o200k_base gives.
"""

import datetime
import json
import random
import re
import sys

RANDOM = random.Random(20260702)
DAY = datetime.datetime(2026, 7, 1, 8, 0, tzinfo=datetime.timezone.utc)

# (customer, tier, share of the chat and triage traffic)
CUSTOMERS = [("orchard", "enterprise", 6), ("harbor", "pro", 4), ("meadow", "pro", 3), ("summit", "free", 2), ("willow", "free", 1)]

QUESTIONS = [
    "How do I reset my password?",
    "Where can I download last month's invoice?",
    "How do I add a colleague to my team?",
    "Which payment methods do you accept?",
    "Can I change the currency of my account?",
    "How long do you keep deleted files?",
    "How do I export my data as a spreadsheet?",
    "What is the size limit for an upload?",
    "How do I turn on two factor sign in?",
    "Why was my card charged twice this month?",
    "How do I cancel my plan?",
    "Do you offer a discount for schools?",
]
# What people add without changing what they ask.
TURNS = ["{q}", "{q}", "Hi, {q}", "{q} Thanks.", "Hello. {q}"]

TICKETS = [
    "The page stays blank after I sign in with the new phone.",
    "I was billed for two seats but we only have one.",
    "Please delete my account and all of its data.",
    "The report that I get every Monday did not arrive today.",
    "Could you add a dark theme to the editor?",
    "Our security team needs your audit report before Friday.",
    "The search box finds nothing since the last update.",
    "We would like to move from the monthly to the yearly plan.",
]

REVIEWS = [
    "Review this change for data races. Prove that the counter cannot go negative when two workers take the last item, "
    "or show an interleaving in which it does.\n\n```cpp\nbool Take(Queue& q, Item* out) {\n  if (q.count.load() == 0) return false;\n"
    "  q.count.fetch_sub(1);\n  *out = q.items[q.head.fetch_add(1) % q.size];\n  return true;\n}\n```\nExplain step by step.",
    "Derive the expected number of probes of a failed search in this open addressing table as a function of its load "
    "factor, then compare linear and quadratic probing.\n\n```cpp\nsize_t Find(uint64_t key) {\n  size_t i = Hash(key) & mask;\n"
    "  while (slots[i].used && slots[i].key != key) i = (i + step++) & mask;\n  return i;\n}\n```",
]

WORDS = ("the market report shows that supply and demand for this product moved in the last year while prices in most "
         "regions stayed near the level of the year before and larger buyers signed longer contracts because they "
         "expect higher rates of growth next quarter although some smaller firms delay their orders until new rules "
         "on trade are clear which means that every forecast must state its range and the data behind it").split()


def tokens(text):
    return len(re.findall(r"\w+|[^\w\s]", text))


def prose(count):
    """About `count` tokens of plain English."""
    words, made = [], 0
    while made < count:
        length = min(RANDOM.randint(9, 17), count - made)
        sentence = [RANDOM.choice(WORDS) for _ in range(max(1, length - 1))]
        words.append(" ".join(sentence).capitalize() + ".")
        made += len(sentence) + 1
    return " ".join(words)


def call(time, customer, feature, use_case, messages, output, **more):
    name, tier = customer
    used = {"input_tokens": sum(tokens(m["content"]) for m in messages) + 4 * len(messages), "output_tokens": output}
    line = {"time": time, "tenant": "acme", "customer": name, "customer_tier": tier, "feature": feature, "use_case": use_case,
            "model": "gpt-5", "messages": messages, "usage": used}
    line.update(more)
    # A plain model of a plain machine: half a second to the first token, 60 tokens a second after it.
    line["latency_ms"] = 500 + output * 1000 // 60
    return line


def customer():
    chosen = RANDOM.choices(CUSTOMERS, weights=[c[2] for c in CUSTOMERS])[0]
    return chosen[0], chosen[1]


def at(minutes):
    return DAY + datetime.timedelta(minutes=minutes)


def chat():
    for _ in range(150):
        who = customer()
        text = RANDOM.choice(TURNS).format(q=RANDOM.choice(QUESTIONS))
        yield call(at(RANDOM.uniform(0, 540)), who, "support-chat", "chat",
                   [{"role": "system", "content": "You answer questions about the product in two friendly sentences."},
                    {"role": "user", "content": text}],
                   RANDOM.randint(35, 90), team="support", session=f"chat-{who[0]}-{RANDOM.randint(1, 30)}", max_output_tokens=300)


def triage():
    for i in range(80):
        yield call(at(RANDOM.uniform(0, 540)), customer(), "ticket-triage", "classification",
                   [{"role": "system", "content": "Classify the ticket as billing, bug, feature, security or other. Answer with one word."},
                    {"role": "user", "content": f"Ticket {4100 + i}: {RANDOM.choice(TICKETS)}"}],
                   RANDOM.randint(2, 4), team="support", max_output_tokens=8)


def reviews():
    for i in range(20):
        yield call(at(RANDOM.uniform(0, 540)), ("orchard", "enterprise"), "code-review", "review",
                   [{"role": "system", "content": "You review changes of a database engine."},
                    {"role": "user", "content": RANDOM.choice(REVIEWS) + f"\n\nChange {700 + i}. " + prose(200)}],
                   RANDOM.randint(500, 900), team="platform", max_output_tokens=2000)


def agent_task(number, start, who, retries):
    """The steps of one research task; (what is new, tokens in, tokens out) each with a context of its own."""
    steps = [("Plan the research. Name the tools to call and why.", 1600, 400)]
    steps += [(f"Read what the tool returned and extract the figures. Tool {n} of 3.", 1300, 200) for n in (1, 2, 3)]
    steps += [("Synthesise the findings into one page.", 2400, 600)]
    steps += [("The page failed its check. Write it again.", 4300, 700)] * retries
    steps += [("Check the page against the figures.", 850, 150)]
    minutes = start
    attempt = 1
    for i, (instruction, tokens_in, tokens_out) in enumerate(steps, 1):
        again = instruction.startswith("The page failed")
        attempt = attempt + 1 if again else 1
        head = [{"role": "system", "content": "You are a research agent."}, {"role": "user", "content": instruction}]
        body = prose(tokens_in - sum(tokens(m["content"]) + 4 for m in head) - 4)
        yield call(at(minutes), who, "research-agent", "agent", head + [{"role": "tool", "content": body}], tokens_out,
                   team="research", session=f"research-{number}", task=f"task-{number}", step=i, attempt=attempt,
                   tools=3, max_output_tokens=1000, **({"task_success": retries < 5} if i == len(steps) else {}))
        minutes += 0.5


def agents():
    for number in range(1, 10):
        who = ("meadow", "pro") if number == 7 else customer()
        yield from agent_task(number, 50 * number, who, 22 if number == 7 else 1)


def main():
    lines = [*chat(), *triage(), *reviews(), *agents()]
    lines.sort(key=lambda line: line["time"])
    for i, line in enumerate(lines, 1):
        line = {"request_id": f"demo-{i:04}", **line, "time": line["time"].isoformat(timespec="milliseconds").replace("+00:00", "Z")}
        json.dump(line, sys.stdout, separators=(",", ":"))
        print()


if __name__ == "__main__":
    main()
