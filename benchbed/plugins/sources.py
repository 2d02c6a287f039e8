"""Where the source of a plug-in lies, what it says of itself, and its hash: all without importing it.

The hash covers the file that defines the class and every module of the same package that it imports, directly
or not, so that an edit in a helper file makes a different run. Other packages are covered by their versions.
Comments, docstrings and blank lines do not count: a better word in a docstring must not cost a board its entries.

Files are read whenever they are asked about. What is made of their bytes is kept by those bytes, and so never stale.
"""

import ast
import hashlib
import importlib.util
import io
import sysconfig
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

__all__ = [
    "class_attribute",
    "first_line",
    "is_as_written",
    "keyword_arguments",
    "public_class",
    "source_files",
    "source_hash",
    "source_path",
]

_INSTALLED = {Path(sysconfig.get_path(kind)) for kind in ("purelib", "platlib", "stdlib", "platstdlib")}
_KEPT = 256
"""Files of which something is kept."""
_NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


def source_path(module: str) -> Path | None:
    """The file of a module, found without running any code of its package; None if there is no such file."""
    top, *rest = module.split(".")
    if top == "benchbed" and len(rest) > 1:
        # benchbed is imported already, and its subpackages lie elsewhere in an editable install.
        top, rest = ".".join(["benchbed", rest[0]]), rest[1:]
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if not rest:
        return Path(spec.origin) if spec.origin else None
    for folder in spec.submodule_search_locations or []:
        base = Path(folder).joinpath(*rest)
        for candidate in (base.with_suffix(".py"), base / "__init__.py"):
            if candidate.is_file():
                return candidate
    return None


def public_class(path: Path) -> str | None:
    """The name of the first public class in a file: the plug-in that a built-in file defines."""
    classes = (node for node in _parsed(path.read_bytes()).body if isinstance(node, ast.ClassDef))
    return next((node.name for node in classes if not node.name.startswith("_")), None)


def first_line(target: str) -> str:
    """The first line of the docstring of `"package.module:Class"`; empty if it cannot be read."""
    node = _class(target)
    return (ast.get_docstring(node) or "").partition("\n")[0] if node else ""


def source_files(module: str) -> dict[str, Path]:
    """The module's file and those that it imports from its own package: module name -> path."""
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = source_path(name)
        if name in found or path is None or path.suffix != ".py":
            continue
        found[name] = path
        waiting.extend(m for m in _imports(name, path) if _same_package(m, module))
    return found


def source_hash(module: str) -> str | None:
    """SHA-256 over `source_files(module)`; None where the source cannot be found."""
    files = source_files(module)
    if not files:
        return None
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name}\0{_code(files[name].read_bytes())}\0".encode())
    return digest.hexdigest()


def class_attribute(target: str, attribute: str) -> Any:
    """The value of a literal that the body of `"package.module:Class"` assigns; None if there is none."""
    node = _class(target)
    for line in node.body if node else []:
        targets = line.targets if isinstance(line, ast.Assign) else [getattr(line, "target", None)]
        if attribute in [getattr(target, "id", "") for target in targets]:
            value = getattr(line, "value", None)
            found = _literal(value) if value else None
            return None if found is ... else found
    return None


def keyword_arguments(target: str) -> dict[str, Any] | None:
    """Keyword-only arguments of the constructor that a class itself writes; None if it inherits it.

    Returns:
        Their defaults by name, `...` for one that is no literal or that there is not.
    """
    node = _class(target)
    made = [
        item for item in (node.body if node else []) if isinstance(item, ast.FunctionDef) and item.name == "__init__"
    ]
    if not made or made[-1].args.kwarg:
        return None
    arguments = made[-1].args
    return {
        name.arg: _literal(value) if value else ...
        for name, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    }


def _literal(node: ast.expr) -> Any:
    """The value of a literal; `...` for anything else."""
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ...


