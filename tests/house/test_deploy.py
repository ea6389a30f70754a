"""What operators are given names figures that there are, and shows each of them."""

from __future__ import annotations

import json
import re

from prometheus_client import Counter, Histogram

from bot.health import FIGURES
from tests.journeys.gracewatch import ROOT

DEPLOY = ROOT / "deploy"
EXPORTED = {
    f"gracewatch_{name}"
    + ("_total" if figure.kind is Counter else "_bucket" if figure.kind is Histogram else ""): figure
    for name, figure in FIGURES.items()
}


def asked(text: str) -> set[str]:
    return set(re.findall(r"\bgracewatch_\w+", text))


def test_alerts_and_dashboard_ask_for_figures_that_there_are() -> None:
    for file in ("alerts.yml", "grafana.json"):
        named = asked((DEPLOY / file).read_text("utf-8"))
        assert named
        assert named <= EXPORTED.keys()


def test_the_dashboard_shows_every_figure() -> None:
    dashboard = json.loads((DEPLOY / "grafana.json").read_text("utf-8"))
    shown = asked(" ".join(target["expr"] for panel in dashboard["panels"] for target in panel["targets"]))
    assert shown == EXPORTED.keys()


def test_a_label_that_is_asked_for_is_one_that_the_figure_has() -> None:
    for file in ("alerts.yml", "grafana.json"):
        for name, labels in re.findall(r"\b(gracewatch_\w+)\{([^}]*)\}", (DEPLOY / file).read_text("utf-8")):
            assert set(re.findall(r"(\w+)(?:=|!=|=~)\\?\"", labels)) <= set(EXPORTED[name].labels)


def test_every_alert_says_what_to_do() -> None:
    text = (DEPLOY / "alerts.yml").read_text("utf-8")
    alerts = text.split("- alert: ")[1:]
    assert len(alerts) >= 8
    assert all("summary:" in alert and "description:" in alert and "expr:" in alert for alert in alerts)


def test_containers_are_given_nothing_that_they_do_not_need() -> None:
    compose, kubernetes = ((DEPLOY / name).read_text("utf-8") for name in ("compose.yaml", "kubernetes.yaml"))
    assert all(words in compose for words in ("read_only: true", "cap_drop: [ALL]", "no-new-privileges:true"))
    assert all(
        words in kubernetes
        for words in (
            "readOnlyRootFilesystem: true",
            "drop: [ALL]",
            "runAsNonRoot: true",
            "allowPrivilegeEscalation: false",
        )
    )
