"""From what a torch network does to its text in the notation."""

from striate.transcribing.steps import UnwrittenError
from striate.transcribing.transcription import Transcription, transcribe

__all__ = ["Transcription", "UnwrittenError", "transcribe"]
