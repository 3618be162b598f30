"""Pictures: networks and plots as scenes, written as SVG, PNG or text."""
