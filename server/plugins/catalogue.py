"""What plugins there are and what they offer, as the workers reported it: records, scripts, routes, handlers.

The door for whoever shows or serves something of a plugin. What lies in a plugin's folder is read here as files; its
code runs in the workers only.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yarl import URL

PATIENCE = 30.0
"""Seconds that a request waits for a first worker's report. Source: processes.md, Node types."""

LOOK = 0.1


@dataclass(frozen=True, slots=True)
class Pattern:
    """Which requests a plugin's route answers: the fixed parts of its path, with anything in between.

    is_prefix: everything below belongs to it as well. It may fit more than the route itself; the worker decides.
    """

    methods: frozenset[str]
    parts: tuple[str, ...]
    is_prefix: bool = False

    def fits(self, method: str, path: str) -> bool:
        """Whether a request may be for this route."""
        if not ({method, "*"} & self.methods or (method == "HEAD" and "GET" in self.methods)):
            return False
        return self.fits_path(path)

    def fits_path(self, path: str) -> bool:
        """The same for whatever method."""
        if self.is_prefix:
            return path == self.parts[0] or path.startswith(f"{self.parts[0].rstrip('/')}/")
        return _fits(self.parts, path)


@dataclass(frozen=True, slots=True)
class Serving:
    """Where a worker answers requests for its plugins. address: unix:PATH or http://HOST:PORT."""

    address: str
    secret: str
    patterns: tuple[Pattern, ...]

    def path(self, method: str, raw: str) -> str | None:
        """The path under which the worker knows a request; None when no plugin of its answers it.

        raw: as it was sent, so that an encoded slash stays within the name that it belongs to.
        """
        return next(
            (path for path in _ways(raw) if any(each.fits(method, _matched(path)) for each in self.patterns)), None
        )

    def methods(self, raw: str) -> set[str]:
        """The methods of the routes that a path is for."""
        found = [each for path in _ways(raw) for each in self.patterns if each.fits_path(_matched(path))]
        return {method for each in found for method in each.methods}


@dataclass(frozen=True, slots=True)
class Report:
    """What one worker said last."""

    plugins: Sequence[Mapping[str, Any]]
    serving: Serving | None
    handlers: int
    replacements: Mapping[str, Sequence[Any]]
    features: Mapping[str, Any]


