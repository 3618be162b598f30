"""From what a torch network does to its text in the notation."""

from striate.transcribing.transcription import Transcription, transcribe

__all__ = ["Transcription", "transcribe"]
