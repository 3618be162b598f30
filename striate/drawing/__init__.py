"""Pictures: networks and plots as scenes, written as SVG, PNG or text."""

from striate.drawing.layout import draw_network
from striate.drawing.output import FORMATS, draw, render, render_scene
from striate.drawing.scene import Scene
from striate.drawing.steps_output import draw_steps

__all__ = ["FORMATS", "Scene", "draw", "draw_network", "draw_steps", "render", "render_scene"]
