"""A process of its own for parsers: `client` sends bytes to `worker`, in the words of `protocol`.

A parser that crashes, hangs or takes too much memory costs its file alone. `budget` says how
long a file may take, and `ocr` runs the one program that the worker may not.
"""
