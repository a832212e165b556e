"""Draws docs/architecture.md from the READMEs: architecture.py prints the page, --write stores it.

lint.py fails when the stored page is not the one that the READMEs give.
"""

import sys

import rooms

PAGE = "docs/architecture.md"
HEAD = """# Architecture

This page is drawn from the READMEs of the rooms (`python3 bazel/architecture.py --write`); `./dev lint` fails when an
include, a README and this page disagree. A room is a folder that answers one question. It may include what its README
says under "Depends on", public headers (`<purser/...>`), the standard library and the libraries that its BUILD file names.

"""


def short(room):
    return room.removeprefix("engine/")


def drawing(all_rooms):
    """Floors from the roof down; every arrow points to a floor below."""
    floors = all_rooms.floors()
    lines = ["    floor  rooms"]
    for number in range(len(floors) - 1, -1, -1):
        lines.append(f"    {number:5}  " + "   ".join(short(room) for room in floors[number]))
    return lines


def mermaid(all_rooms):
    lines = ["```mermaid", "flowchart TD"]
    name = {room: room.replace("/", "_") for room in all_rooms.stated}
    for number, floor in reversed(list(enumerate(all_rooms.floors()))):
        lines.append(f"  subgraph floor{number}[floor {number}]")
        lines += [f"    {name[room]}[{short(room)}]" for room in floor]
        lines.append("  end")
    for room, targets in sorted(all_rooms.stated.items()):
        lines += [f"  {name[room]} --> {name[target]}" for target in targets]
    return lines + ["```"]


def page(all_rooms):
    rows = ["| room | what it answers | depends on |", "|---|---|---|"]
    for floor in reversed(all_rooms.floors()):
        for room in floor:
            below = ", ".join(f"`{target}/`" for target in all_rooms.stated[room])
            if room in rooms.ABOVE_ALL:
                below = "everything of ours"
            rows.append(f"| [{room}/](../{room}/README.md) | {all_rooms.question[room]} | {below or 'nothing of ours'} |")
    summary = (f"{len(all_rooms.stated)} rooms on {len(all_rooms.floors())} floors, {all_rooms.arrows()} arrows, "
               "no circle. The public headers stand beneath all of them; the command, benchmarks and tests may reach everything.")
    return (HEAD + summary + "\n\n" + "\n".join(drawing(all_rooms)) + "\n\n" + "\n".join(rows) + "\n\n" +
            "\n".join(mermaid(all_rooms)) + "\n")


def main():
    text = page(rooms.Rooms(rooms.Tree()))
    if sys.argv[1:] == ["--write"]:
        with open(PAGE, "w", encoding="utf-8") as file:
            file.write(text)
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
