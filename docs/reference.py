"""Write docs/commands.md, the man page, and the generated parts of python.md and decisions.md.

Usage: python docs/reference.py. The commands come from typer, the rest from signatures and
docstrings; a test compares the pages with what this would write.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unicodedata import category

import typer
from manual import manual

import qa.errors
from qa.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
COMMANDS, DECISIONS, PYTHON = (HERE / f"{one}.md" for one in ("commands", "decisions", "python"))
MAN_PAGE = HERE / "qa.1"
_ABOVE_COMMANDS = """
Written by `docs/reference.py` from the commands themselves, which show the same with `--help`.
Exit status: 2 on an error, 130 when stopped with Ctrl-C; others where they are named. Settings can
also stand in `qa.toml` or the environment, see [Settings](python.md#settings).
""".strip()
_KINDS = {"str": "text", "int": "number", "integer": "number", "float": "number"}
_SECTIONS = ("Args:", "Attributes:", "Raises:", "Returns:")


def pages() -> dict[Path, str]:
    """Give the pages as they must read."""
    decisions = DECISIONS.read_text("utf-8")
    python = _between("errors", errors(), PYTHON.read_text("utf-8"))
    return {
        COMMANDS: commands(),
        MAN_PAGE: manual(registered(), _kind),
        DECISIONS: _between("contents", contents(decisions), decisions),
        PYTHON: _between("reference", reference(), python),
    }


def _between(name: str, made: str, page: str) -> str:
    """Put what was made between its marks."""
    start, end = f"<!-- {name} -->\n", "<!-- end -->"
    before, _, rest = page.partition(start)
    return f"{before}{start}\n{made}\n\n{end}{rest.partition(end)[2]}"


def contents(page: str) -> str:
    """Give a list of links to the headings of a page."""
    headings = re.findall(r"^## (.*)$", page, re.MULTILINE)
    return "\n".join(f"- [{heading}](#{anchor(heading)})" for heading in headings)


def anchor(heading: str) -> str:
    """Give the name that GitHub gives a heading."""
    kept = (
        one
        for one in heading.lower()
        if one in "-_ " or category(one)[0] in "LM" or one.isdecimal()
    )
    return "".join(kept).replace(" ", "-")


# --- commands ---------------------------------------------------------------------------


def registered() -> dict[str, Any]:
    """Give every command by what a person types, "qa model prepare" too, the program first."""
    return dict(_walk("qa", typer.main.get_command(app)))


def _walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - typer vendors click without its types
    yield name, command
    for below, one in getattr(command, "commands", {}).items():
        yield from _walk(f"{name} {below}", one)


def commands() -> str:
    """Give the page about the commands."""
    parts = [f"# Commands\n\n{_ABOVE_COMMANDS}"]
    for name, command in registered().items():
        parts += [f"## {name}", inspect.cleandoc(command.help or "")]
        parts += [_parameters(command), *_examples(command.epilog or "")]
    return "\n\n".join(filter(None, parts)) + "\n"


def _parameters(command: Any) -> str:  # noqa: ANN401 - as above
    rows = []
    for one in command.params:
        if one.opts[0].endswith("-completion"):  # typer's own, which differ between versions
            continue
        typed = ", ".join(f"`{option}`" for option in (*one.opts, *one.secondary_opts))
        if one.param_type_name == "argument":
            typed = f"`{one.name}`"
        if not getattr(one, "is_flag", False):
            typed += f" {_kind(one.type)}"
        told = " ".join((one.help or "").split())
        if one.param_type_name == "argument" and one.required:
            told += "  [required]"
        if one.envvar:
            told += f"  [also: `{one.envvar}`]"
        rows.append(f"| {typed} | {told.replace('|', chr(92) + '|')} |")
    return "\n".join(["| argument or option | meaning |", "|---|---|", *rows]) if rows else ""


def _kind(kind: Any) -> str:  # noqa: ANN401 - as above
    choices = getattr(kind, "choices", None)
    if choices:
        return " or ".join(str(getattr(one, "value", one)) for one in choices)
    name = str(kind.name).removesuffix(" range")
    return _KINDS.get(name, name)


def _examples(epilog: str) -> Iterator[str]:
    """Give the examples of a command as code, and as text what is said about them."""
    shown, said = [], []
    for paragraph in epilog.split("\n\n"):
        if re.match(r"(qa|echo) ", paragraph):
            shown.append(paragraph)
        elif paragraph != "Examples:":
            said.append(paragraph)
    if shown:
        yield "\n".join(["```sh", *shown, "```"])
    yield from (re.sub(r"(\{.*?\})", r"`\1`", one) for one in said)


# --- the library ------------------------------------------------------------------------


def errors() -> str:
    """Give the table of errors: what each is as well, and when it is raised."""
    rows = ["| error | is also | when |", "|---|---|---|"]
    for name, one in vars(qa.errors).items():
        if name in qa.errors.__all__:
            bases = ", ".join(f"`{base.__name__}`" for base in one.__bases__)
            rows.append(f"| `{name}` | {bases} | {_summary(one)} |")
    return "\n".join(rows)


def reference() -> str:
    """Give all public classes but errors, and all functions."""
    parts: list[str] = []
    for name in ["Assistant", *(name for name in qa.__all__ if name != "Assistant")]:
        one = getattr(qa, name)
        if not (isinstance(one, type) and issubclass(one, Exception)):
            parts += _described(name, one)
    return "\n\n".join(parts)


def _described(name: str, one: Any) -> Iterator[str]:  # noqa: ANN401 - a class or a function
    yield f"### `{name}`"
    if not inspect.isclass(one):
        yield _code(f"def {name}{_signature(one)}")
    elif dataclasses.is_dataclass(one):
        fields = [
            f"    {field.name}: {_annotation(field)}{_default(field)}"
            for field in dataclasses.fields(one)
        ]
        yield _code("\n".join([f"class {name}:", *fields]))
    elif hasattr(one, "__total__"):
        kinds = {
            key: str(getattr(kind, "__forward_arg__", kind)).replace("'", '"')  # as ruff has it
            for key, kind in one.__annotations__.items()
        }
        fields = [f"    {key}: {kind}" for key, kind in kinds.items()]
        yield _code("\n".join([f"class {name}(TypedDict, total=False):", *fields]))
    else:
        yield _code(f"class {name}{_signature(one.__init__).partition(' -> ')[0]}")
    yield from _prose(one)
    for method, function in _methods(one) if inspect.isclass(one) else ():
        yield f"#### `{name}.{method}`"
        if isinstance(function, property):
            yield _code(f"{method}: {inspect.signature(function.fget).return_annotation}")  # type: ignore[arg-type]
        else:
            lead = "async def" if inspect.iscoroutinefunction(function) else "def"
            yield _code(f"{lead} {method}{_signature(function)}")
        yield from _prose(function)


def _methods(one: type) -> Iterator[tuple[str, Any]]:
    """Give the public methods and properties, those of bases of ours after its own."""
    seen = set()
    for base in one.__mro__:
        if base.__module__.startswith("qa."):
            for name, function in vars(base).items():
                is_method = inspect.isfunction(function) or isinstance(function, property)
                if is_method and not name.startswith("_") and name not in seen:
                    seen.add(name)
                    yield name, function


def _code(text: str) -> str:
    return f"```python\n{text}\n```"


def _annotation(field: dataclasses.Field[Any]) -> str:
    return str(field.type).replace("'", '"')  # as it is written; Python unparses it


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        return f" = {_literal(field.default)}"
    made = field.default_factory
    return "" if made is dataclasses.MISSING else f" = {made()!r}"


def _literal(value: object) -> str:
    return json.dumps(value) if isinstance(value, str) else repr(value)


def _signature(function: Any) -> str:  # noqa: ANN401 - anything that can be called
    """Give the signature with annotations as they are written, one argument a line if long."""
    found = inspect.signature(function)
    shown: list[str] = []
    for one in found.parameters.values():
        if one.name == "self":
            continue
        if one.kind is one.KEYWORD_ONLY and "*" not in shown:
            shown.append("*")
        stars = "**" if one.kind is one.VAR_KEYWORD else ""
        text = f"{stars}{one.name}: {one.annotation}"
        if one.default is not one.empty:
            made = inspect.isfunction(one.default)
            text += " = …" if made else f" = {_literal(one.default)}"
        shown.append(text)
    given = found.return_annotation
    result = "" if given is found.empty else f" -> {given}"
    line = f"({', '.join(shown)}){result}"
    return line if len(line) <= 80 else "(\n    " + ",\n    ".join(shown) + f",\n){result}"


def _summary(one: Any) -> str:  # noqa: ANN401 - whatever has a docstring
    return " ".join((inspect.getdoc(one) or "").partition("\n\n")[0].split())


def _prose(one: Any) -> Iterator[str]:  # noqa: ANN401 - as above
    """Give a docstring as Markdown: paragraphs, examples as code, arguments as lists."""
    for paragraph in (inspect.getdoc(one) or "").split("\n\n"):
        head, *lines = paragraph.split("\n")
        if head in _SECTIONS:
            items = re.split(r"\n(?! )", inspect.cleandoc("\n".join(lines)))
            yield f"{head}\n\n" + "\n".join(_item(item) for item in items)
        elif head.startswith(">>> "):
            yield _code("\n".join(line[4:] for line in (head, *lines)))
        else:
            yield " ".join(paragraph.split())


def _item(text: str) -> str:
    name, colon, told = " ".join(text.split()).partition(": ")
    return f"- `{name}`{colon}{told}" if colon else f"- {name}"


def main() -> None:
    """Write the pages."""
    for path, text in pages().items():
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
