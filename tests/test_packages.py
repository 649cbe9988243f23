"""Packages: few imports between subjects, one meaning for each class name, and no import of a test module."""

import ast
from collections import Counter
from pathlib import Path

from embedded.home import CHECKOUT
from tests.source_files import name_of, sources, tree

GATEWAY = CHECKOUT / "gateway"

SUBJECTS = {
    *("payments", "wallets", "bulks", "identity", "commission", "events", "exchange", "ops", "reconciliation"),
    "webhooks",
}
SUBJECT_IMPORTS_MAX = 8
"""Of one subject's modules by another's: what operators see of users and wallets, and what an exchange quotes."""

ROUTE_PACKAGES_MAX = 6
"""The packages that the reader of a file of routes has to know, its own among them."""


def gateway_modules(path: Path) -> set[str]:
    """The modules of the gateway that a file imports, by their names below `gateway`."""
    modules = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "gateway":
            package = GATEWAY.joinpath(*(node.module or "").split(".")[1:])
            for alias in node.names:
                is_module = (package / f"{alias.name}.py").exists() or (package / alias.name).is_dir()
                modules.add(f"{node.module}.{alias.name}" if is_module else f"{node.module}")
    return {module.partition(".")[2] for module in modules}


def package_of(module: str) -> str:
    return module.partition(".")[0]


def test_subjects_import_little_of_each_other():
    crossing = {
        f"{name_of(path)} imports {module}"
        for subject in SUBJECTS
        for path in (GATEWAY / subject).rglob("*.py")
        for module in gateway_modules(path)
        if package_of(module) in SUBJECTS - {subject}
    }
    assert len(crossing) <= SUBJECT_IMPORTS_MAX, f"move what both need into a lower package: {sorted(crossing)}"


def test_a_route_file_needs_few_packages():
    packages_of = {
        name_of(path): {
            package for module in gateway_modules(path) if (GATEWAY / (package := package_of(module))).is_dir()
        }
        for path in GATEWAY.rglob("*routes.py")
    }
    assert len(packages_of) > len(SUBJECTS), "route files were not found: change this test"
    crowded = {name: packages for name, packages in packages_of.items() if len(packages) > ROUTE_PACKAGES_MAX}
    assert crowded == {}, "let another module of the subject do a part"


def test_every_package_says_what_it_is_and_nothing_else():
    for path in GATEWAY.glob("*/__init__.py"):
        kinds = [type(node) for node in tree(path).body]
        assert kinds == [ast.Expr], f"{name_of(path)}: one docstring, and nothing else"


def test_a_class_name_is_defined_once_in_the_product():
    names = Counter(
        node.name
        for path in sources("gateway", "models", "workers")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef) and node.name != "Meta"  # which marshmallow looks for by name
    )
    assert {name: count for name, count in names.items() if count > 1} == {}, "give one of them another name"


def test_no_module_imports_a_test_module():
    """Helpers of several tests are in `tests/builders.py`, a conftest, or a module beside them."""
    importing = {
        f"{name_of(path)} imports {module}"
        for path in sources("tests")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom)
        for module in (node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names))
        if module.startswith("tests.") and (CHECKOUT / f"{module.replace('.', '/')}.py").exists()
        if module.rpartition(".")[2].startswith("test_")
    }
    assert importing == set()