class Catalogue:
    """The reports of the workers; where they differ, the first worker that has reported counts.

    are_any: whether there is anything in the plugin folders; without that nobody waits for a report. is_there: whether
    something of a name lies there now; may touch the disk. why_not: says why no worker can be expected, or None. adopt:
    told the kinds of model folders a worker has, plugins' own among them.
    """

    def __init__(
        self,
        *,
        are_any: Callable[[], bool] = lambda: True,
        is_there: Callable[[str], bool] = lambda name: False,
        why_not: Callable[[], str | None] = lambda: None,
        patience: float = PATIENCE,
        adopt: Callable[[Mapping[str, Any]], None] = lambda folders: None,
    ) -> None:
        self._adopt = adopt
        self._is_there = is_there
        self._are_any, self.why_not, self._patience = are_any, why_not, patience
        self._reports: dict[str, Report] = {}
        self._last: Report | None = None
        self._arrived = asyncio.Event()
        self.number = 0

    def take(self, worker: str, message: Mapping[str, Any]) -> None:
        """A worker has reported."""
        plugins = message.get("plugins")
        replacements = message.get("replacements")
        folders, features = message.get("folders"), message.get("features")
        if isinstance(folders, dict):
            self._adopt(folders)
        self._reports[worker] = self._last = Report(
            plugins=tuple(each for each in plugins if isinstance(each, dict)) if isinstance(plugins, list) else (),
            serving=_serving(message.get("serving")),
            handlers=int(message.get("handlers") or 0),
            replacements=replacements if isinstance(replacements, dict) else {},
            features=features if isinstance(features, dict) else {},
        )
        self.number += 1
        self._arrived.set()

    def drop(self, worker: str) -> None:
        """The worker is gone, and answers nothing. What it said of files stays true."""
        self._reports.pop(worker, None)

    async def known(self) -> None:
        """Returns when a worker has reported, when none can be expected, or when there is nothing to report."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience):
                while not self._arrived.is_set() and self.why_not() is None and await self._may_come():
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._arrived.wait(), LOOK)

    async def knows(self, name: str) -> bool:
        """Whether there is a plugin of that name: reported, or in a plugin folder since."""
        await self.known()
        is_reported = any(each.get("name") == name for each in self.plugins)
        return is_reported or await asyncio.to_thread(self._is_there, name)

    async def _may_come(self) -> bool:
        return await asyncio.to_thread(self._are_any)

    # --- what was reported ---

    @property
    def report(self) -> Report | None:
        """The report that counts."""
        return next(iter(self._reports.values()), self._last)

    @property
    def plugins(self) -> Sequence[Mapping[str, Any]]:
        """The record of each plugin."""
        return self.report.plugins if self.report is not None else ()

    @property
    def replacements(self) -> Mapping[str, Sequence[Any]]:
        """What plugins declared for GET /node_replacements."""
        return self.report.replacements if self.report is not None else {}

    @property
    def features(self) -> Mapping[str, Any]:
        """What plugins say that this server can do, for GET /features; our own flags count before theirs."""
        return self.report.features if self.report is not None else {}

    @property
    def is_serving(self) -> bool:
        """Whether plugins have routes at all."""
        return any(each.serving is not None for each in self._reports.values())

    def serving(self, first: str | None = None) -> Iterator[tuple[str, Serving]]:
        """The workers that answer requests for plugins, one of them first."""
        for worker in sorted(self._reports, key=lambda each: each != first):
            serving = self._reports[worker].serving
            if serving is not None:
                yield worker, serving

    def asked(self, first: str | None = None) -> str | None:
        """The worker whose plugins want to see prompts; None when none do."""
        workers = [each for each, report in self._reports.items() if report.handlers]
        return first if first in workers else next(iter(workers), None)

    def answers_anything(self, path: str) -> bool:
        """Whether a plugin had a route for a path before its worker ended; a new one will answer soon."""
        last = self._last
        is_away = not self._reports and last is not None and last.serving is not None
        return is_away and last is not None and last.serving is not None and _is_known(last.serving, path)

    # --- what lies in their folders ---

    def web(self) -> dict[str, Path]:
        """The folders behind /extensions, by name."""
        found: dict[str, Path] = {}
        for each in self._loaded():
            web = each.get("web")
            if isinstance(web, dict):
                found.update({str(name): Path(str(folder)) for name, folder in web.items()})
        return found

    def folders(self) -> dict[str, Path]:
        """The folders of the plugins that are packages, by their names."""
        return {str(each.get("name")): Path(str(each.get("path"))) for each in self._loaded()}

    def _loaded(self) -> Iterable[Mapping[str, Any]]:
        # A plugin that failed when it was imported again has what was loaded before.
        return [each for each in self.plugins if each.get("state") == "loaded" or each.get("nodes") or each.get("web")]


def _is_known(serving: Serving, path: str) -> bool:
    methods = {method for pattern in serving.patterns for method in pattern.methods}
    return any(serving.path(method, path) is not None for method in methods)


def _ways(raw: str) -> list[str]:
    """A path, and the one without /api, under which plugins' routes are there a second time."""
    bare = raw.removeprefix("/api")
    return [raw] if bare == raw or not bare.startswith("/") else [raw, bare]


def _matched(raw: str) -> str:
    """A path as aiohttp's routes are held against it: decoded but for slashes (and percent signs)."""
    return URL.build(path=raw, encoded=True).path_safe


def _fits(parts: Sequence[str], path: str) -> bool:
    if len(parts) == 1:
        return path == parts[0]
    if not path.startswith(parts[0]) or not path.endswith(parts[-1]):
        return False
    at, end = len(parts[0]), len(path) - len(parts[-1])
    for part in parts[1:-1]:
        found = path.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return at <= end


def _serving(told: Any) -> Serving | None:
    if not isinstance(told, dict) or not told.get("address"):
        return None
    patterns = [_pattern(each) for each in told.get("routes") or () if isinstance(each, dict)]
    return Serving(str(told["address"]), str(told.get("secret", "")), tuple(patterns))


def _pattern(told: Mapping[str, Any]) -> Pattern:
    methods = frozenset(str(each) for each in told.get("methods") or ())
    if "prefix" in told:
        return Pattern(methods, (str(told["prefix"]),), is_prefix=True)
    return Pattern(methods, tuple(str(each) for each in told.get("parts") or ("",)))
