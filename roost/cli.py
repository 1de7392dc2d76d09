"""The `roost` command line."""

import os
import sys
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from roost.commands import cli_api as _api  # noqa: F401 - it adds its command
from roost.commands import cli_inspection as _inspection  # noqa: F401 - it adds its commands
from roost.commands import cli_new as _new  # noqa: F401 - the same
from roost.commands import cli_plan as _plan  # noqa: F401 - the same
from roost.commands.machine import this_machine
from roost.commands.options import Json, NodeName, OneNode, cli, config, scale, setting, settings, takes_settings
from roost.shared.config import MAX_SHARDS, MAX_WORKERS, BadSetting, Settings
from roost.shared.failures import CannotStart


class SchemaForm(Enum):
    """What `roost schema` writes."""

    ASYNCAPI = "asyncapi"
    TYPESCRIPT = "typescript"


_LOGS = ("log_level", "log_format")


@cli.command()
@takes_settings(
    "run_dir",
    "shards",
    "stall_limit",
    "stop_limit",
    "cluster",
    "node",
    "cluster_name",
    "cluster_credentials",
    "cluster_cafile",
    "cluster_certfile",
    "cluster_keyfile",
    "cluster_buffer_bytes",
    *_LOGS,
)
def broker(chosen: Settings) -> None:
    """Run the broker of a node: the supervisor of its PubSub shards."""
    from roost.broker.broker_process import run_broker
    from roost.shared.logs import log_to_stderr

    log_to_stderr("broker", chosen.logs)
    run_broker(chosen)


@cli.command()
@takes_settings(
    "port",
    "host",
    "admin_port",
    "public_host",
    "trusted_proxies",
    "workers",
    "certfile",
    "keyfile",
    "https_port",
    "max_connections",
    "max_connections_per_address",
    "run_dir",
    "stall_limit",
    "drain_batch_size",
    "drain_batch_interval",
    "drain_limit",
    "stop_limit",
    *_LOGS,
)
def gateway(
    app: Annotated[str, typer.Argument(help="The application, as module:endpoint.", metavar="APP")],
    chosen: Settings,
    reload: Annotated[
        bool, typer.Option("--reload", help="Start the workers anew whenever a file below this directory changes.")
    ] = False,
) -> None:
    """Run the gateway of a node: the supervisor of the workers that serve an application."""
    from roost.gateway.processes.gateway_process import run_gateway
    from roost.shared.logs import log_to_stderr

    log_to_stderr("gateway", chosen.logs)
    run_gateway(app, chosen, source=Path.cwd() if reload else None)


@cli.command()
def stop(run_dir: str | None = setting("run_dir")) -> None:
    """Stop a running node, the workers first, which send their clients away; returns when it has stopped."""
    from roost.commands.node import stop_node

    chosen = settings(run_dir=run_dir)
    stop_node(chosen.run_dir, chosen.stop_limit)


@cli.command()
def drain(
    off: Annotated[bool, typer.Option("--off", help="Let clients in again.")] = False,
    node: OneNode = None,
    run_dir: str | None = setting("run_dir"),
    json: Json = False,
) -> None:
    """Send all clients away, a batch at a time, and answer new ones 503; returns when all are gone.

    The node stays, and stays so: stop it now, or let clients in again with --off.
    """
    from roost.commands import drain as draining
    from roost.commands.across import one_node

    where = one_node(settings(run_dir=run_dir).run_dir, node)
    draining.admit(where, json=json) if off else draining.drain(where, json=json)


@config.callback(invoke_without_command=True)
def config_all(
    context: typer.Context,
    check: Annotated[
        Path | None, typer.Option(help="Check the settings in a file such as .env.", metavar="FILE")
    ] = None,
    run_dir: str | None = setting("run_dir"),
    json: Json = False,
) -> None:
    """Show every setting, its value here, where it came from and what it means."""
    if context.invoked_subcommand is not None:
        return
    from roost.commands.configure import check_file, show_settings

    if check is not None:
        check_file(check, json=json)
    else:
        given = {} if run_dir is None else {"ROOST_RUN_DIR": run_dir}
        show_settings(this_machine(), [("option", given), ("environment", os.environ)], json=json)


@config.command("get")
def config_get(
    name: Annotated[str | None, typer.Argument(help="Such as max_connections; all without it.")] = None,
    node: NodeName = None,
    run_dir: str | None = setting("run_dir"),
    json: Json = False,
) -> None:
    """Show the settings that can be changed while the node runs."""
    from roost.commands.across import show
    from roost.commands.configure import get_config
    from roost.commands.show import print_config

    printer = partial(print_config, values_only=name is not None)
    show(settings(run_dir=run_dir).run_dir, node, partial(get_config, name=name), printer, json=json)


