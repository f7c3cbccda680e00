"""The parts of the API process, made from settings and introduced to each other."""

from collections.abc import Callable, Sequence

from aiohttp import web

from engine.folders import Folders
from engine.plugin_files import find, stamps
from engine.settings import Settings
from engine.workers.outside.gpus import gpu_count, worker_environment
from engine.workers.outside.memory_limits import hard_limit, soft_limit
from engine.workers.outside.pool import Limits, Listener, Pool
from server.app import Parts, create
from server.dispatcher import Dispatcher
from server.events.hub import Hub
from server.files.bundle import Shelf
from server.jobs.store import Jobs, Retention
from server.node_types import NodeTypes
from server.plugins.catalogue import Catalogue
from server.plugins.desk import PluginDesk
from server.requests.security import check_binding
from server.settings import ServerSettings
from server.watching.metrics import Tally


def compose(
    common: Settings, serving: ServerSettings, *, worker: Callable[[int], Sequence[str]], versions: str
) -> web.Application:
    """The API process: everything but what draws. Called on the event loop.

    worker: what starts the worker of that number. versions: what the node types depend on; another text makes those
    kept on the disk useless.
    Raises: SettingsError, PathError, when the folders or the address cannot be used.
    """
    check_binding(serving)
    folders = common.folders()
    jobs = _jobs(folders, serving)
    count = serving.workers or max(1, 0 if common.cpu else gpu_count())
    limits = _limits(serving, count)

    def make_pool(listener: Listener) -> Pool:
        return Pool(
            worker,
            listener,
            count=count,
            limits=limits,
            environment=lambda i: worker_environment(i, count, cpu=common.cpu),
        )

    tally = Tally()
    hub = Hub(jobs, tally=tally)
    node_types = NodeTypes(folders, folders.user / "node_types.json", versions)
    catalogue = _catalogue(folders, common)
    dispatcher = Dispatcher(
        jobs,
        hub,
        make_pool,
        node_types=node_types,
        tally=tally,
        plugins=PluginDesk(jobs, hub, node_types, catalogue, folders.user / "plugins"),
        max_attempts=serving.max_attempts,
    )
    node_types.why_not = catalogue.why_not = dispatcher.pool.why_none_starts
    return create(
        Parts(
            settings=serving,
            folders=folders,
            jobs=jobs,
            hub=hub,
            dispatcher=dispatcher,
            node_types=node_types,
            tally=tally,
            editor=Shelf(),
            stamps=lambda: stamps(find(folders, common)),
        )
    )


def _jobs(folders: Folders, serving: ServerSettings) -> Jobs:
    retention = Retention(serving.keep_jobs, serving.keep_days)
    jobs = Jobs(folders.user / "jobs.sqlite", retention, max_attempts=serving.max_attempts)
    jobs.open()
    return jobs


def _limits(serving: ServerSettings, count: int) -> Limits:
    """What so many workers may take. Units: seconds, bytes."""
    return Limits(
        cancel_grace=serving.cancel_grace,
        heartbeat=serving.heartbeat_timeout,
        stall=serving.stall_timeout,
        plugin=serving.plugin_timeout,
        memory=serving.worker_memory or soft_limit(count),
        memory_limit=serving.worker_memory_limit or hard_limit(),
    )


def _catalogue(folders: Folders, common: Settings) -> Catalogue:
    """What plugins offer, told which of them lie in the folder now."""
    return Catalogue(
        are_any=lambda: any(not each.reason for each in find(folders, common)),
        is_there=lambda name: any(name in (each.name, each.title) for each in find(folders, common)),
        adopt=folders.adopt,
    )
