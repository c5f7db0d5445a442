"""The HTTP service: ``create_api(settings) -> FastAPI``; ``pip install 'lexifuse[service]'`` brings what it needs."""

from lexifuse.service.api import create_api
from lexifuse.service.settings import ServiceSettings

__all__ = ["ServiceSettings", "create_api"]