@config.command("set")
def config_set(
    name: Annotated[str, typer.Argument(help="Such as max_connections.")],
    value: Annotated[str, typer.Argument(help="The new value, for all workers, until the gateway ends.")],
    node: OneNode = None,
    run_dir: str | None = setting("run_dir"),
    json: Json = False,
) -> None:
    """Change a setting while the node runs."""
    from roost.commands.across import one_node
    from roost.commands.configure import set_config

    set_config(one_node(settings(run_dir=run_dir).run_dir, node), name, value, json=json)


@scale.command("shards")
def scale_shards(
    shards: Annotated[int, typer.Argument(help="How many there are to be.", min=1, max=MAX_SHARDS)],
    node: OneNode = None,
    run_dir: str | None = setting("run_dir"),
    json: Json = False,
) -> None:
    """Change the number of shards under load: nobody is disconnected, nothing is lost."""
    from roost.commands.across import one_node
    from roost.commands.scale import change_shards

    change_shards(one_node(settings(run_dir=run_dir).run_dir, node), shards, json=json)


@scale.command("workers")
def scale_workers(
    workers: Annotated[int, typer.Argument(help="How many there are to be.", min=1, max=MAX_WORKERS)],
    node: OneNode = None,
    run_dir: str | None = setting("run_dir"),
    json: Json = False,
) -> None:
    """Change the number of workers: clients of those that are removed are sent to the others, a batch at a time."""
    from roost.commands.across import one_node
    from roost.commands.scale import change_workers

    change_workers(one_node(settings(run_dir=run_dir).run_dir, node), workers, json=json)


@cli.command()
def connect(
    url: Annotated[str, typer.Argument(help="Such as ws://localhost:4000/socket/websocket.", metavar="URL")],
    frames: Annotated[list[str] | None, typer.Argument(help="Text frames to send first.", metavar="FRAME...")] = None,
    join: Annotated[str | None, typer.Option(help="Join this topic, keep the heartbeat, print payloads.")] = None,
) -> None:
    """Talk to a server over WebSocket: frames from arguments and from standard input, one a line, go out.

    What is received is printed, one frame a line.
    """
    from roost.commands.connect import talk

    raise SystemExit(talk(url, frames or [], join))


@cli.command()
def schema(
    app: Annotated[str, typer.Argument(help="The application, as module:endpoint.", metavar="APP")],
    form: Annotated[SchemaForm, typer.Option("--format", help="What is written.")] = SchemaForm.ASYNCAPI,
    title: Annotated[str | None, typer.Option(help="The document's; by default the application's name.")] = None,
    version: Annotated[str, typer.Option(help="The application's.")] = "1.0.0",
) -> None:
    """Write what an application's channels take and send, as their methods are annotated: AsyncAPI or TypeScript."""
    from roost.commands.terminal import print_json
    from roost.gateway.processes.application import load_endpoint
    from roost.schema.asyncapi import as_asyncapi
    from roost.schema.collecting import take_inventory
    from roost.schema.typescript import as_typescript

    inventory = take_inventory(load_endpoint(app))
    if form is SchemaForm.TYPESCRIPT:
        sys.stdout.write(as_typescript(inventory))
    else:
        print_json(as_asyncapi(inventory, title or app, version))


@cli.command()
def verify(
    seconds: Annotated[float, typer.Option(help="How long to publish.", min=0.1)] = 20.0,
    clients: Annotated[int, typer.Option(help="WebSocket clients.", min=1)] = 300,
    publishers: Annotated[int, typer.Option(help="So many of the clients publish too.", min=1)] = 20,
    rate: Annotated[float, typer.Option(help="Messages a second of each publisher.", min=0.01)] = 2.0,
    topics: Annotated[int, typer.Option(help="Topics that every client joins.", min=1, max=100)] = 4,
    run_dir: str | None = setting("run_dir"),
    json: Json = False,
) -> None:
    """Check on a running node that every message reaches every client once and in order.

    Clients of its own connect to all workers and number what they publish. Ctrl-C ends it early,
    with a verdict. Exit status 1 if any promise was broken.
    """
    from roost.commands.show_findings import print_findings, watching
    from roost.commands.terminal import print_json
    from roost.commands.verify import Plan, verify_node

    if publishers > clients:
        raise BadSetting(f"--publishers must be at most --clients ({clients}), not {publishers}")
    with watching(quiet=json) as watch:
        findings = verify_node(
            settings(run_dir=run_dir).run_dir, Plan(seconds, clients, publishers, rate, topics), watch
        )
    print_json(findings) if json else print_findings(findings)
    if findings.gone:
        raise CannotStart(findings.gone)
    raise SystemExit(1 if findings.faults else 0)


def main() -> None:
    """The console script. What cannot be done is said in one sentence."""
    try:
        cli()
    except BadSetting as error:
        print(error, file=sys.stderr)  # noqa: T201 - this is the command line
        raise SystemExit(2) from None
    except CannotStart as error:
        print(error, file=sys.stderr)  # noqa: T201
        raise SystemExit(1) from None
