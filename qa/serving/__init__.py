"""The assistant over HTTP: an interface for programs, and a page for people.

What comes from the network is checked in `guard.py` before anything else sees it; `api.py` has the
routes, `shapes.py` what they take, `replies.py` what they give. FastAPI, uvicorn and the
prometheus client are an extra, and imported nowhere else. `page.py` is the page, `marking.py` cuts
its texts, `picturing.py` has the pages of PDFs. `mcp.py` is for agents, and `quoting.py`
their text.
"""
