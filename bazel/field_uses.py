"""Which code reads and which writes each field of our protobuf messages and structs.

A small reader of C++ for check_fields.py. It knows declarations (locals, parameters, members, functions, `auto` from
its initialiser) and follows chains such as `policy.routing().exploration().share()`, so that `name()` of one message
is not taken for `name()` of another. It is not a compiler:

  - A variable of unknown type (a template's parameter, a structured binding) is taken for each of our types that has
    every member it is asked for; anything else unknown for each type that has the field and that the file names.
  - A field that is read only to be copied, or by code that is never called, counts as read.
  - Aggregates without names, T{a, b}, and fields that a message is given by reflection or from JSON are not seen as
    written; nor as read where a whole message is printed.

So it may miss a dead field, and what it reports as dead deserves a look before it is deleted.
"""

import re

from cpp_source import IDENTIFIER, KEYWORDS, OPEN, Declaration, SourceFile

BUILTIN = set("auto void bool char int float double int8_t int16_t int32_t int64_t uint8_t uint16_t uint32_t uint64_t "
              "size_t unsigned long short".split())
# Members and functions that hand on what they hold.
HANDED_ON = set("value front back get at begin end emplace_back second first data find Get Mutable Add lock load "
                "move forward as_const ref cref value_or".split())
MUTATORS = set("push_back emplace_back emplace append assign insert resize swap store fetch_add reset".split())
NO_VALUE = {"0", "0.0", "0.0F", "false", "nullptr", '""'}


def accessors_of(field):
    """The methods of a protobuf field, and whether they read or write it."""
    getter = field + "_" if field in KEYWORDS else field
    return [(getter, "r"), ("has_" + field, "r"), (field + "_size", "r"), ("set_" + field, "w"), ("add_" + field, "w"),
            ("mutable_" + field, "rw")]


