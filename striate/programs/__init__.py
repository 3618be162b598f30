"""Any torch network as a program: the operations that it comes to, to draw, to train, to keep."""

from striate.programs.recording import Recording, follow, sketch
from striate.programs.subject import Subject, replayed, subject

__all__ = ["Recording", "Subject", "follow", "replayed", "sketch", "subject"]
