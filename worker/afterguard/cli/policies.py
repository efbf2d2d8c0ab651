"""`afterguard policies`: the life of written policies, from a draft to a version in force."""

import typer

from afterguard.cli.on_demand import on_demand

policies_app = typer.Typer(
    cls=on_demand(
        {
            "new": "policies_new:new_command",
            "lint": "policies_lint:lint_command",
            "show": "policies_lint:show_command",
            "test": "policies_test:golden_command",
            "list": "policies_list:list_command",
            "diff": "policies_diff:diff_command",
            "shadow": "policies_shadow:shadow_command",
            "compare": "policies_compare:compare_command",
            "activate": "policies_activate:activate_command",
            "rollback": "policies_rollback:rollback_command",
            "history": "policies_history:history_command",
        }
    ),
    no_args_is_help=True,
)


@policies_app.callback()
def _policies() -> None:
    """Write, check, try, compare and put in force written policies."""
