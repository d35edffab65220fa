"""Pack our own modules into the one file that the frozen program imports them from (see `modules_hook`).

Layout: four bytes, the index's length (little endian); the index, a marshalled dict of module name to (is a package,
offset, length); then each module's marshalled code.
"""

import ast
import marshal
from pathlib import Path

NAME = "multus.modules"
PACKAGES = ("cni_multus", "plugins", "ipam")
EXTENSIONS = "python3.11/lib-dynload"
"""Where PyInstaller puts the interpreter's shared modules; its other modules go there, too."""
OPERATORS = "python3.11/operators"
"""Where the bundle has what requests do not import."""
WITH_TYPES = ("cni_multus.cli", "cni_multus.node")
"""What no request imports may have dataclasses, which are made of annotations."""

Index = dict[str, tuple[bool, int, int]]


def pack(root: Path, target: Path) -> None:
    """Compile every module of ours below `root`, without what only readers and tools need, into `target`."""
    index: Index = {}
    codes = b""
    sources = sorted(path for package in PACKAGES for path in (root / package).rglob("*.py"))
    for path in sources:
        relative = path.relative_to(root)
        is_package = path.name == "__init__.py"
        name = ".".join((relative.parent if is_package else relative.with_suffix("")).parts)
        tree = ast.parse(path.read_bytes())
        if not name.startswith(WITH_TYPES):
            tree = ast.fix_missing_locations(_WithoutTypes().visit(tree))
        code = compile(tree, str(relative), "exec", dont_inherit=True, optimize=2)
        packed = marshal.dumps(code)
        index[name] = (is_package, len(codes), len(packed))
        codes += packed
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(_with_header(index) + codes)


class _WithoutTypes(ast.NodeTransformer):
    """Drops annotations and what is imported for them, as `optimize` drops docstrings: 0.5 ms of every request."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.returns = None
        every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
        for argument in every:
            if argument is not None:
                argument.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.generic_visit(node)
        plain = ast.Assign([node.target], node.value) if node.value else ast.Pass()
        return ast.copy_location(plain, node)

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        self.generic_visit(node)
        for_tools = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        return (node.orelse or ast.copy_location(ast.Pass(), node)) if for_tools else node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        return ast.copy_location(ast.Pass(), node) if node.module == "__future__" else node


def read_index(packed: Path) -> Index:
    """Where each module stands in the file."""
    data = packed.read_bytes()
    index: Index = marshal.loads(data[4 : 4 + int.from_bytes(data[:4], "little")])
    return index


def _with_header(index: Index) -> bytes:
    """The index with offsets from the file's beginning, whose own length depends on those."""
    start = 0
    while True:
        moved = {name: (package, start + offset, length) for name, (package, offset, length) in index.items()}
        encoded = marshal.dumps(moved)
        if start == 4 + len(encoded):
            return len(encoded).to_bytes(4, "little") + encoded
        start = 4 + len(encoded)
