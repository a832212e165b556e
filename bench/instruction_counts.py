"""Instructions per operation on fixed inputs, counted by callgrind: instruction_counts.py BINARY [--against FILE]

Prints a line "SCENARIO INSTRUCTIONS" each, which --against reads back: then the difference is printed beside it. Counts
do not depend on what else the machine does; two runs differ by less than 0.1 %.
"""

import argparse
import re
import subprocess
import tempfile

TIMES = 1000


def count(binary, scenario, times):
    with tempfile.TemporaryDirectory() as folder:
        result = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", binary, scenario,
                                 str(times)], cwd=folder, text=True, capture_output=True, check=False)
    collected = re.search(r"Collected : (\d+)", result.stderr)
    if result.returncode != 0 or collected is None:
        raise SystemExit(f"{scenario}: {result.stderr}")
    return int(collected[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary")
    parser.add_argument("--against", help="an earlier output, to compare with")
    arguments = parser.parse_args()
    before = {}
    if arguments.against:
        with open(arguments.against, encoding="utf-8") as file:
            before = {name: int(value) for name, value, *_ in (line.split() for line in file if line.strip())}
    scenarios = subprocess.run([arguments.binary], text=True, capture_output=True, check=False).stdout.split()
    for scenario in scenarios:
        each = round((count(arguments.binary, scenario, 2 * TIMES) - count(arguments.binary, scenario, TIMES)) / TIMES)
        change = f"  {100 * (each / before[scenario] - 1):+.1f} %" if scenario in before else ""
        print(f"{scenario:30} {each:10}{change}", flush=True)


if __name__ == "__main__":
    main()
