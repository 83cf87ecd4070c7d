"""The command ``serve``: the engine behind OpenAI's HTTP interface."""

from __future__ import annotations

import ipaddress
import sys
from typing import Annotated, Any

import typer

from minengine import __version__
from minengine.cli.app import JsonOption, ModelOption, command, print_json
from minengine.cli.options import engine_options, opened
from minengine.engine import packaged_model
from minengine.errors import RequestError


@command(
    "minengine serve",
    "minengine serve --model llama.gguf --host 0.0.0.0 --port 8000 --api-key SECRET",
    "curl http://127.0.0.1:8080/v1/chat/completions -d "
    """'{"messages": [{"role": "user", "content": "Hello"}]}'""",
)
@engine_options(repack=True)
def serve(
    model: ModelOption = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8080,
    api_key: Annotated[
        str | None,
        typer.Option(envvar="MINENGINE_API_KEY", help="Clients must know it; all may otherwise."),
    ] = None,
    alias: Annotated[
        str | None, typer.Option(help="The model's name in answers; its file's otherwise.")
    ] = None,
    max_requests: Annotated[
        int, typer.Option(min=1, help="That run or wait; one more is told to come again.")
    ] = 64,
    log: Annotated[bool, typer.Option("--log", help="A line for each request.")] = False,
    as_json: JsonOption = False,
    **options: Any,
) -> None:
    """Answer HTTP requests as OpenAI's API does: completions, chat, embeddings, models.

    The options of generate are fields of a request too, with the same names and defaults.
    """
    try:
        from minengine.server.connections import Server, listen
    except ModuleNotFoundError as e:
        raise RequestError(f"{e.name} is missing: pip install 'minengine[serve]'") from None
    with listen(host, port) as sock, opened(model, options) as engine:
        shown, at = (f"[{host}]" if ":" in host else host), sock.getsockname()[1]
        name = alias or str(model or packaged_model()).rsplit("/", 1)[-1].removesuffix(".gguf")
        found = {"url": f"http://{shown}:{at}/v1", "model": name, "context": engine.context}
        if as_json:
            print_json(found)
            sys.stdout.flush()
        else:
            print(f"{name} at {found['url']}, Ctrl-C stops it", file=sys.stderr, flush=True)
        api_key = api_key or None  # an empty variable of the environment is none
        if api_key is None and not is_loopback(host):
            print("anybody who can reach this address may use it: --api-key", file=sys.stderr)
        try:
            Server(
                engine,
                model=name,
                version=__version__,
                api_key=api_key,
                n_waiting=max_requests,
                log=log,
            ).run(sockets=[sock])
        except KeyboardInterrupt:  # the usual end of a server
            print("stopped", file=sys.stderr)


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