def is_as_written(cls: type) -> bool:
    """Whether the functions of a class that was imported are those that its file holds now."""
    path = source_path(cls.__module__)
    try:
        now = _written(path.read_bytes()) if path else None
    except (SyntaxError, OSError, ValueError):
        now = None
    if now is None:
        return True
    loaded = [value.__code__ for value in vars(cls).values() if isinstance(value, FunctionType)]
    return all(_instructions(code) in now[code.co_qualname] for code in loaded if code.co_qualname in now)


@lru_cache(maxsize=_KEPT)
def _written(source: bytes) -> dict[str, list[object]]:
    """What the functions of a file do, by name; of one name there may be several, one in each branch of an `if`."""
    found = defaultdict[str, list[object]](list)
    for code in _functions(compile(source, "", "exec", dont_inherit=True)):
        found[code.co_qualname].append(_instructions(code))
    return dict(found)


@lru_cache(maxsize=_KEPT)
def _parsed(source: bytes) -> ast.Module:
    return ast.parse(source)


def _functions(code: CodeType) -> Iterator[CodeType]:
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield inner
            yield from _functions(inner)


def _instructions(code: CodeType) -> tuple[object, ...]:
    """What a function does, wherever it stands in its file; a docstring may change."""
    constants = code.co_consts[isinstance(code.co_consts[0], str) :] if code.co_consts else ()
    inner = [_instructions(c) if isinstance(c, CodeType) else (type(c), c) for c in constants]
    return code.co_code, code.co_names, code.co_varnames, inner


def _class(target: str) -> ast.ClassDef | None:
    module, _, name = target.partition(":")
    path = source_path(module)
    try:
        tree = _parsed(path.read_bytes()) if path else None
    except (SyntaxError, OSError, ValueError):
        return None
    found = (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)) if tree else ()
    return next((node for node in found if node.name == name), None)


@lru_cache(maxsize=_KEPT)
def _code(source: bytes) -> str:
    """The lines of a file that hold code, without comments and whatever the line endings.

    Told from tokens and not from the syntax tree's dump, which differs between versions of Python.
    """
    text = source.replace(b"\r\n", b"\n")
    lines = text.decode(errors="replace").splitlines()
    kept = dict[int, str]()
    try:
        docstrings = {(node.lineno, node.col_offset) for node in _docstrings(ast.parse(text))}
        for token in tokenize.tokenize(io.BytesIO(text).readline):
            first, last = token.start[0], token.end[0]
            if token.type == tokenize.COMMENT and first in kept:
                kept[first] = lines[first - 1][: token.start[1]].rstrip()
            elif token.type not in _NO_CODE and token.start not in docstrings:
                kept |= {row: lines[row - 1] for row in range(first, last + 1) if row not in kept}
    except (SyntaxError, tokenize.TokenError):
        return text.decode(errors="replace")
    return "\n".join(kept[row] for row in sorted(kept))


def _docstrings(tree: ast.Module) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and ast.get_docstring(node, clean=False) is not None:
                yield first.value


def _same_package(module: str, root: str) -> bool:
    """Built-ins belong to `benchbed.mixers` or `benchbed.tasks`; the engine has its own version.

    To a file that lies in no package belongs what it imports from its own folder, unless packages are installed
    in it: those are covered by their versions.
    """
    depth = 2 if root.startswith("benchbed.") else 1
    if module.split(".")[:depth] == root.split(".")[:depth]:
        return True
    file = source_path(root)
    if "." in root or file is None or file.name == "__init__.py" or file.parent in _INSTALLED:
        return False
    top = module.split(".")[0]
    return any((file.parent / name).exists() for name in (f"{top}.py", f"{top}/__init__.py", top)) and bool(top)


def _imports(name: str, path: Path) -> Iterator[str]:
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(_parsed(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parts, *([node.module] if node.module else [])])
            yield base
            # `from package import module` names a file as well.
            yield from (f"{base}.{alias.name}" for alias in node.names)
