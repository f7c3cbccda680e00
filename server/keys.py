"""What the application holds, under typed keys; `app.py` puts it there, routes take it out."""

from pathlib import Path

from aiohttp import web

from engine.folders import Folders
from engine.workers.outside.pool import Pool
from server.dispatcher import Dispatcher
from server.events.hub import Hub
from server.events.log_lines import LogLines
from server.files.bundle import Shelf
from server.files.frontend import Frontend
from server.files.users import Users
from server.housekeeping import Housekeeping
from server.jobs.store import Jobs
from server.node_types import NodeTypes
from server.plugins.catalogue import Catalogue
from server.plugins.watching import PluginWatch
from server.prompts.reception import Reception
from server.settings import ServerSettings
from server.v2.assets import Assets

SETTINGS = web.AppKey("settings", ServerSettings)
ASSETS = web.AppKey("assets", Assets)
FOLDERS = web.AppKey("folders", Folders)
JOBS = web.AppKey("jobs", Jobs)
HUB = web.AppKey("hub", Hub)
POOL = web.AppKey("pool", Pool)
DISPATCHER = web.AppKey("dispatcher", Dispatcher)
HOUSEKEEPING = web.AppKey("housekeeping", Housekeeping)
NODE_TYPES = web.AppKey("node_types", NodeTypes)
CATALOGUE = web.AppKey("catalogue", Catalogue)
PLUGIN_WATCH = web.AppKey("plugin_watch", PluginWatch)
RECEPTION = web.AppKey("reception", Reception)
USERS = web.AppKey("users", Users)
TEMPLATES = web.AppKey("templates", Path)
LOG_LINES = web.AppKey("log_lines", LogLines)
EDITOR = web.AppKey("editor", Shelf)
FRONTEND: web.AppKey[Frontend | None] = web.AppKey("frontend")
