"""What the demo shows: progress while it runs, figures and examples when it is done."""

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from afterguard.contracts.verdicts import AuditRecord
from afterguard.embedded.demo_worker import Glance
from afterguard.embedded.tally import Tally

_EXAMPLES = 4
_RATIONALE_CHARACTERS = 300
_NO_JUDGE = (
    "The embedded model (SmolLM2, 135M parameters) shows the machinery and is no judge: it "
    "follows no policy, so its verdicts mean nothing. For judgement set "
    "engine.model=openai/gpt-oss-safeguard-20b on a GPU, or engine.kind=openai with "
    "engine.base_url=<your server>."
)


def welcome(console: Console, *, null_engine: bool) -> None:
    """What is about to happen, and what it does not show."""
    text = "No model: every event becomes no_violation at once." if null_engine else _NO_JUDGE
    console.print(Panel(text, title="Afterguard demo", border_style="yellow"))


def progress(glance: Glance, events: int, seconds: float) -> RenderableType:
    """One line of figures under a bar."""
    done = max(0, glance.received - glance.in_flight)
    line = Text.assemble(
        (f"{glance.received}/{events}", "bold"),
        " events  ",
        (f"{glance.verdicts}", "bold"),
        f" verdicts ({glance.verdicts / seconds if seconds else 0:.1f}/s)  ",
        (f"{glance.in_flight}", "bold"),
        " in flight  ",
        (f"{glance.lag}", "bold"),
        " lag  ",
        (f"{glance.interventions}", "bold"),
        f" interventions, {glance.to_intervention_s:.1f} s after the event on average",
    )
    return Group(ProgressBar(total=events, completed=done), line)


def show(result: Tally, console: Console) -> None:
    """The summary and some interventions with the reasoning behind them."""
    table = Table(title="Read back from the topics", show_header=False)
    delays = result.time_to_intervention_ms
    rows = {
        "events": result.events,
        "verdicts": result.verdicts,
        **{f"  {outcome}": count for outcome, count in sorted(result.outcomes.items())},
        "interventions": result.interventions,
        "dead letters": result.dead_letters,
        "lost": result.lost,
        "duplicates": result.duplicates,
        **({"given back unfinished": result.left} if result.left else {}),
        **({"unreadable outputs": result.unreadable} if result.unreadable else {}),
        "verdicts per second": f"{result.verdicts_per_s:.1f}",
        "time to intervention p50 / p95 / p99": " / ".join(
            "-" if (ms := delays.get(name)) is None else f"{ms / 1000:.1f} s"
            for name in ("p50", "p95", "p99")
        ),
        "prompt tokens from the prefix cache": "-"
        if result.prefix_cache_hit_ratio is None
        else f"{result.prefix_cache_hit_ratio:.1%}",
        "engine, model": f"{result.engine}, {result.model}",
    }
    for name, value in rows.items():
        table.add_row(name, str(value))
    console.print(table)
    _examples(result, console)
    if result.engine == "vllm":
        console.print(f"[yellow]{_NO_JUDGE}[/]")


def _examples(result: Tally, console: Console) -> None:
    by_id = {verdict.verdict_id: verdict for verdict in result.audit}
    shown = 0
    for intervention in result.acted:
        verdict = next(
            (it for key in intervention.verdict_ids if (it := by_id.get(key)) and it.rationale),
            None,
        )
        if verdict is None:
            continue
        console.print(_example(intervention.action.value, intervention.event_id, verdict))
        shown += 1
        if shown == _EXAMPLES:
            return


def _example(action: str, event_id: str, verdict: AuditRecord) -> Panel:
    rationale = (verdict.rationale or "").strip()
    if len(rationale) > _RATIONALE_CHARACTERS:
        rationale = rationale[:_RATIONALE_CHARACTERS] + "…"
    score = "-" if verdict.score is None else f"{verdict.score:.2f}"
    cited = ", ".join(verdict.rule_ids) or "-"
    body = Text.assemble(
        f"policy {verdict.policy_id} ({verdict.policy_version}), {verdict.outcome.value}, "
        f"rules {cited}, score {score}\n",
        ("reasoning (from the audit topic): ", "dim"),
        rationale,
    )
    return Panel(body, title=Text(f"{action}: {event_id}"), title_align="left")
