"""The tokens, brackets and scopes of a C++ file, and the messages of a .proto: what field_uses.py reads."""

import re

TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<d>\w*)\(.*?\)(?P=d)"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'|'
    r"[A-Za-z_]\w*|\d[\w.']*"
    r"|->|::|<<|<=|>=|==|!=|[-+*/|&^%]=|&&|\|\||\+\+|--|\S", re.S)
IDENTIFIER = re.compile(r"[A-Za-z_]\w*$")
KEYWORDS = set("return new delete else case throw using typename goto operator namespace class struct union enum if "
               "for while switch do public private protected template friend sizeof not and or typedef const constexpr "
               "static thread_local inline explicit virtual mutable default break continue co_return".split())
OPEN, CLOSE = "([{", ")]}"


class Message:
    """A protobuf message or a struct: what its fields are called and, where that is one, which of these they hold."""

    def __init__(self, name, is_proto):
        self.name, self.is_proto = name, is_proto
        self.fields = {}  # Name: the name of the type, as written.


def proto_declarations(text):
    """(messages by C++ name, enums {C++ name: values}) of a .proto's text."""
    text = re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S)
    package = re.search(r"\bpackage\s+([\w.]+)\s*;", text)
    stack = [("package", package[1].replace(".", "::") if package else "")]
    messages, enums = {}, {}
    parts = re.compile(
        r"(?P<kind>message|enum|oneof)\s+(?P<name>\w+)\s*\{|(?P<none>reserved|option|import|syntax|package)\b[^;]*;|"
        r"(?:(?:repeated|optional)\s+)?(?P<type>map\s*<[^>]*>|[\w.]+)\s+(?P<field>\w+)\s*=\s*\d+[^;]*;|"
        r"(?P<value>\w+)\s*=\s*\d+[^;]*;|(?P<end>\})|\S")
    for part in parts.finditer(text):
        kind, scope = part["kind"], "::".join(name for k, name in stack if k != "oneof" and name)
        if kind:
            full = scope + "::" + part["name"]
            if kind == "message":
                messages[full] = Message(full, True)
            elif kind == "enum":
                enums[full] = []
            stack.append((kind, part["name"]))
        elif part["end"]:
            stack.pop()
        elif stack[-1][0] == "enum" and part["value"]:
            enums[scope].append(part["value"])
        elif part["field"]:
            value = part["type"]
            if value.startswith("map"):
                value = value[value.index(",") + 1:-1].strip()
            messages[scope].fields[part["field"]] = value.replace(".", "::")
    return messages, enums


class Declaration:
    def __init__(self, at, until, types, initialiser):
        self.at, self.until, self.types, self.initialiser = at, until, types, initialiser


class SourceFile:
    """The tokens of a file, with their brackets, scopes and what is declared in it."""

    def __init__(self, path, text):
        self.path = path
        text = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: "\n" * m[0].count("\n"), text, flags=re.M)
        self.tokens, self.lines, line, at = [], [], 1, 0
        for match in TOKEN.finditer(text):
            line, at = line + text.count("\n", at, match.start()), match.start()
            token = match[0]
            if token.startswith(("//", "/*")):
                continue
            self.tokens.append(token)
            self.lines.append(line)
        self.names = set(self.tokens)
        t = self.tokens
        self.parameters = {t[i + 1] for i, x in enumerate(t[:-1]) if x in ("typename", "class") and t[i - 1] in "<,"}
        self.aliases = {}
        for i, x in enumerate(t[:-3]):
            if x == "using" and t[i + 2] == "=":
                end = t.index(";", i)
                self.aliases[t[i + 1]] = [y for y in t[i + 3:end] if y not in ("typename", "const", "&", "*")]
            elif x == "using" and t[i + 2] == "::":
                end = t.index(";", i)
                self.aliases[t[end - 1]] = t[i + 1:end]
        self._match_brackets()
        self._find_scopes()
        self.locals = {}  # Name: declarations.

    def _match_brackets(self):
        t, stack = self.tokens, []
        self.match, self.inside = {}, [-1] * len(t)
        for i, x in enumerate(t):
            if x in CLOSE and stack:
                opened = stack.pop()
                self.match[opened], self.match[i] = i, opened
            self.inside[i] = stack[-1] if stack else -1
            if x in OPEN:
                stack.append(i)

    def _find_scopes(self):
        """scope[i]: (the path of namespaces and classes around token i, is it directly in a class)."""
        t, stack = self.tokens, [("", "namespace")]
        self.scope, self.classes, self.bases = [], set(), {}
        for i, x in enumerate(t):
            if x == "}" and len(stack) > 1 and i in self.match:
                stack.pop()
            self.scope.append((stack[-1][0], stack[-1][1]))
            if x == "{" and i in self.match:
                stack.append(self._opened(i, *stack[-1]))

    def _opened(self, i, path, kind):
        t, begin = self.tokens, i - 1
        while begin >= 0 and t[begin] not in (";", "{", "}"):
            begin -= 1
        head = t[begin + 1:i]
        if "namespace" in head:
            name = "".join(head[head.index("namespace") + 1:])
            return ("::".join(p for p in (path, name) if p), "namespace")
        if kind in ("namespace", "class") and "(" not in head and "enum" not in head:
            for word in ("class", "struct", "union"):
                places = [n for n, x in enumerate(head) if x == word and (n == 0 or head[n - 1] not in ("<", ","))]
                if places and places[0] + 1 < len(head) and IDENTIFIER.match(head[places[0] + 1]):
                    full = path + "::" + head[places[0] + 1]
                    self.classes.add(full)
                    bases = "".join(x + (" " if x in KEYWORDS else "") for x in head)
                    bases = re.findall(r"(?:public |protected |private |struct \w+:)([\w:]+)", bases)
                    self.bases.setdefault(full, []).extend((path, base) for base in bases)
                    return (full, "class")
                if places:
                    return (path, "class")
        if kind in ("namespace", "class") and "(" in head:
            k, owner = head.index("(") - 1, []
            while k >= 2 and head[k - 1] == "::":
                k -= 2
                owner.insert(0, head[k])
            return ("::".join([path, *owner]), "block")
        return (path, "block")

    def angle_before(self, close):
        """The "<" of the ">" at `close`, or -1."""
        depth = 0
        for i in range(close, max(close - 80, -1), -1):
            x = self.tokens[i]
            depth += (x == ">") - (x == "<")
            if depth == 0:
                return i
            if x in (";", "{", "}"):
                break
        return -1

    def chain_before(self, end):
        """The first token of the name a::b::c that ends at `end`."""
        t = self.tokens
        while end >= 2 and t[end - 1] == "::" and IDENTIFIER.match(t[end - 2]):
            end -= 2
        return end

    def visible_until(self, i):
        """Where a declaration at `i` goes out of sight."""
        t, around = self.tokens, self.inside[i]
        while around >= 0 and t[around] == "[":
            around = self.inside[around]
        if around < 0:
            return len(t)
        close = self.match.get(around, len(t) - 1)
        if t[around] == "{":
            return close
        for k in range(close + 1, len(t)):
            if t[k] == "{":
                return self.match.get(k, len(t))
            if t[k] == ";":
                return k
        return len(t)
