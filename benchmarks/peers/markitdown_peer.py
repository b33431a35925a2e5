"""markitdown, asked for the text of the files whose paths come on stdin, one a line.

Writes one JSON object a line: `path`, `text` or `error`, CPU `seconds`. Needs
`pip install 'markitdown[pdf,docx,pptx,xlsx,xls,outlook]'`.
"""

import json
import logging
import sys
import time
import warnings

from markitdown import MarkItDown

logging.disable(logging.CRITICAL)
warnings.simplefilter("ignore")
converter = MarkItDown()
for line in sys.stdin:
    path = line.rstrip("\n")
    found: dict[str, object] = {"path": path}
    start = time.process_time()
    try:
        found["text"] = converter.convert(path).text_content
    except Exception as error:  # noqa: BLE001 whatever it raises is its answer
        found["error"] = type(error).__name__
    found["seconds"] = time.process_time() - start
    print(json.dumps(found), flush=True)
