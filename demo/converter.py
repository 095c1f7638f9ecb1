"""The unit converter: a child process of transformation that reads `{"id", "how", "values"}` lines and answers them.

Started with `-I -S`: it needs nothing but the standard library and stays at eight megabytes.
"""

import json
import sys

HOW = {"mph_to_kmh": 1.609344}


def answer(line: str) -> str:
    asked = json.loads(line)
    factor = HOW[asked["how"]]
    return json.dumps({"id": asked["id"], "values": [round(value * factor, 3) for value in asked["values"]]})


if __name__ == "__main__":
    for asked_line in sys.stdin:
        print(answer(asked_line), flush=True)
