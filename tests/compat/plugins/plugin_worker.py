"""A worker over a real engine and real plugins that leaves out what only drawing needs, so that it starts quickly.

`[sys.executable, "tests/compat/plugins/plugin_worker.py", "--base-directory", DIR, "--index", "0"]`. What main.py does
besides is tried by test_program.py.
"""

# ruff: noqa: E402 -- the repository must be on the path first
import argparse
import importlib
import logging
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

from engine.settings import Settings
from engine.workers.inside.line import Line
from engine.workers.inside.worker import Order, Work, serve
from server.watching import logs


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--base-directory", type=Path, required=True)
    parser.add_argument("--index", default="0")
    parser.add_argument("--whitelist", nargs="*", default=None)
    chosen = parser.parse_args()
    logs.configure("INFO", "json", longest=logs.LINE)

    def build(is_cancelled: Callable[[], bool], line: Line) -> Work:
        from compat import host as hosts
        from compat import install
        from compat.host import Host
        from compat.host import Work as Working
        from compat.plugins.plugins import Pipe, Plugins
        from latentwire import Engine

        settings = Settings(
            base_directory=chosen.base_directory,
            cpu=True,
            disable_all_custom_nodes=chosen.whitelist is not None,
            whitelist_custom_nodes=tuple(chosen.whitelist or ()),
        )
        engine = Engine(settings)
        sys.path.append(str(install.SHIMS))
        host = Host(engine, Pipe(line))
        hosts.settle(host)
        for name in ("compat.core_nodes.paths", "compat.prompt_server"):
            importlib.import_module(name).furnish(host)
        plugins = Plugins(host, line, name=f"worker-{chosen.index}")
        plugins.load()
        logging.getLogger(__name__).info("the worker of tests is ready")

        def execute(order: Order):
            work = Working(order.job, order.client_id, order.prompt.to_json(), order.extra_data)
            with plugins.working(work, order.emit) as emit:
                return engine.executor.execute(
                    order.prompt,
                    targets=order.targets,
                    extra=order.extra,
                    emit=emit,
                    is_cancelled=order.is_cancelled,
                    unvalidated=order.unvalidated,
                    job=order.job,
                )

        return Work(
            types=engine.snapshot,
            system={"python_version": sys.version, "pytorch_version": "none"},
            devices=list,
            execute=execute,
            check=engine.check,
            free=lambda unload_models, free_memory: None,
            close=plugins.close,
            ask=plugins.ask,
            reload=plugins.reload,
        )

    return serve(build)


if __name__ == "__main__":
    sys.exit(main())
