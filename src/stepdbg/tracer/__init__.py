"""Inside the training process: the only folder that imports torch.

`inject` waits for torch, `install` puts the tracer in, `sources` make boundaries, `boundary` is the one place where
training stops, `registry` knows what is alive, `effects` says what a phase did, `inspection` and `edits` answer while
training waits. Nothing here starts a thread.
"""