class Uses:
    """Reads and writes of the fields of `messages` and the places of enum values in the given files."""

    def __init__(self, messages, enums, files):
        self.messages, self.enums = dict(messages), enums
        self.files = [SourceFile(path, text) for path, text in files]
        self.known = set(messages) | {c for f in self.files for c in f.classes}
        self.bases = {}  # Class: the classes that it is derived from.
        for file in self.files:
            for derived, bases in file.bases.items():
                for scope, base in bases:
                    found = self.lookup(base.split("::"), scope, file)
                    if found:
                        self.bases.setdefault(derived, []).append(found)
        self.accessors = {}  # Name: [(message, field, "r", "w", "rw" or "member")].
        for message in self.messages.values():
            for field in message.fields:
                for name, how in accessors_of(field) if message.is_proto else [(field, "member")]:
                    self.accessors.setdefault(name, []).append((message.name, field, how))
        self.members = {}  # Class: name: types.
        self.methods = set()  # (class, name)
        self.functions = {}  # Name: list of types.
        for file in self.files:
            self._find_declarations(file)
        self.reads, self.writes = {}, {}  # (message, field): places.
        for file in self.files:
            self._find_uses(file)

    # Types. A type is the set of our messages, structs and classes that a name, its template's arguments included,
    # stands for: empty for everything else, None where it is not known.

    def lookup(self, words, scope, file, depth=0):
        """The full name of a type written as `words` in `scope`; "" if it is none of ours."""
        if words and words[0] in file.aliases and depth < 4 and file.aliases[words[0]] != words:
            alias = file.aliases[words[0]]
            if all(x == "::" or IDENTIFIER.match(x) for x in alias):
                found = self.lookup(alias + words[1:], scope, file, depth + 1)
                if found:
                    return found
        name = "::".join(word for word in words if word != "::")
        path = scope.split("::") if scope else []
        for n in range(len(path), -1, -1):
            full = "::".join(path[:n] + [name])
            if full in self.known:
                return full
            if full in self.enums:
                return ""
            for base in self.bases.get("::".join(path[:n]), []):
                if base + "::" + name in self.known:
                    return base + "::" + name
        return ""

    def types_of(self, first, last, file, scope):
        """Of the type written in tokens first to last."""
        t, types, i = file.tokens, set(), first
        while i <= last:
            if not IDENTIFIER.match(t[i]) or t[i] in KEYWORDS:
                i += 1
                continue
            end = i
            while end + 2 <= last and t[end + 1] == "::":
                end += 2
            words = t[i:end + 1]
            if len(words) == 1 and words[0] in file.parameters:
                return None
            if words == ["auto"]:
                return None
            alias = file.aliases.get(words[0], []) if len(words) == 1 else []
            found = self.lookup(words, scope, file)
            if found:
                types.add(found)
            elif "<" in alias:
                for k, word in enumerate(alias):
                    begin = k
                    while begin >= 2 and alias[begin - 1] == "::":
                        begin -= 2
                    types.add(self.lookup(alias[begin:k + 1], scope, file))
                types.discard("")
            i = end + 1
        ours = {x for x in types if x in self.messages}
        return frozenset(ours or types)

    def _find_declarations(self, file):
        t = file.tokens
        for i in range(1, len(t) - 1):
            if not IDENTIFIER.match(t[i]) or t[i] in KEYWORDS or t[i + 1] not in "=;,)({[:":
                continue
            owner_begin = file.chain_before(i) if t[i + 1] == "(" else i
            k = owner_begin - 1
            while k >= 0 and t[k] in ("&", "*", "&&", "const"):
                k -= 1
            if k < 0:
                continue
            indirect, last = k != owner_begin - 1, k
            if t[k] == ">":
                k = file.angle_before(k) - 1
                if k < 0:
                    continue
            elif t[k] == "," and not indirect and file.scope[i][1] == "class" and owner_begin == i:
                self._declare_next(file, i)
                continue
            if not IDENTIFIER.match(t[k]) or t[k] in KEYWORDS:
                continue
            first = file.chain_before(k)
            if first > 0 and t[first - 1] in (".", "->"):
                continue
            scope, kind = file.scope[i]
            types = self.types_of(first, last, file, scope)
            if indirect and types == frozenset() and t[k] not in BUILTIN and t[last] != ">" and first == k:
                continue  # More likely a product.
            automatic = t[first:k + 1] == ["auto"]
            initialiser = self._initialiser(file, i) if automatic else None
            in_brackets = file.inside[i] >= 0 and t[file.inside[i]] in "(["
            if t[i + 1] == "(" and kind != "block" and not in_brackets:
                owner = [x for x in t[owner_begin:i] if x != "::"]
                path = "::".join([scope, *owner])
                self.functions.setdefault(t[i], []).append(types)
                if kind == "class" or owner:
                    self._add_member(path, t[i], types)
                    self.methods.add((path, t[i]))
            elif kind == "class" and not in_brackets:
                self._add_member(scope, t[i], types)
            else:
                file.locals.setdefault(t[i], []).append(
                    Declaration(i, file.visible_until(i), types, initialiser))

    def _member_of(self, owner, name):
        """(is there one, its types) of a member of a class or of those that it is derived from."""
        for one in [owner, *self.bases.get(owner, [])]:
            if name in self.members.get(one, {}):
                return True, self.members[one][name]
        return False, None

    def _add_member(self, path, name, types):
        self.members.setdefault(path, {})[name] = types

    def _declare_next(self, file, i):
        """`a` and `b` of a class's `int a = 0, b = 0;`: the type of the one before."""
        t, k = file.tokens, i - 2
        while k > 0 and t[k] not in (";", "{", "}") and k > i - 120:
            k -= 1
        path = file.scope[i][0]
        for name in t[k + 1:i]:
            if name in self.members.get(path, {}):
                self._add_member(path, t[i], self.members[path][name])
                return

    @staticmethod
    def _initialiser(file, i):
        """The last token of what `auto` at `i` is initialised with; None: nothing."""
        t = file.tokens
        if t[i + 1] not in ("=", ":"):
            return None
        k = i + 2
        while k < len(t):
            if t[k] in OPEN:
                k = file.match.get(k, len(t))
            elif t[k] in (";", ")", ","):
                break
            elif t[k] in ("?", "==", "&&", "||"):
                return None
            k += 1
        return k - 1

    def type_at(self, file, k, depth=0):
        """Of the expression whose last token is `k`: its types, or None."""
        t = file.tokens
        if k < 0 or depth > 12:
            return None
        if t[k] == "]":
            return self.type_at(file, file.match.get(k, 0) - 1, depth + 1)
        if t[k] == ")":
            opened = file.match.get(k, 0)
            name = opened - 1
            if name >= 0 and t[name] == ">":
                angle = file.angle_before(name)
                if angle > 0 and t[angle - 1].endswith("_cast"):
                    return self.types_of(angle + 1, name - 1, file, file.scope[k][0])
                name = angle - 1
            if name < 0 or not IDENTIFIER.match(t[name]) or t[name] in KEYWORDS:
                return self.type_at(file, k - 1, depth + 1)
            return self._type_of_call(file, name, opened, k, depth)
        if t[k] == "}" or not IDENTIFIER.match(t[k]):
            return None
        if t[k - 1] in (".", "->"):
            return self.member(self.type_at(file, k - 2, depth + 1), t[k])
        if t[k - 1] == "::":
            return None
        if t[k] == "this":
            return frozenset([file.scope[k][0]])
        return self._type_of_name(file, k, depth)

    def _type_of_call(self, file, name, opened, k, depth):
        t = file.tokens
        if t[name - 1] in (".", "->"):
            return self.member(self.type_at(file, name - 2, depth + 1), t[name])
        if t[name] in HANDED_ON:
            return self.type_at(file, k - 1, depth + 1)
        found = self.lookup(t[file.chain_before(name):name + 1], file.scope[k][0], file)
        if found:
            return frozenset([found])
        path = file.scope[k][0].split("::")
        qualifier = t[file.chain_before(name):name - 1]
        if qualifier:
            declared, types = self._member_of(self.lookup(qualifier, file.scope[k][0], file), t[name])
            if declared:
                return types
        for n in range(len(path), 0, -1):
            declared, types = self._member_of("::".join(path[:n]), t[name])
            if declared:
                return types
        for declaration in file.locals.get(t[name], []):
            if declaration.at < opened < declaration.until:
                return None  # A lambda.
        kinds = set(self.functions.get(t[name], []))
        return kinds.pop() if len(kinds) == 1 else None

    def _type_of_name(self, file, k, depth):
        name = file.tokens[k]
        best = None
        for declaration in file.locals.get(name, []):
            if declaration.at <= k < declaration.until and (best is None or declaration.at > best.at):
                best = declaration
        if best is not None and best.at != k:
            types = best.types
            if best.initialiser is not None:
                types = self.type_at(file, best.initialiser, depth + 1)
            return types if types is not None else self._by_use(file, name, best)
        path = file.scope[k][0].split("::")
        for n in range(len(path), 0, -1):
            declared, types = self._member_of("::".join(path[:n]), name)
            if declared:
                return types
        return best.types if best is not None and best.initialiser is None else None

    def _by_use(self, file, name, declaration):
        """Of something of any type (a template's): those of ours that have every member that is asked of it."""
        t, asked = file.tokens, set()
        for i in range(declaration.at, min(declaration.until, len(t) - 2)):
            if t[i] == name and t[i + 1] in (".", "->") and t[i - 1] not in (".", "->", "::"):
                asked.add(t[i + 2])
        fits = [m for m in self.messages if len(asked) > 1 and
                all(any(message == m for message, _, _ in self.accessors.get(a, [])) for a in asked)]
        return frozenset(fits) or None

    def member(self, types, name):
        """Of member `name` of something of these types."""
        if types is None:
            found = {self._field_type(m, f) for m, f, _ in self.accessors.get(name, [])}
            found |= {members[name] for members in self.members.values() if name in members}
            return found.pop() if len(found) == 1 else None
        if not types:
            return types
        result, known = set(), False
        for one in types:
            found = None
            if one in self.messages and self.messages[one].is_proto:
                for message, field, _ in self.accessors.get(name, []):
                    if message == one:
                        found = self._field_type(message, field)
            else:
                declared, found = self._member_of(one, name)
                if declared and found is None:
                    return None
            if found is None and name in HANDED_ON:
                found = frozenset([one])
            if found is not None:
                known = True
                result |= found
        return frozenset(result) if known else None

    def _field_type(self, message, field):
        if not self.messages[message].is_proto:
            return self.members.get(message, {}).get(field) or frozenset()
        path = message.split("::")
        for n in range(len(path), 0, -1):
            full = "::".join(path[:n] + [self.messages[message].fields[field]])
            if full in self.messages:
                return frozenset([full])
        full = self.messages[message].fields[field]
        return frozenset([full] if full in self.messages else [])

    # Uses.

    def _note(self, file, i, message, field, how, certain):
        if not certain and message.split("::")[-1] not in file.names:
            return
        place = (file.path, file.lines[i], certain)
        if "r" in how:
            self.reads.setdefault((message, field), []).append(place)
        if "w" in how:
            self.writes.setdefault((message, field), []).append(place)

    def _find_uses(self, file):
        t = file.tokens
        for i in range(1, len(t) - 1):
            name = t[i + 1]
            if t[i] in (".", "->") and name in self.accessors:
                if t[i] == "." and t[i - 1] in ("{", ",") and t[i + 2] in ("=", "{"):
                    self._find_designated(file, i)
                elif IDENTIFIER.match(t[i - 1]) or t[i - 1] in (")", "]"):
                    types = self.type_at(file, i - 1)
                    for message, field, how in self.accessors[name]:
                        if types is not None and message not in types:
                            continue
                        if (how == "member") == (t[i + 2] == "("):
                            continue
                        self._note(file, i, message, field, self._direction(file, i) if how == "member" else how,
                                   types is not None)
            elif t[i] == "::" and t[i - 1] not in (">", "(") and IDENTIFIER.match(t[i - 1]):
                constant = re.match(r"k(\w+)FieldNumber$", name)
                field = re.sub(r"(?<!^)(?=[A-Z])", "_", constant[1]).lower() if constant else name
                begin = file.chain_before(i - 1)
                if constant or (begin > 0 and t[begin - 1] == "&"):
                    owner = self.lookup(t[begin:i], file.scope[i][0], file)
                    if owner in self.messages and field in self.messages[owner].fields:
                        self._note(file, i, owner, field, "r", True)

    def _find_designated(self, file, i):
        t, opened = file.tokens, file.inside[i]
        if opened < 0 or t[opened] != "{":
            return
        before, types = opened - 1, None
        if t[before] == "=":
            before -= 1
        if IDENTIFIER.match(t[before]) and t[before] not in KEYWORDS:
            found = self.lookup(t[file.chain_before(before):before + 1], file.scope[i][0], file)
            types = frozenset([found]) if found else self.type_at(file, before)
        close = file.match.get(opened, len(t))
        names = {t[k + 1] for k in range(opened, close)
                 if t[k] == "." and file.inside[k] == opened and t[k - 1] in ("{", ",")}
        value = t[i + 3]
        if value in NO_VALUE and t[i + 4] in (",", "}"):
            return
        for message, field, how in self.accessors[t[i + 1]]:
            if how == "member" and (message in types if types else names <= set(self.messages[message].fields)):
                self._note(file, i, message, field, "w", bool(types) or len(names) > 1)

    def _direction(self, file, i):
        """Whether the member after the "." or "->" at `i` is read or written there."""
        t, k = file.tokens, i + 2
        while k < len(t) - 2:
            if t[k] == "[":
                k = file.match.get(k, len(t) - 2) + 1
            elif t[k] in (".", "->") and t[k + 2] != "(":
                k += 2
            else:
                break
        if t[k] == "=":
            return "" if t[k + 1] in NO_VALUE and t[k + 2] in (";", ",") else "w"
        if t[k] in ("+=", "-=", "|=", "&=", "*=", "++", "--"):
            return "w"
        if t[k] in (".", "->") and t[k + 1] in MUTATORS:
            return "w"
        if t[k] in (".", "->") and t[k + 1] == "clear":
            return ""
        begin = i
        while begin > 0:
            if t[begin - 1] in (")", "]"):
                begin = file.match.get(begin - 1, begin - 1)
                continue
            if IDENTIFIER.match(t[begin - 1]) or t[begin - 1] in (".", "->", "::"):
                begin -= 1
                continue
            break
        if t[begin - 1] == "&" and t[begin - 2] in ("(", ",", "=", "return", "{", ":", "?"):
            return "rw"
        return "w" if t[begin - 1] in ("++", "--") else "r"

    def enum_writes(self, enum, value, scoped):
        """Places where a value is given to something: assigned, returned, passed or chosen, not compared."""
        path, places = enum.split("::"), []
        names = path[-2:]
        for file in self.files:
            if value not in file.names:
                continue
            t = file.tokens
            for i, x in enumerate(t):
                if x != value or i + 1 >= len(t):
                    continue
                begin = file.chain_before(i)
                if begin == i:
                    namespace = "::".join(path[:-1])
                    if scoped or not (file.scope[i][0] + "::").startswith(namespace + "::"):
                        continue
                elif t[i - 2] not in names:
                    continue
                if self._is_given(file, begin, i):
                    places.append((file.path, file.lines[i], True))
        return places

    @staticmethod
    def _is_given(file, begin, end):
        t = file.tokens
        before, after = t[begin - 1], t[end + 1]
        if after in ("==", "!=", ":") and before in ("case", "(", "&&", "||", "return"):
            return False
        if before in ("==", "!=", "case", "&", "<", "using", "[", "!"):
            return False
        if before == "{" or after in ("==", "!=", "&", ","):
            # A table's first column, or an argument.
            return before == "(" and after == "," and t[begin - 2] not in ("if", "while")
        if before in ("|", "(") or after == "|":
            opened = file.inside[begin]
            return not (opened > 0 and t[opened] == "(" and t[opened - 1] == "&")
        return before in ("=", "|=", "return", "?", ":", ",")
