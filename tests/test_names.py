"""Tests use only names that the product has; mypy does not read them, and only a whole run would show it."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from tests.source_files import PRODUCT, name_of, sources

TOPS = {Path(place).stem for place in PRODUCT if place != "wsgi.py"}  # wsgi opens an app when it is imported


def trees(source: str) -> Iterator[ast.Module]:
    """The source, and each string in it that is the code of another process."""
    tree = ast.parse(source)
    yield tree
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "\nfrom " in node.value:
            try:
                yield ast.parse(node.value)
            except SyntaxError:
                continue


def product_modules(tree: ast.Module) -> Iterator[tuple[str, ModuleType | None, str]]:
    """Each import from the product: (local name, module or None if it does not exist, original name)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in TOPS:
            try:
                module = importlib.import_module(node.module or "")
            except ModuleNotFoundError:
                module = None
            yield from ((alias.asname or alias.name, module, alias.name) for alias in node.names)


def has(module: ModuleType, name: str) -> bool:
    """True if the module has the name, perhaps as a module of its own in the package."""
    if not hasattr(module, name):
        try:
            importlib.import_module(f"{module.__name__}.{name}")
        except ModuleNotFoundError:
            return False
    return True


def missing(source: str) -> set[str]:
    """Names of the product that the source uses and that do not exist."""
    found = set()
    for tree in trees(source):
        bound: dict[str, ModuleType] = {}
        for name, module, original in product_modules(tree):
            if module is None or not has(module, original):
                found.add(original)
            elif isinstance(value := getattr(module, original), ModuleType):
                bound[name] = value
        assigned = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
        assigned |= {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                module = None if node.value.id in assigned else bound.get(node.value.id)
                if module is not None and not hasattr(module, node.attr):
                    found.add(f"{node.value.id}.{node.attr}")
    return found


def test_names_of_the_product_exist() -> None:
    paths = [path for path in sources("tests") if path != Path(__file__)]
    assert paths
    found = {name_of(path): names for path in paths if (names := missing(path.read_text()))}
    assert found == {}, "use the new names"


def test_a_name_that_is_gone_is_found() -> None:
    gone = (
        "from models import payment\nfrom models.rules.money import parsed\nfrom models.gone import x\npayment.gone()"
    )
    assert missing(gone) == {"parsed", "x", "payment.gone"}
    assert missing(f'CODE = """\n{gone}\n"""') == {"parsed", "x", "payment.gone"}
