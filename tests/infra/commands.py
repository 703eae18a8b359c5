"""The commands in the sh blocks of a page, and whether each fits the tool that it calls."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import botocore.session
import click

from headgate.cli.main import headgate

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^ *```sh\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`((?:headgate|aws|curl|terraform|make) [^`]+)`")
_OUTPUT = re.compile(r'^output "(\w+)"', re.MULTILINE)

#: Operations of the AWS CLI that are not API operations, with their options.
_CUSTOM = {
    ("s3", "rm"): {"recursive"},
    ("s3", "sync"): set(),
    ("logs", "tail"): {"since", "follow"},
    ("ecs", "wait"): {"cluster", "services"},
}
_GLOBAL = {"query", "output", "region"}


def commands_of(page: Path) -> list[str]:
    """The commands of a page: lines of its sh blocks, and those in back quotes that call a known tool."""
    text = page.read_text()
    lines = [line.strip() for block in _FENCE.findall(text) for line in block.replace("\\\n", " ").splitlines()]
    return [line for line in lines if line] + _INLINE.findall(_FENCE.sub("", text))


def problems_of(command: str) -> Iterator[str]:
    """What is wrong with a command; nothing for tools that are not checked here."""
    words = shlex.split(re.sub(r"\s*[|>].*", "", command), comments=True)
    checks = {"headgate": _headgate, "terraform": _terraform, "make": _make, "aws": _aws}
    if words and words[0] in checks:
        yield from checks[words[0]](words[1:])


def _options(words: list[str]) -> list[str]:
    return [word.partition("=")[0] for word in words if word.startswith("--")]


def _headgate(words: list[str]) -> Iterator[str]:
    command: click.Command = headgate
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        result = command.get_command(click.Context(command), words[0])
        if result is None:
            yield f"there is no verb '{words[0]}'"
            return
        command, words = result, words[1:]
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    yield from (f"no option {option}" for option in _options(words) if option not in known)
    if not isinstance(command, click.Group):
        arguments = [p for p in command.params if isinstance(p, click.Argument) and p.required]
        if arguments and not [word for word in words if not word.startswith("-")]:
            yield f"the argument {arguments[0].name} is missing"


def _terraform(words: list[str]) -> Iterator[str]:
    if words[0] in ("fmt", "init", "providers", "test", "validate"):  # in the text: any folder
        return
    folder = words[0].partition("=")[2].replace("$ENV", "dev")
    if not words[0].startswith("-chdir=") or not (ROOT / folder).is_dir():
        yield f"no folder {folder}"
        return
    verb, rest = words[1], words[2:]
    if verb not in ("init", "plan", "apply", "output"):
        yield f"terraform {verb} is not known here"
    if verb == "output":
        outputs = {name for path in (ROOT / folder).glob("*.tf") for name in _OUTPUT.findall(path.read_text())}
        yield from (f"no output {word}" for word in rest if not word.startswith("-") and word not in outputs)


def _make(words: list[str]) -> Iterator[str]:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    yield from (f"no target {word}" for word in words if "=" not in word and word not in targets)


def _aws(words: list[str]) -> Iterator[str]:
    service, operation, options = words[0], words[1], {option[2:] for option in _options(words[2:])} - _GLOBAL
    if (service, operation) in _CUSTOM:
        yield from (f"no option --{option}" for option in options - _CUSTOM[service, operation])
        return
    model = botocore.session.get_session().get_service_model("s3" if service == "s3api" else service)
    names = {_kebab(name): name for name in model.operation_names}
    if operation not in names:
        yield f"aws {service} has no operation {operation}"
        return
    shape = model.operation_model(names[operation]).input_shape
    members = {_kebab(name) for name in shape.members} if shape else set()
    yield from (f"no option --{option}" for option in options if option not in members)
    required = {_kebab(name) for name in shape.required_members} if shape else set()
    yield from (f"--{option} is missing" for option in sorted(required - options))


def _kebab(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()
