"""What crosses a process border: messages, frames, the shared page and the session's folder.

Nothing here imports torch, a screen or asyncio, since the training process, the hub and every client import it.
"""
