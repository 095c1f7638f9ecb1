"""A stranger: listens on ports that belong to others, and answers 404 to everything."""

import argparse
import threading
from pathlib import Path

from demo.wire import Answer, Server


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", type=Path, required=True, help="whose stack it is in the way of")
    parser.add_argument("ports", type=int, nargs="+")
    for port in parser.parse_args().ports:
        server = Server(port, lambda _: Answer(404, {"error": "a stranger has this port"}))
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print("listening", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
