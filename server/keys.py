"""What the application holds, under typed keys; `app.py` puts it there, routes take it out."""

from pathlib import Path

from aiohttp import web

from engine.folders import Folders
from engine.workers.outside.pool import Pool
from server.dispatcher import Dispatcher
from server.events.hub import Hub
from server.files.bundle import Shelf
from server.files.user_data import UserData
from server.housekeeping import Housekeeping
from server.jobs.store import Jobs
from server.node_types import NodeTypes
from server.prompts.reception import Reception
from server.settings import ServerSettings

SETTINGS = web.AppKey("settings", ServerSettings)
FOLDERS = web.AppKey("folders", Folders)
JOBS = web.AppKey("jobs", Jobs)
HUB = web.AppKey("hub", Hub)
POOL = web.AppKey("pool", Pool)
DISPATCHER = web.AppKey("dispatcher", Dispatcher)
HOUSEKEEPING = web.AppKey("housekeeping", Housekeeping)
NODE_TYPES = web.AppKey("node_types", NodeTypes)
RECEPTION = web.AppKey("reception", Reception)
USER_DATA = web.AppKey("user_data", UserData)
TEMPLATES = web.AppKey("templates", Path)
EDITOR = web.AppKey("editor", Shelf)
