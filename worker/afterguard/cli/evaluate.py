"""`afterguard eval`: judge labelled data under policies, and say how good the answers are."""

from pathlib import Path

import typer

from afterguard.cli.eval_calibrate import calibrate_command
from afterguard.cli.evaluate_compare import compare_command
from afterguard.cli.failing import told_plainly
from afterguard.cli.options import CONFIG
from afterguard.contracts.words import Effort
from afterguard.evaluation.cost import Prices
from afterguard.evaluation.datasets import Form
from afterguard.evaluation.extras import require_eval

eval_app = typer.Typer(
    invoke_without_command=True,
    no_args_is_help=True,
    help="Judge labelled data under policies, and say how good the answers are.",
)

GPU_HOUR = typer.Option(
    None, "--gpu-hour-price", min=0, help="What an hour of the engine costs, in any currency."
)
TOKENS = typer.Option(
    None,
    "--token-prices",
    metavar="IN,CACHED,OUT",
    help="What a million tokens cost: read, read from the cache, written. Such as 0.1,0.02,0.4.",
)


@eval_app.callback()
def eval_command(
    context: typer.Context,
    policies: list[str] = typer.Option(
        [],
        "--policy",
        "-p",
        metavar="ID|FILE",
        help="A policy's id, its document, or the policy text of a pack. May be given again.",
    ),
    data: list[Path] = typer.Option(
        [], "--data", "-d", metavar="FILE", help="Labelled rows. May be given again."
    ),
    config: Path | None = CONFIG,
    form: Form | None = typer.Option(
        None, "--form", help="How labels are written; found out by the first row when absent."
    ),
    labels: list[str] = typer.Option(
        [],
        "--labels",
        metavar="LABEL=POLICY,...",
        help="Which label of the data speaks of which policy, such as H=hate,HR=harassment.",
    ),
    out: Path | None = typer.Option(
        None,
        "--out",
        "-o",
        metavar="DIR",
        help="Folder of the run; goes on with what is there. A new one when absent.",
    ),
    limit: int | None = typer.Option(None, min=1, help="Rows of each file at most."),
    sample: int | None = typer.Option(
        None, metavar="SEED", help="Draw the rows of --limit at random instead of the first ones."
    ),
    effort: Effort | None = typer.Option(
        None, help="How long the model may reason, instead of what the policies say."
    ),
    prompt: str | None = typer.Option(
        None, metavar="per_policy|combined", help="Instead of `judging.prompt`."
    ),
    judges: str | None = typer.Option(
        None,
        metavar="model,classifier",
        help="Who judges each row, both for a comparison; as each policy says when absent.",
    ),
    unlabelled: bool = typer.Option(
        False, "--unlabelled", help="Judge rows under policies that no label speaks of, too."
    ),
    embedded: bool = typer.Option(
        False, "--embedded", help="The demo's small model, on the CPU. It is no judge."
    ),
    concurrency: int | None = typer.Option(
        None, min=1, help="Rows judged at once; as many as the engine has seats when absent."
    ),
    retry_failed: bool = typer.Option(
        False, "--retry-failed", help="Judge again what the engine gave up before."
    ),
    gpu_hour_price: float | None = GPU_HOUR,
    token_prices: str | None = TOKENS,
    as_json: bool = typer.Option(False, "--json", help="Print the report as one JSON object."),
) -> None:
    """Judge labelled data under policies, and say how good the answers are.

    Rows are judged as a worker with these settings would judge them. Each result is written to the
    folder of the run at once: after Ctrl-C, or a crash, the same command with `--out` goes on where
    it was. The report is printed, and written as report.json and report.html, which needs no
    network.

    Data: JSONL, CSV or TSV in a form of our own, the moderation set that OpenAI published in 2022,
    ToxicChat, and data of gpt-oss-safeguard policy packs; docs/evaluation.md tells the forms.

    Example:  afterguard eval --policy harassment --data labelled.jsonl --out runs/harassment
    """
    if context.invoked_subcommand is not None:
        return
    with told_plainly():
        require_eval()
        from afterguard.cli.evaluate_run import Wish, evaluate  # noqa: PLC0415 (needs the extra)

        wish = Wish(
            policies=policies,
            data=data,
            config=config,
            form=form,
            labels=labels,
            out=out,
            limit=limit,
            sample=sample,
            effort=effort,
            prompt=prompt,
            judges=judges,
            unlabelled=unlabelled,
            embedded=embedded,
            concurrency=concurrency,
            retry_failed=retry_failed,
            prices=Prices.of(gpu_hour_price, token_prices),
            as_json=as_json,
        )
        code = evaluate(wish)
    if code:
        raise typer.Exit(code)


@eval_app.command("report")
def report_command(
    run: Path = typer.Argument(help="Folder of a run, ended or not."),
    gpu_hour_price: float | None = GPU_HOUR,
    token_prices: str | None = TOKENS,
    as_json: bool = typer.Option(False, "--json", help="Print the report as one JSON object."),
) -> None:
    """Make the report of a run again: tables, report.json and report.html.

    Nothing is judged, and no file but those of the run is read.

    Example:  afterguard eval report runs/harassment --gpu-hour-price 2.5
    """
    with told_plainly():
        require_eval()
        from afterguard.cli.evaluate_report import print_report  # noqa: PLC0415 (needs the extra)

        print_report(run, Prices.of(gpu_hour_price, token_prices), as_json=as_json)


eval_app.command("compare")(compare_command)
eval_app.command("calibrate")(calibrate_command)
