"""The command that makes tokens for the HTTP API."""

from typing import Annotated

import typer

from roost.commands.options import cli, setting, settings
from roost.gateway.admin.api.access import SALT, May, token_data

DAY = 86_400


@cli.command("api-token")
def api_token(
    may: Annotated[list[May], typer.Option(help="What it is for; given several times for several things.")],
    max_age: Annotated[int, typer.Option(help="Seconds for which it is good.", min=1)] = DAY,
    run_dir: str | None = setting("run_dir"),
) -> None:
    """Make a token for the HTTP API of the admin listener, signed with the node's secret."""
    from roost.gateway.token import Token
    from roost.shared.run_directory import RunDirectory

    chosen = settings(run_dir=run_dir)
    secret = chosen.secret_key_base or RunDirectory.open(chosen.run_dir).secret_key_base()
    typer.echo(Token.sign(secret, SALT, token_data(frozenset(may)), max_age=max_age))
