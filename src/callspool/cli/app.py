"""The tree of commands."""

import typer

from callspool.cli import accounts, demo, doctor, drain, keys, recordings, serve, status, tenants, up, worker

app = typer.Typer(
    name="callspool",
    help="Every call recording: fetched once, kept safe, played at once.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("up")(up.up)
app.command("serve")(serve.serve)
app.command("worker")(worker.worker)
app.command("demo")(demo.demo)
app.command("status")(status.status)
app.command("fetch")(recordings.fetch)
app.command("retry")(recordings.retry)
app.command("purge")(recordings.purge)
app.command("why")(recordings.why)
app.command("drain")(drain.drain)
app.command("doctor")(doctor.doctor)
app.add_typer(tenants.app, name="tenants")
app.add_typer(accounts.app, name="accounts")
app.add_typer(keys.app, name="keys")
