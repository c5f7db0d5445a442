"""The page: Gradio in the same application as the service. ``mount_page(create_api(settings))`` adds it."""

from lexifuse.service.page.mount import mount_page

__all__ = ["mount_page"]
